"""Every audit rule fires where it should and stays silent where it should."""

from __future__ import annotations

import csv
import re
from pathlib import Path

import pyoxigraph as ox
import pytest

from kg.audit import Found, findings, load
from kg.errors import RuleError
from kg.question import Graph
from kg.rq import header, holding, rules
from kg.terms import BASE, terms

CASES = Path(__file__).parent / "cases" / "audit"
RULES = rules("audit")


def found(rule: Path, case: str) -> dict[str, Found]:
    """What a rule finds in a small graph: `<rule>.<case>.ttl` and the ontology."""
    store = holding(terms().quads)
    store.load(path=CASES / f"{rule.stem}.{case}.ttl", format=ox.RdfFormat.TURTLE)
    return findings(load(rule), store)


def test_every_case_belongs_to_a_rule() -> None:
    names = {path.name.partition(".")[0] for path in CASES.iterdir()}
    assert names == {path.stem for path in RULES}


@pytest.mark.parametrize("rule", RULES, ids=lambda path: path.stem)
def test_a_rule_fires(rule: Path) -> None:
    result = found(rule, "fires")
    assert len(result) == 1
    (one,) = result.values()
    assert re.fullmatch(r"[A-Z].*[.]", one.explanation)
    assert one.instead is None or re.fullmatch(r"[A-Z].*[.]", one.instead)
    assert one.records and all(record.startswith(BASE) for record in one.records)


@pytest.mark.parametrize("rule", RULES, ids=lambda path: path.stem)
def test_a_rule_stays_silent(rule: Path) -> None:
    assert found(rule, "silent") == {}


@pytest.mark.parametrize("rule", RULES, ids=lambda path: path.stem)
def test_a_rule_has_its_head(rule: Path, graph: Graph) -> None:
    head = load(rule)
    assert re.fullmatch(r"[A-Z].{15,}\.", head.rule)
    assert graph.names.resolve("severity", head.severity)
    assert graph.names.resolve("certainty", head.certainty)
    assert graph.names.resolve("finding-basis", head.basis)
    found = list(graph.rows(f'SELECT ?f {{ ?f <{BASE}ontology/rule> "{rule.stem}" }}'))
    guard = header(rule.read_text(encoding="utf-8")).get("guard")
    assert bool(found) != bool(guard), (
        "a rule finds something here, or its head says that it guards"
    )


def test_a_faulty_rule_is_named(tmp_path: Path) -> None:
    path = tmp_path / "faulty.rq"
    path.write_text("#+ rule: A rule.\nSELECT * { ?s ?p ?o }", encoding="utf-8")
    with pytest.raises(
        RuleError, match=r"faulty\.rq: the head needs rule, severity, certainty, basis"
    ):
        load(path)


def test_a_finding_flags_what_it_concerns(graph: Graph) -> None:
    result = f"<{BASE}result/kumar-2019-ird-pfs>"
    rows = list(graph.rows(f"SELECT ?flags {{ {result} <{BASE}ontology/flagList> ?flags }}"))
    assert len(rows) == 1
    assert re.search(r"29[.]4.*\[(high|medium|low): finding/[a-z0-9-]+\]", rows[0]["flags"])
    silent = f"<{BASE}result/swog-s0777-vrd-os>"
    assert not list(graph.rows(f"SELECT * {{ {silent} <{BASE}ontology/flagList> ?f }}"))


def controls() -> list[dict[str, str]]:
    lines = (CASES.parent / "audit-controls.tsv").read_text(encoding="utf-8").splitlines()
    return list(csv.DictReader(lines[1:], delimiter="\t"))


@pytest.fixture(scope="module")
def concerned(graph: Graph) -> dict[str, set[str]]:
    """The records of each finding."""
    rows = graph.rows(f"SELECT ?finding ?record {{ ?finding <{BASE}ontology/concerns> ?record }}")
    found: dict[str, set[str]] = {}
    for row in rows:
        found.setdefault(row["finding"], set()).add(row["record"].removeprefix(BASE))
    return found


@pytest.mark.parametrize("control", controls(), ids=lambda control: control["name"])
def test_what_is_consistent_stays_silent(
    control: dict[str, str], concerned: dict[str, set[str]], graph: Graph
) -> None:
    records = set(control["records"].split())
    for record in records:
        assert list(graph.rows(f"SELECT ?l {{ <{BASE}{record}> a ?l }} LIMIT 1")), record
    assert control["why"].strip()
    assert [finding for finding, held in concerned.items() if records <= held] == []
