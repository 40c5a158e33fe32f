"""Every export is read back by another library and holds what the graph holds."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

import pyoxigraph as ox
import pytest
import rdflib
from pyld import jsonld

from kg.errors import ParameterError
from kg.export import FORMATS, export
from kg.rq import canonical
from kg.store import Snapshot


def quads_of(snapshot: Snapshot) -> Iterable[ox.Quad]:
    return ox.parse(path=snapshot.quads, format=ox.RdfFormat.N_QUADS)


def test_turtle_is_the_whole_graph(
    snapshot: Snapshot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rdflib, "NORMALIZE_LITERALS", False)
    (path,) = export(snapshot, tmp_path / "out")
    assert path == tmp_path / "out" / "lenkg.ttl"
    read = rdflib.Graph().parse(path, format="turtle").serialize(format="nt").encode()
    expected = (ox.Quad(q.subject, q.predicate, q.object) for q in quads_of(snapshot))
    assert canonical(ox.parse(read, format=ox.RdfFormat.N_TRIPLES)) == canonical(expected)
    assert "51.0" in path.read_text(encoding="utf-8"), "figures keep their printed precision"


def test_n_quads_are_the_snapshot(snapshot: Snapshot, tmp_path: Path) -> None:
    (path,) = export(snapshot, tmp_path, ["n-quads"])
    assert sorted(path.read_text(encoding="utf-8").splitlines()) == sorted(
        snapshot.quads.read_text(encoding="utf-8").splitlines()
    )


def test_json_ld_is_the_snapshot(snapshot: Snapshot, tmp_path: Path) -> None:
    (path,) = export(snapshot, tmp_path, ["json-ld"])
    document = json.loads(path.read_text(encoding="utf-8"))
    quads = jsonld.to_rdf(document, {"format": "application/n-quads"})
    read = ox.parse(quads.encode(), format=ox.RdfFormat.N_QUADS)
    assert canonical(read) == canonical(quads_of(snapshot))


def test_exports_are_deterministic(snapshot: Snapshot, tmp_path: Path) -> None:
    one = export(snapshot, tmp_path / "one", FORMATS)
    two = export(snapshot, tmp_path / "two", FORMATS)
    assert [p.read_bytes() for p in one] == [p.read_bytes() for p in two]
    assert sorted(p.name for p in (tmp_path / "one").iterdir()) == sorted(p.name for p in one)


def test_an_unknown_format_writes_nothing(snapshot: Snapshot, tmp_path: Path) -> None:
    with pytest.raises(ParameterError, match="'word' is not offered; use turtle, n-quads"):
        export(snapshot, tmp_path / "out", ["turtle", "word"])
    assert not (tmp_path / "out").exists()
