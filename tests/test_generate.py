"""Generated graphs of other sizes: the same vocabulary, so that every question has its answer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyoxigraph as ox
import pytest

from kg.names import NAMES
from kg.question import Graph, questions
from kg.store import Snapshot
from tests.bench.generate import generate


def loaded(path: Path) -> ox.Store:
    store = ox.Store()
    store.bulk_load(path=path, format=ox.RdfFormat.N_QUADS)
    return store


def rows(store: ox.Store, text: str) -> list[Any]:
    solutions: Any = store.query(text, use_default_graph_as_union=True)
    return list(solutions)


@pytest.mark.parametrize("triples", [20_000, 75_000])
def test_a_graph_is_as_large_as_asked_and_the_same_for_a_seed(
    snapshot: Snapshot, tmp_path: Path, triples: int
) -> None:
    paths = [tmp_path / f"{name}.nq" for name in ("one", "again", "other")]
    sizes = [
        generate(snapshot.quads, path, triples, seed)
        for path, seed in zip(paths, (0, 0, 1), strict=True)
    ]
    one, again, other = (path.read_bytes() for path in paths)
    assert one == again != other
    assert sizes[0] == len(set(one.splitlines())) == len(loaded(paths[0]))
    assert sizes[0] == pytest.approx(triples, rel=0.05)


def test_every_question_is_answered_on_a_part(snapshot: Snapshot, tmp_path: Path) -> None:
    generate(snapshot.quads, tmp_path / "part.nq", 20_000)
    store = loaded(tmp_path / "part.nq")
    counts = {name: len(rows(store, question.text)) for name, question in questions().items()}
    assert counts["studies"] and counts["claims"] and counts["drug-actions"], counts


def test_further_reviews_bring_further_answers(
    graph: Graph, snapshot: Snapshot, tmp_path: Path
) -> None:
    """One further review: what it says is found beside the first, under names of its own."""
    generate(snapshot.quads, tmp_path / "more.nq", 75_000)
    store = loaded(tmp_path / "more.nq")
    for name, times in {"improved-outcome": 2, "studies": 2, "drug-actions": 1}.items():
        text = questions()[name].text
        assert len(rows(store, text)) == times * len(graph.rows(text).rows), name
    names = {row["name"].value: row["thing"].value for row in rows(store, NAMES)}
    assert names["NCT02874742 0001"].endswith("/study/griffin-0001")
    (figure,) = rows(
        store,
        """PREFIX lenkg: <https://w3id.org/lenkg/ontology/>
        SELECT ?value ?list ?number WHERE {
          <https://w3id.org/lenkg/result/griffin-dara-vrd-mrd-negativity-0001> lenkg:value ?value ;
            lenkg:printedList ?list ; lenkg:hasStatement/lenkg:cites/lenkg:referenceNumber ?number
        }""",
    )
    value = float(figure["value"].value)
    assert 25.5 <= value <= 51
    assert figure["list"].value == f"MRD negativity, {value}%"
    assert figure["number"].value == "145"
