"""What the figures of a comparison say, beside what the review claims."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyoxigraph as ox
import pytest
import yaml

from kg.question import Graph
from kg.rq import evaluate, holding
from kg.terms import ONTOLOGY, VOCABULARY, prefixes, terms
from tests.turtle import turtle

CASES: list[dict[str, Any]] = yaml.safe_load(
    (Path(__file__).parent / "cases" / "verdicts.yaml").read_text(encoding="utf-8")
)
RULE = (ONTOLOGY / "shortcuts" / "verdict.rq").read_text(encoding="utf-8")


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["case"])
def test_the_verdict(case: dict[str, Any]) -> None:
    store = holding(terms().quads)
    text = f"comparison:a a lenkg:Comparison . {case['facts']}"
    store.extend(ox.Quad(*triple) for triple in turtle(text))
    found = {t.predicate.value.rpartition("/")[2]: t.object.value for t in evaluate(RULE, store)}
    assert found == {
        "verdict": prefixes()["verdict"] + case["verdict"],
        "verdictRule": case["rule"],
    }


def test_every_comparison_has_one_verdict_by_one_rule(graph: Graph) -> None:
    rows = graph.rows(f"""
        PREFIX lenkg: <{VOCABULARY}>
        SELECT ?comparison (COUNT(DISTINCT ?verdict) AS ?verdicts) (COUNT(DISTINCT ?rule) AS ?rules)
        WHERE {{
          ?comparison a lenkg:Comparison .
          OPTIONAL {{ ?comparison lenkg:verdict ?verdict }}
          OPTIONAL {{ ?comparison lenkg:verdictRule ?rule }}
        }} GROUP BY ?comparison
    """)
    counts = {(row["verdicts"], row["rules"]) for row in rows}
    assert counts == {(1, 1)}
