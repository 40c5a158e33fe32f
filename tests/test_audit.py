"""Every audit rule fires where it should and stays silent where it should."""

from __future__ import annotations

import re
from pathlib import Path

import pyoxigraph as ox
import pytest

from kg.audit import findings, load
from kg.errors import RuleError
from kg.question import Graph
from kg.rq import holding, rules
from kg.terms import BASE, terms

CASES = Path(__file__).parent / "cases" / "audit"
RULES = rules("audit")


def found(rule: Path, case: str) -> dict[str, tuple[str, list[str]]]:
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
    ((explanation, records),) = result.values()
    assert re.fullmatch(r"[A-Z].*[.]", explanation)
    assert records and all(record.startswith(BASE) for record in records)


@pytest.mark.parametrize("rule", RULES, ids=lambda path: path.stem)
def test_a_rule_stays_silent(rule: Path) -> None:
    assert found(rule, "silent") == {}


@pytest.mark.parametrize("rule", RULES, ids=lambda path: path.stem)
def test_a_rule_has_its_head(rule: Path, graph: Graph) -> None:
    head = load(rule)
    assert re.fullmatch(r"[A-Z].{15,}\.", head.rule)
    assert graph.names.resolve("severity", head.severity)
    assert graph.names.resolve("finding-basis", head.basis)
    assert list(graph.rows(f'SELECT ?f {{ ?f <{BASE}ontology/rule> "{rule.stem}" }}'))


def test_a_faulty_rule_is_named(tmp_path: Path) -> None:
    path = tmp_path / "faulty.rq"
    path.write_text("#+ rule: A rule.\nSELECT * { ?s ?p ?o }", encoding="utf-8")
    with pytest.raises(RuleError, match=r"faulty\.rq: the head needs rule, severity, basis"):
        load(path)


def test_a_finding_flags_what_it_concerns(graph: Graph) -> None:
    result = f"<{BASE}result/kumar-2019-ird-pfs>"
    rows = list(graph.rows(f"SELECT ?flags {{ {result} <{BASE}ontology/flagList> ?flags }}"))
    assert len(rows) == 1
    assert "29.4" in rows[0]["flags"]
    silent = f"<{BASE}result/swog-s0777-rd-os>"
    assert not list(graph.rows(f"SELECT * {{ {silent} <{BASE}ontology/flagList> ?f }}"))
