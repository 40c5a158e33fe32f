"""What a query asks for is read from its tokens: form, updates, SERVICE, FROM."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kg.errors import QueryError, RefusedError
from kg.question import Graph
from kg.sparql import asked, tokens
from kg.terms import BASE

OURS = frozenset({f"{BASE}graph/ontology", f"{BASE}graph/zhang-2023"})


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("SELECT * WHERE { ?s ?p ?o }", "SELECT"),
        ("select * { ?s ?p ?o }", "SELECT"),
        ("ASK {}", "ASK"),
        (
            "# INSERT\nBASE <http://x/> PREFIX load: <http://y/> CONSTRUCT WHERE { ?s a load:x }",
            "CONSTRUCT",
        ),
        ("DESCRIBE <http://x/service>", "DESCRIBE"),
        ('SELECT ?service { ?service ?p "SERVICE <http://x/> {}" }', "SELECT"),
        ("SELECT * { ?s <http://x/SERVICE> ?load . ?s service:from 'it\\'s LOAD' }", "SELECT"),
        ("SELECT * { ?s ?p '''a ' SERVICE '' ''' # SERVICE <x>\n }", "SELECT"),
        (f"SELECT * FROM <{BASE}graph/ontology> {{ ?s ?p ?o }}", "SELECT"),
        ("SELECT * FROM <graph/ontology> { ?s ?p ?o }", "SELECT"),
        ("BASE <graph/x> SELECT * FROM NAMED <zhang-2023> { ?s ?p ?o }", "SELECT"),
        (f"PREFIX g: <{BASE}graph/> SELECT * FROM NAMED g:zhang-2023 {{ ?s ?p ?o }}", "SELECT"),
    ],
)
def test_the_form(query: str, expected: str) -> None:
    assert asked(query, OURS).form == expected


@pytest.mark.parametrize(
    ("query", "sentence"),
    [
        ("INSERT DATA { <a:a> <a:b> <a:c> }", "INSERT at line 1, column 1 is an update"),
        ("PREFIX x: <http://x/>\nDELETE WHERE { ?s ?p ?o }", "DELETE at line 2, column 1"),
        ("LOAD <file:///etc/passwd>", "LOAD at line 1"),
        ("SELECT * {\n  SERVICE <http://127.0.0.1/> { ?s ?p ?o } }", "SERVICE at line 2, column 3"),
        ("SELECT * { SERVICE SILENT <http://x/> {} }", "SERVICE"),
        ("SELECT * { SERV\\u0049CE <http://x/> {} }", "SERVICE"),
        ("SELECT * { { SELECT * { sErViCe ?x {} } } }", "SERVICE"),
        ("SELECT * FROM <file:///etc/passwd> { ?s ?p ?o }", "names file:///etc/passwd, which is"),
        ("SELECT * FROM NAMED <http://x/> { ?s ?p ?o }", "names http://x/, which is not one of"),
        ("BASE <http://x/> SELECT * FROM <graph/ontology> {}", "names http://x/graph/ontology"),
        ("PREFIX e: <http://x/> SELECT * FROM e:y { ?s ?p ?o }", "names http://x/y, which is"),
    ],
)
def test_what_is_refused(query: str, sentence: str) -> None:
    with pytest.raises(RefusedError, match=re.escape(sentence)):
        asked(query, OURS)


@pytest.mark.parametrize("query", ["", "   # nothing\n", "PREFIX x: <http://x/>", "hello"])
def test_what_is_no_query(query: str) -> None:
    with pytest.raises(QueryError, match="there is no SELECT, ASK, CONSTRUCT or DESCRIBE"):
        asked(query, OURS)


@given(st.text(max_size=300))
def test_any_text_has_tokens_that_keep_its_letters(text: str) -> None:
    joined = "".join(token.text for token in tokens(text))
    assert len(joined) <= len(text)
    for token in tokens(text):
        assert token.text in text
        assert token.line >= 1 and token.column >= 1


def test_the_default_graph_is_the_union_and_named_graphs_are_there(graph: Graph) -> None:
    names = {row["g"] for row in graph.rows("SELECT DISTINCT ?g { GRAPH ?g { ?s ?p ?o } }")}
    assert names == graph.store.snapshot.graphs
    everything = next(iter(graph.rows("SELECT (COUNT(*) AS ?n) { ?s ?p ?o }")))["n"]
    one = f"SELECT (COUNT(*) AS ?n) FROM <{BASE}graph/zhang-2023> {{ ?s ?p ?o }}"
    assert 10_000 < next(iter(graph.rows(one)))["n"] < everything


def test_a_syntax_error_has_line_and_column(graph: Graph) -> None:
    with pytest.raises(QueryError) as error:
        graph.rows("SELECT * WHERE {\n  ?s ?p }")
    assert (error.value.line, error.value.column) == (2, 10)
