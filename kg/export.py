"""A snapshot -> files that other tools read.

Written from the snapshot's own quads and never from the engine's, since the engine
rewrites figures (51.0 becomes 51). Every file is written aside and moved into place.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

import pyoxigraph as ox

from kg.errors import ParameterError
from kg.files import put
from kg.store import Snapshot
from kg.terms import prefixes


def _triples(quads: Iterable[ox.Quad]) -> list[ox.Triple]:
    """The triples of all named graphs, each once, ordered by subject and predicate."""
    distinct = {ox.Triple(q.subject, q.predicate, q.object) for q in quads}
    return sorted(distinct, key=str)


def _turtle(quads: list[ox.Quad]) -> bytes:
    return _bytes(ox.serialize(_triples(quads), format=ox.RdfFormat.TURTLE, prefixes=prefixes()))


def _n_quads(quads: list[ox.Quad]) -> bytes:
    return _bytes(ox.serialize(quads, format=ox.RdfFormat.N_QUADS))


def _json_ld(quads: list[ox.Quad]) -> bytes:
    return _bytes(ox.serialize(quads, format=ox.RdfFormat.JSON_LD))


def _bytes(data: bytes | None) -> bytes:
    assert data is not None
    return data


# name of the format -> (file name, serialiser)
FORMATS: dict[str, tuple[str, Callable[[list[ox.Quad]], bytes]]] = {
    "turtle": ("lenkg.ttl", _turtle),
    "n-quads": ("lenkg.nq", _n_quads),
    "json-ld": ("lenkg.jsonld", _json_ld),
}


def export(snapshot: Snapshot, to: Path, formats: Iterable[str] = ("turtle",)) -> list[Path]:
    """Writes the whole graph into the folder `to`, one file a format; returns the files.

    Turtle holds the triples of all graphs together; N-Quads and JSON-LD keep the graphs
    apart. Raises ParameterError for an unknown format.
    """
    wanted = list(formats)
    for name in wanted:
        if name not in FORMATS:
            raise ParameterError("format", f"'{name}' is not offered; use {', '.join(FORMATS)}")
    quads = list(ox.parse(path=snapshot.quads, format=ox.RdfFormat.N_QUADS))
    written = []
    for name in wanted:
        file, serialise = FORMATS[name]
        put(to / file, serialise(quads))
        written.append(to / file)
    return written
