"""The graph -> findings: where a source contradicts itself, its citations, or arithmetic.

One rule is one file of ontology/audit/. Its head (`#+` lines, YAML) says the rule in a
sentence, how much it matters, how sure it is and on what it rests; its SELECT gives `?key`
(what names the finding), `?record` (one row for each record that it concerns), `?explanation`
and, where it can tell, `?instead` (what to use in place). The engine's order of joins differs
from run to run (0.02 s or 6 s for one rule), so a rule that holds many things against many
picks its pairs first, in a subselect.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyoxigraph as ox
import yaml

from kg.errors import RuleError
from kg.rq import evaluate, header, holding, rules
from kg.terms import BASE, RDF, RDFS, graph, iri

Said = tuple[Any, ox.NamedNode, Any]
HEAD = ("rule", "severity", "certainty", "basis")


@dataclass(frozen=True)
class Rule:
    """One audit rule: its name, its sentence, severity, certainty, basis, and its SELECT."""

    name: str
    rule: str
    severity: str
    certainty: str
    basis: str
    query: str


@dataclass
class Found:
    """What a rule found: why it clashes, what to use instead, if anything, and the records."""

    explanation: str
    instead: str | None
    records: set[str] = field(default_factory=set)


def load(path: Path) -> Rule:
    """One rule file; RuleError with its name where the head is incomplete."""
    text = path.read_text(encoding="utf-8")
    try:
        head = header(text)
        rule, severity, certainty, basis = (head[key] for key in HEAD)
        return Rule(path.stem, rule, severity, certainty, basis, text)
    except (yaml.YAMLError, KeyError, TypeError) as error:
        raise RuleError(f"{path}: the head needs {', '.join(HEAD)} in YAML ({error!r})") from error


def findings(rule: Rule, store: ox.Store) -> dict[str, Found]:
    """What a rule finds in a store, by its key."""
    found: dict[str, Found] = {}
    for row in evaluate(rule.query, store):
        told = row["instead"] and row["instead"].value
        one = found.setdefault(row["key"].value, Found(row["explanation"].value, told))
        one.records.add(row["record"].value)
    return found


def audit(quads: Iterable[ox.Quad]) -> list[ox.Quad]:
    """All findings in all quads, in a graph of their own, with the statements and the flags.

    A finding involves the statements of its records, those at its places where it names places.
    A record's flags tell what concerns it and, unless that is of low severity, what concerns
    its arm, study or population; findings by reading count as those by rule.
    """
    store = holding(quads)
    name = graph("findings")
    for path in rules("audit"):
        rule = load(path)
        for key, found in findings(rule, store).items():
            store.extend(ox.Quad(*triple, name) for triple in _described(rule, key, found))
    store.extend([ox.Quad(*triple, name) for triple in _involved(store)])
    for record, flags in _flags(store).items():
        node, listed = ox.NamedNode(record), ox.Literal(" ".join(sorted(flags)))
        store.add(ox.Quad(node, iri("flagList"), listed, name))
        store.extend(ox.Quad(node, iri("flag"), ox.Literal(flag), name) for flag in flags)
    return list(store.quads_for_pattern(None, None, None, name))


def _described(rule: Rule, key: str, found: Found) -> Iterator[Said]:
    slug = re.sub(r"[^a-z0-9]+", "-", key.casefold()).strip("-")
    finding = ox.NamedNode(f"{BASE}finding/{rule.name}-{slug}")
    yield finding, ox.NamedNode(RDF + "type"), iri("Finding")
    yield finding, ox.NamedNode(RDFS + "label"), ox.Literal(rule.rule, language="en")
    yield finding, iri("rule"), ox.Literal(rule.name)
    yield finding, iri("explanation"), ox.Literal(found.explanation, language="en")
    yield finding, iri("severity"), ox.NamedNode(f"{BASE}severity/{rule.severity}")
    yield finding, iri("certainty"), ox.NamedNode(f"{BASE}certainty/{rule.certainty}")
    yield finding, iri("basis"), ox.NamedNode(f"{BASE}finding-basis/{rule.basis}")
    if found.instead:
        yield finding, iri("instead"), ox.Literal(found.instead, language="en")
    for record in found.records:
        yield finding, iri("concerns"), ox.NamedNode(record)


def _involved(store: ox.Store) -> Iterator[Said]:
    for finding, record in _links(store, "concerns"):
        places = set(_objects(store, finding, "foundAt"))
        for statement in _objects(store, record, "hasStatement"):
            if not places or places & set(_objects(store, statement, "statedIn")):
                yield finding, iri("involves"), statement


def _flags(store: ox.Store) -> dict[str, set[str]]:
    """The flags of each record: explanation, what to use instead, severity and address."""
    flags: dict[str, set[str]] = defaultdict(set)
    inherited: dict[str, set[str]] = defaultdict(set)
    for finding, record in _links(store, "concerns"):
        said = [text.value for text in _objects(store, finding, "explanation")]
        said += [text.value for text in _objects(store, finding, "instead")]
        (severity,) = (s.value.rpartition("/")[2] for s in _objects(store, finding, "severity"))
        flag = f"{' '.join(said)} [{severity}: {finding.value.removeprefix(BASE)}]"
        flags[record.value].add(flag)
        if severity != "low":
            inherited[record.value].add(flag)
    heirs = {iri(name) for name in ("ArmResult", "AdverseEventResult", "Comparison")}
    for property_ in ("ofArm", "ofStudy", "population"):
        for record, whole in _links(store, property_):
            if heirs & set(_objects(store, record, RDF + "type")):
                flags[record.value] |= inherited.get(whole.value, set())
    return {record: texts for record, texts in flags.items() if texts}


def _links(store: ox.Store, property_: str) -> list[tuple[Any, Any]]:
    return [(q.subject, q.object) for q in store.quads_for_pattern(None, iri(property_), None)]


def _objects(store: ox.Store, subject: Any, property_: str) -> list[Any]:
    name = ox.NamedNode(property_) if ":" in property_ else iri(property_)
    return [quad.object for quad in store.quads_for_pattern(subject, name, None)]
