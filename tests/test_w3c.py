"""The engine against the W3C's tests of SPARQL 1.0 and 1.1: queries, syntax, forms of results.

What the engine fails is listed with its reason in cases/w3c-misses.tsv, and nothing else.
"""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import pyoxigraph as ox
import pytest

from kg.rq import canonical
from kg.sparql import tokens
from tests.w3c import (
    DATA,
    ENGINE,
    LISTED,
    MF,
    MISSES,
    PROTOCOL,
    RDF,
    SERVICE,
    Graph,
    Term,
    address,
    entries,
    passing_or_listed,
    place,
)

XSD = "http://www.w3.org/2001/XMLSchema#"
QT = "http://www.w3.org/2001/sw/DataAccess/tests/test-query#"
RS = "http://www.w3.org/2001/sw/DataAccess/tests/result-set#"
NUMBERS = {f"{XSD}{name}" for name in ("integer", "decimal", "double", "float")}

Row = dict[str, Term]


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


def cases(manifest: Path) -> Iterator[Case]:
    for name, graph, test in entries(manifest):
        (action,) = graph.all(test, f"{MF}action")
        (query,) = graph.texts(action, f"{QT}query") or graph.texts(test, f"{MF}action")
        yield Case(
            name,
            graph.texts(test, f"{RDF}type")[0].removeprefix(MF),
            place(query),
            [place(iri) for iri in graph.texts(action, f"{QT}data")],
            [place(iri) for iri in graph.texts(action, f"{QT}graphData")],
            place("".join(graph.texts(test, f"{MF}result"))),
            f"{MF}LaxCardinality" in graph.texts(test, f"{MF}resultCardinality"),
        )


CASES = [case for manifest in ENGINE for case in cases(DATA / manifest)]


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
    with passing_or_listed(case.name):
        check(case)


def test_all_the_tests_are_there() -> None:
    kinds = Counter("syntax" if "Syntax" in case.kind else "evaluation" for case in CASES)
    assert kinds["evaluation"] >= 512
    assert kinds["syntax"] >= 302
    assert len({case.name for case in CASES}) == len(CASES)


def test_the_list_is_of_these_tests_and_gives_reasons() -> None:
    assert [row["test"] for row in LISTED] == sorted({row["test"] for row in LISTED})
    names = {entry.name for m in (*ENGINE, PROTOCOL, SERVICE) for entry in entries(DATA / m)}
    assert MISSES.keys() <= names
    assert all(MISSES.values())
