"""The W3C's tests of SPARQL: their manifests, and what is listed as not passed.

They are sparql10 and sparql11 of w3c/rdf-tests in ../shared/w3c, or where LENKG_W3C says;
whatever imports this module is skipped without them.
"""

from __future__ import annotations

import csv
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import pyoxigraph as ox
import pytest

ROOT = Path(__file__).resolve().parents[1]
DATA = Path(os.environ.get("LENKG_W3C", ROOT.parent / "shared" / "w3c"))
ENGINE = (
    "sparql10/manifest.ttl",
    "sparql11/manifest-sparql11-query.ttl",
    "sparql11/manifest-sparql11-results.ttl",
)
PROTOCOL = "sparql11/protocol/manifest.ttl"
SERVICE = "sparql11/service-description/manifest.ttl"
BASE = "https://w3c.github.io/rdf-tests/sparql/"
RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
MF = "http://www.w3.org/2001/sw/DataAccess/tests/test-manifest#"

Term = ox.NamedNode | ox.BlankNode | ox.Literal | ox.Triple

if not DATA.is_dir():
    pytest.skip(
        f"the W3C's tests of SPARQL are not at {DATA}; name them with LENKG_W3C",
        allow_module_level=True,
    )

with (ROOT / "tests" / "cases" / "w3c-misses.tsv").open(encoding="utf-8", newline="") as file:
    LISTED = list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
MISSES = {row["test"]: row["reason"] for row in LISTED}


@contextmanager
def passing_or_listed(name: str) -> Iterator[None]:
    """Holds a test to what the list says: it fails where it is listed, else it passes."""
    try:
        yield
    except (AssertionError, SyntaxError, pytest.fail.Exception):
        if name not in MISSES:
            raise
    else:
        assert name not in MISSES, "it passes now: take it off the list"


class Graph:
    """A file of the tests as a graph."""

    def __init__(self, path: Path) -> None:
        self.triples = [quad.triple for quad in ox.parse(path=path, base_iri=address(path))]

    def all(self, subject: Term, predicate: str) -> list[Term]:
        wanted = (subject, ox.NamedNode(predicate))
        return [t.object for t in self.triples if (t.subject, t.predicate) == wanted]

    def texts(self, subject: Term, predicate: str) -> list[str]:
        return [str(getattr(term, "value", term)) for term in self.all(subject, predicate)]

    def items(self, subject: Term, predicate: str) -> Iterator[Term]:
        """The members of a list."""
        for node in self.all(subject, predicate):
            rest = [node]
            while first := self.all(rest[0], f"{RDF}first"):
                yield first[0]
                rest = self.all(rest[0], f"{RDF}rest")


class Entry(NamedTuple):
    """A test of a manifest: its folder and name as they are listed, and where it stands."""

    name: str
    graph: Graph
    node: ox.NamedNode


def address(path: Path) -> str:
    return BASE + path.relative_to(DATA).as_posix()


def place(iri: str) -> Path:
    return DATA / iri.removeprefix(BASE)


def entries(manifest: Path) -> Iterator[Entry]:
    """The tests of a manifest and of those that it includes."""
    graph, this = Graph(manifest), ox.NamedNode(address(manifest))
    for included in graph.items(this, f"{MF}include"):
        assert isinstance(included, ox.NamedNode)
        yield from entries(place(included.value))
    folder = manifest.parent.relative_to(DATA).as_posix()
    for node in graph.items(this, f"{MF}entries"):
        assert isinstance(node, ox.NamedNode)
        yield Entry(f"{folder}/{node.value.rpartition('#')[2]}", graph, node)
