"""Facts -> every fault in them, each with its file and line.

First the rules of ontology/checks/ (one a file, a row is a fault), then the shapes of
ontology/shapes.ttl (what a complete record holds).
"""

from __future__ import annotations

import logging

import pyoxigraph as ox

from kg.errors import Fault, FaultsError
from kg.read import Facts, records_of
from kg.rq import evaluate, holding, rules
from kg.terms import BASE, ONTOLOGY, hint, terms


def check(facts: Facts) -> None:
    """Raises FaultsError with all faults at once; returns where there are none."""
    quads = [*terms().quads, *facts.quads]
    if faults := _broken_rules(quads, facts) + _incomplete_records(quads, facts):
        raise FaultsError(faults)


def _broken_rules(quads: list[ox.Quad], facts: Facts) -> list[Fault]:
    store, known = holding(quads), records_of(quads)
    faults = []
    for path in rules("checks"):
        for row in evaluate(path.read_text(encoding="utf-8"), store):
            record, property_, value = row["record"], row["property"], row["value"]
            message = row["message"].value
            if path.stem == "dangling-reference":
                kind, _, slug = value.value.rpartition("/")
                same = [k.rpartition("/")[2] for k in known if k.startswith(kind + "/")]
                message += hint(slug, same)
            place = facts.place(record.value, property_.value, value.value)
            if not record.value.startswith(BASE) or place == "kg/facts":
                place = "ontology/lenkg.ttl"
            faults.append(Fault(place, message))
    return faults


def _incomplete_records(quads: list[ox.Quad], facts: Facts) -> list[Fault]:
    # Imported here: the command line must start without rdflib and pySHACL.
    import pyshacl
    import rdflib

    # rdflib logs each ill-typed figure with a stack trace; checks/wrong-datatype.rq names them.
    logging.getLogger("rdflib.term").setLevel(logging.ERROR)
    sh = rdflib.Namespace("http://www.w3.org/ns/shacl#")
    data = rdflib.Graph()
    triples = [ox.Triple(q.subject, q.predicate, q.object) for q in quads]
    data.parse(data=ox.serialize(triples, format=ox.RdfFormat.N_TRIPLES), format="nt")
    shapes = rdflib.Graph().parse(ONTOLOGY / "shapes.ttl", format="turtle")
    conforms, report, text = pyshacl.validate(data, shacl_graph=shapes, inference="none")
    if not isinstance(report, rdflib.Graph):
        raise RuntimeError(f"the shapes cannot be used: {text}")
    faults = []
    for result in report.subjects(rdflib.RDF.type, sh.ValidationResult):
        record = str(report.value(result, sh.focusNode))
        path = report.value(result, sh.resultPath)
        value = report.value(result, sh.value)
        shown = str(value).removeprefix(BASE)
        message = str(report.value(result, sh.resultMessage))
        if isinstance(value, rdflib.Literal):
            message += f" ({shown})"
        place = facts.place(record, str(path) if path else None, str(value) if value else None)
        faults.append(Fault(place, f"{record.removeprefix(BASE)}: {message}"))
    assert conforms == (not faults)
    return faults
