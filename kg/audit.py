"""The graph -> findings: where a source contradicts itself, its citations, or arithmetic.

One rule is one file of ontology/audit/. Its head (`#+` lines, YAML) says the rule in a
sentence, how much it matters and on what it rests; its SELECT gives `?key` (what names the
finding), `?record` (one row for each record that it concerns) and `?explanation`. The
engine's order of joins differs from run to run (0.02 s or 6 s for one rule), so a rule
that holds many things against many picks its pairs first, in a subselect.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import pyoxigraph as ox
import yaml

from kg.errors import RuleError
from kg.rq import evaluate, header, holding, rules
from kg.terms import BASE, RDF, RDFS, graph, iri

HEAD = ("rule", "severity", "basis")


@dataclass(frozen=True)
class Rule:
    """One audit rule: its name, its sentence, severity, basis, and its SELECT."""

    name: str
    rule: str
    severity: str
    basis: str
    query: str


def load(path: Path) -> Rule:
    """One rule file; RuleError with its name where the head is incomplete."""
    text = path.read_text(encoding="utf-8")
    try:
        head = header(text)
        return Rule(path.stem, head["rule"], head["severity"], head["basis"], text)
    except (yaml.YAMLError, KeyError, TypeError) as error:
        raise RuleError(f"{path}: the head needs {', '.join(HEAD)} in YAML ({error!r})") from error


def findings(rule: Rule, store: ox.Store) -> dict[str, tuple[str, list[str]]]:
    """What a rule finds in a store: key -> explanation and the addresses of the records."""
    found: dict[str, tuple[str, set[str]]] = {}
    for row in evaluate(rule.query, store):
        explanation = row["explanation"].value
        found.setdefault(row["key"].value, (explanation, set()))[1].add(row["record"].value)
    return {key: (text, sorted(records)) for key, (text, records) in found.items()}


def audit(quads: Iterable[ox.Quad]) -> list[ox.Quad]:
    """All findings in all quads, in a graph of their own, with the flags of the records.

    A record's flags are the explanations of what concerns it, its arm, study or population,
    those curated by hand too; findings of low severity are no flags.
    """
    store = holding(quads)
    name = graph("findings")
    result: list[ox.Quad] = []
    flags: dict[str, set[str]] = defaultdict(set)
    for path in rules("audit"):
        rule = load(path)
        for key, (explanation, records) in findings(rule, store).items():
            slug = re.sub(r"[^a-z0-9]+", "-", key.casefold()).strip("-")
            finding = ox.NamedNode(f"{BASE}finding/{rule.name}-{slug}")
            said: list[tuple[ox.NamedNode, ox.NamedNode | ox.Literal]] = [
                (ox.NamedNode(RDF + "type"), iri("Finding")),
                (ox.NamedNode(RDFS + "label"), ox.Literal(rule.rule, language="en")),
                (iri("rule"), ox.Literal(rule.name)),
                (iri("explanation"), ox.Literal(explanation, language="en")),
                (iri("severity"), ox.NamedNode(f"{BASE}severity/{rule.severity}")),
                (iri("basis"), ox.NamedNode(f"{BASE}finding-basis/{rule.basis}")),
                *((iri("concerns"), ox.NamedNode(record)) for record in records),
            ]
            result += [ox.Quad(finding, p, o, name) for p, o in said]
    store.extend(result)
    slight = ox.NamedNode(f"{BASE}severity/low")
    for quad in store.quads_for_pattern(None, iri("concerns"), None):
        if any(store.quads_for_pattern(quad.subject, iri("severity"), slight)):
            continue
        for text in store.quads_for_pattern(quad.subject, iri("explanation"), None):
            flags[quad.object.value].add(text.object.value)  # type: ignore[union-attr]
    for subject, texts in _inherited(store, flags):
        flags[subject] |= texts
    for record, texts in flags.items():
        node, listed = ox.NamedNode(record), ox.Literal(" ".join(sorted(texts)))
        result.append(ox.Quad(node, iri("flagList"), listed, name))
        result += [ox.Quad(node, iri("flag"), ox.Literal(text), name) for text in texts]
    return result


def _inherited(store: ox.Store, flags: dict[str, set[str]]) -> list[tuple[str, set[str]]]:
    """What results and comparisons inherit from the flags of their arm, study and population."""
    heirs = {
        quad.subject
        for name in ("ArmResult", "AdverseEventResult", "Comparison")
        for quad in store.quads_for_pattern(None, ox.NamedNode(RDF + "type"), iri(name))
    }
    return [
        (quad.subject.value, set(flags[quad.object.value]))  # type: ignore[union-attr]
        for name in ("ofArm", "ofStudy", "population")
        for quad in store.quads_for_pattern(None, iri(name), None)
        if quad.subject in heirs and quad.object.value in flags  # type: ignore[union-attr]
    ]
