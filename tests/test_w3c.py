"""The engine against the W3C's tests of SPARQL 1.0 and 1.1: queries, syntax, forms of results.

What the engine fails is listed with its reason in cases/w3c-misses.tsv, and nothing else. The
tests need sparql10 and sparql11 of w3c/rdf-tests in ../shared/w3c, or where LENKG_W3C says.
"""

from __future__ import annotations

import csv
import io
import os
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import pyoxigraph as ox
import pytest

from kg.rq import canonical
from kg.sparql import tokens

ROOT = Path(__file__).resolve().parents[1]
DATA = Path(os.environ.get("LENKG_W3C", ROOT.parent / "shared" / "w3c"))
MANIFESTS = (
    "sparql10/manifest.ttl",
    "sparql11/manifest-sparql11-query.ttl",
    "sparql11/manifest-sparql11-results.ttl",
)
BASE = "https://w3c.github.io/rdf-tests/sparql/"
RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
XSD = "http://www.w3.org/2001/XMLSchema#"
MF = "http://www.w3.org/2001/sw/DataAccess/tests/test-manifest#"
QT = "http://www.w3.org/2001/sw/DataAccess/tests/test-query#"
RS = "http://www.w3.org/2001/sw/DataAccess/tests/result-set#"
NUMBERS = {f"{XSD}{name}" for name in ("integer", "decimal", "double", "float")}

Term = ox.NamedNode | ox.BlankNode | ox.Literal | ox.Triple
Row = dict[str, Term]

if not DATA.is_dir():
    pytest.skip(
        f"the W3C's tests of SPARQL are not at {DATA}; name them with LENKG_W3C",
        allow_module_level=True,
    )


class Case(NamedTuple):
    """An entry of a manifest; `lax` where a row may come less often (REDUCED)."""

    name: str
    kind: str
    query: Path
    data: list[Path]
    named: list[Path]
    result: Path
    lax: bool

    @property
    def text(self) -> str:
        return self.query.read_bytes().decode()

    @property
    def words(self) -> list[str]:
        return [token.text for token in tokens(self.text)]


class Graph:
    """A file of the tests as a graph."""

    def __init__(self, path: Path) -> None:
        self.triples = [quad.triple for quad in ox.parse(path=path, base_iri=address(path))]

    def all(self, subject: Term, predicate: str) -> list[Term]:
        wanted = (subject, ox.NamedNode(predicate))
        return [t.object for t in self.triples if (t.subject, t.predicate) == wanted]

    def texts(self, subject: Term, predicate: str) -> list[str]:
        return [str(getattr(term, "value", term)) for term in self.all(subject, predicate)]

    def items(self, subject: Term, predicate: str) -> Iterator[ox.NamedNode]:
        """The members of a list."""
        for node in self.all(subject, predicate):
            rest = [node]
            while first := self.all(rest[0], f"{RDF}first"):
                assert isinstance(first[0], ox.NamedNode)
                yield first[0]
                rest = self.all(rest[0], f"{RDF}rest")


def address(path: Path) -> str:
    return BASE + path.relative_to(DATA).as_posix()


def place(iri: str) -> Path:
    return DATA / iri.removeprefix(BASE)


def cases(manifest: Path) -> Iterator[Case]:
    """The tests of a manifest and of those that it includes."""
    graph, this = Graph(manifest), ox.NamedNode(address(manifest))
    for included in graph.items(this, f"{MF}include"):
        yield from cases(place(included.value))
    for test in graph.items(this, f"{MF}entries"):
        (action,) = graph.all(test, f"{MF}action")
        (query,) = graph.texts(action, f"{QT}query") or graph.texts(test, f"{MF}action")
        yield Case(
            f"{manifest.parent.relative_to(DATA).as_posix()}/{test.value.rpartition('#')[2]}",
            graph.texts(test, f"{RDF}type")[0].removeprefix(MF),
            place(query),
            [place(iri) for iri in graph.texts(action, f"{QT}data")],
            [place(iri) for iri in graph.texts(action, f"{QT}graphData")],
            place("".join(graph.texts(test, f"{MF}result"))),
            f"{MF}LaxCardinality" in graph.texts(test, f"{MF}resultCardinality"),
        )


CASES = [case for manifest in MANIFESTS for case in cases(DATA / manifest)]
with (ROOT / "tests" / "cases" / "w3c-misses.tsv").open(encoding="utf-8", newline="") as file:
    LISTED = list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
MISSES = {row["test"]: row["reason"] for row in LISTED}


def dataset(case: Case) -> ox.Store:
    """The graphs of a test, among them the files that its query names with FROM."""
    words = [word for word in case.words if word.upper() != "NAMED"]
    asked = [case.query.parent / b[1:-1] for a, b in pairwise(words) if a.upper() == "FROM"]
    store = ox.Store()
    for path in case.data:
        store.load(path=path, base_iri=address(path))
    for path in {*case.named, *asked}:
        graph = ox.NamedNode(address(path))
        store.add_graph(graph)
        store.load(path=path, base_iri=graph.value, to_graph=graph)
    return store


def by_value(term: Term) -> Term:
    if isinstance(term, ox.Literal) and term.datatype.value in NUMBERS:
        return ox.Literal(str(float(term.value)), datatype=term.datatype)
    return term


def table(case: Case, columns: Iterable[str], rows: Sequence[Row]) -> list[str]:
    """Rows in their one form: in order after ORDER BY, each as often as it comes.

    A number that the query computes (AS) counts by its value, any other term as it is written.
    """
    computed = {b[1:] for a, b in pairwise(case.words) if a.upper() == "AS"}
    kept = [{k: by_value(v) if k in computed else v for k, v in row.items()} for row in rows]
    if case.lax:
        kept = [row for i, row in enumerate(kept) if row not in kept[:i]]
    ordered = "ORDER" in map(str.upper, case.words)
    quads = []
    for i, row in enumerate(kept):
        node = ox.BlankNode()
        here = ox.Literal(str(i) if ordered else "a row")
        quads.append(ox.Quad(node, ox.NamedNode(f"{RS}solution"), here))
        quads += [ox.Quad(node, ox.NamedNode(f"{RS}{k}"), v) for k, v in row.items()]
    return sorted(columns) + canonical(quads)


def read(case: Case, payload: bytes, suffix: str) -> list[str]:
    """Results as they are sent."""
    if suffix == ".csv":
        lines = csv.DictReader(io.StringIO(payload.decode(), newline=""))
        rows = [{k: _cell(v) for k, v in line.items()} for line in lines]
        return table(case, lines.fieldnames or [], rows)
    result = ox.parse_query_results(payload, ox.QueryResultsFormat.from_extension(suffix[1:]))
    if isinstance(result, ox.QueryBoolean):
        return [str(bool(result))]
    names = [variable.value for variable in result.variables]
    rows = [{k: v for k, v in zip(names, row, strict=True) if v is not None} for row in result]
    return table(case, names, rows)


def _cell(text: str) -> Term:
    return ox.BlankNode(text[2:]) if text.startswith("_:") else ox.Literal(text)


def expected(case: Case) -> list[str]:
    if case.result.suffix not in (".ttl", ".rdf"):
        return read(case, case.result.read_bytes(), case.result.suffix)
    graph = Graph(case.result)
    sets = [t.subject for t in graph.triples if t.object == ox.NamedNode(f"{RS}ResultSet")]
    if not sets:
        return canonical(ox.Quad(*triple) for triple in graph.triples)
    if boolean := graph.texts(sets[0], f"{RS}boolean"):
        return [boolean[0].capitalize()]
    solutions = graph.all(sets[0], f"{RS}solution")
    solutions.sort(key=lambda node: [int(text) for text in graph.texts(node, f"{RS}index")])
    rows = [
        {
            graph.texts(binding, f"{RS}variable")[0]: graph.all(binding, f"{RS}value")[0]
            for binding in graph.all(solution, f"{RS}binding")
        }
        for solution in solutions
    ]
    return table(case, graph.texts(sets[0], f"{RS}resultVariable"), rows)


def answered(case: Case) -> list[str]:
    """What the engine answers, in the form of the expected result (LenKG's own, JSON, if none)."""
    result = dataset(case).query(
        case.text, base_iri=address(case.query), prefixes={}, use_default_graph_as_union=False
    )
    if isinstance(result, ox.QueryTriples):
        return canonical(ox.Quad(*triple) for triple in result)
    suffix = case.result.suffix if case.result.suffix not in (".ttl", ".rdf") else ".srj"
    payload = result.serialize(format=ox.QueryResultsFormat.from_extension(suffix[1:]))
    assert payload is not None
    return read(case, payload, suffix)


def parse(case: Case) -> None:
    try:
        ox.Store().query(case.text, base_iri=address(case.query))
    except RuntimeError as error:  # it is SPARQL, but calls a function that nobody knows
        assert "custom function" in str(error)


def check(case: Case) -> None:
    if case.kind.startswith("PositiveSyntaxTest"):
        parse(case)
    elif case.kind.startswith("NegativeSyntaxTest"):
        with pytest.raises(SyntaxError):
            parse(case)
    else:
        assert answered(case) == expected(case)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_the_engine_does_as_the_w3c_says_or_as_listed(case: Case) -> None:
    try:
        check(case)
    except (AssertionError, SyntaxError, pytest.fail.Exception):
        if case.name not in MISSES:
            raise
    else:
        assert case.name not in MISSES, "it passes now: take it off the list"


def test_all_the_tests_are_there() -> None:
    kinds = Counter("syntax" if "Syntax" in case.kind else "evaluation" for case in CASES)
    assert kinds["evaluation"] >= 512
    assert kinds["syntax"] >= 302
    assert len({case.name for case in CASES}) == len(CASES)


def test_the_list_is_of_these_tests_and_gives_reasons() -> None:
    assert [row["test"] for row in LISTED] == sorted({row["test"] for row in LISTED})
    assert MISSES.keys() <= {case.name for case in CASES}
    assert all(MISSES.values())
