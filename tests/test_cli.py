"""The command line: every verb has help with an example, and exit codes 0, 1, 2."""

from __future__ import annotations

import csv
import io
import json
import socket
from pathlib import Path

import pytest

from kg.question import questions
from tests.program import run

VERBS = "check build ask query search audit export verify places serve".split()
HEADLINE = [
    "ask",
    "improved-outcome",
    "--outcome",
    "mrd-negativity",
    "--population",
    "transplant-eligible-ndmm",
]


@pytest.mark.parametrize("verb", [*VERBS, *(f"ask {name}" for name in questions())])
def test_help_has_an_example(environment: dict[str, str], verb: str) -> None:
    out, _ = run(environment, *verb.split(), "--help")
    assert f"Example: lenkg {verb}" in " ".join(out.split())


def test_the_headline_as_table(environment: dict[str, str]) -> None:
    out, err = run(environment, *HEADLINE)
    assert err == ""
    for text in ("Dara-VRD", "GRIFFIN", "NCT02874742", "51", "20.4", "Isa-VRD", "2 rows"):
        assert text in out
    assert max(map(len, out.splitlines())) <= 140


def test_the_headline_as_csv_and_json(environment: dict[str, str]) -> None:
    out, _ = run(environment, *HEADLINE, "--format", "csv")
    rows = list(csv.DictReader(io.StringIO(out)))
    assert [(r["value"], r["comparatorValue"]) for r in rows] == [("50", ""), ("51", "20.4")]
    document = json.loads(run(environment, *HEADLINE, "--format", "json")[0])
    assert document["count"] == 2
    assert [row["references"] for row in document["rows"]] == ["44", "45"]


@pytest.mark.parametrize(
    ("arguments", "code", "sentence"),
    [
        (["ask", "improved-outcome", "--outcome", "mrdd"], 2, "did you mean mrd-negativity"),
        (["ask", "improved-outcome", "--color", "red"], 2, "No such option"),
        (["ask", "improved-outcomes"], 2, "improved-outcome"),
        (["ask", "regimens-by-size", "--size", "four"], 2, "not a whole number, for example 4"),
        (["query", "SELECT * WHERE { ?s ?p }"], 1, "the query is not SPARQL"),
        (["query", "SELECT * WHERE { ?s ?p }"], 1, "error at 1:25"),
        (["query", "ASK { SERVICE <http://x/> {} }"], 1, "SERVICE at line 1, column 7 is not"),
        (["query", "ASK FROM graph:nothing {}"], 1, "names https://w3id.org/lenkg/graph/nothing"),
        (["query", "INSERT DATA {}"], 1, "is an update; this graph is read-only"),
        (["query", "nofile.rq"], 2, "is neither a query nor a file"),
        (["audit", "--rule", "same-figures"], 2, "did you mean 'same-figure-in-two-studies'"),
        (["audit", "--study", "grifin"], 2, "did you mean griffin"),
        (["search", " "], 2, "TEXT: is empty; write a name or a part of one"),
        (["search", "zzzzzz"], 2, "nothing here is called 'zzzzzz'"),
        (["export", "--to", "/nowhere/x", "--format", "word"], 2, "use turtle, n-quads, json-ld"),
        (["places", "--review", "/nowhere.txt"], 1, "/nowhere.txt: cannot be read"),
        (["verify", "--review", "README.md"], 1, "README.md: the text has no abstract"),
        (["serve", "--port", "99999"], 2, "less than or equal to 65535"),
        (["nonsense"], 2, "nonsense"),
    ],
)
def test_exit_codes(
    environment: dict[str, str], arguments: list[str], code: int, sentence: str
) -> None:
    _, err = run(environment, *arguments, code=code)
    assert sentence in " ".join(err.split())


def test_without_a_build(environment: dict[str, str], tmp_path: Path) -> None:
    _, err = run(environment | {"LENKG_BUILD": str(tmp_path)}, *HEADLINE, code=1)
    assert "run `lenkg build` first" in err


def test_a_port_in_use(environment: dict[str, str]) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        _, err = run(environment, "serve", "--port", port, code=1)
    assert f"port {port} on 127.0.0.1 cannot be used" in err


def test_query_and_search(environment: dict[str, str]) -> None:
    out, _ = run(environment, "query", "ASK { drug:lenalidomide a lenkg:Drug }")
    assert out == "true\n"
    out, _ = run(environment, "query", "ASK FROM graph:ontology { lenkg:Drug a owl:Class }")
    assert out == "true\n"
    out, _ = run(environment, "query", "DESCRIBE drug:bortezomib")
    assert "drug:bortezomib" in out
    text = "SELECT ?name { drug:bortezomib rdfs:label ?name }"
    assert run(environment, "query", text, "--format", "csv")[0] == "name\nbortezomib\n"
    found = json.loads(run(environment, "search", "RVd", "--format", "json")[0])["rows"]
    assert (found[0]["kind"], found[0]["name"]) == ("regimen", "vrd")
    typo = json.loads(run(environment, "search", "daratumumb", "--format", "json")[0])["rows"]
    assert typo[0]["name"] == "daratumumab"
    studies = run(environment, "search", "NCT02874742", "--kind", "study", "--format", "csv")[0]
    assert "study,griffin,GRIFFIN,NCT02874742" in studies


def test_audit_prints_the_findings_by_rule(environment: dict[str, str]) -> None:
    out, _ = run(environment, "audit", "--rule", "same-figure-in-two-studies")
    assert "Two studies print the same median for the same measure." in out
    said = "one of the two may have been copied. (medium; possible; review alone)"
    assert said in " ".join(out.split())
    assert "Table I, row 19, efficacy" in out
    assert out.endswith("\n1 finding\n")


def test_verify_prints_a_count_for_each_section(environment: dict[str, str], review: Path) -> None:
    out, _ = run(environment, "verify", "--review", str(review))
    lines = [line.split() for line in out.splitlines() if line.strip()]
    assert lines[0] == "section places carried excepted numbers carried excepted".split()
    assert ["abstract", "10", "10", "0", "2", "2", "0"] in lines
    assert ["all", "561"] in [line[:2] for line in lines]
