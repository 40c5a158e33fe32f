"""What a SPARQL endpoint offers, in the vocabulary of SPARQL 1.1 Service Description."""

from __future__ import annotations

from collections.abc import Iterator

import pyoxigraph as ox

from kg.results import serialised
from kg.store import Snapshot
from kg.terms import RDF, XSD, prefixes

# https://www.w3.org/ns/formats/
FORMATS = (
    "SPARQL_Results_JSON",
    "SPARQL_Results_XML",
    "SPARQL_Results_CSV",
    "SPARQL_Results_TSV",
    "Turtle",
    "N-Triples",
    "JSON-LD",
    "RDF_XML",
)


def described(snapshot: Snapshot, endpoint: str, media_type: str) -> bytes:
    """The description of the service at the address `endpoint`, as one of kg.store.TRIPLES."""
    return serialised(list(_triples(snapshot, endpoint)), media_type)


def _triples(snapshot: Snapshot, endpoint: str) -> Iterator[ox.Triple]:
    def say(subject: str, property_: str, value: str | int) -> ox.Triple:
        term = (
            ox.Literal(str(value), datatype=ox.NamedNode(XSD + "integer"))
            if isinstance(value, int)
            else ox.NamedNode(value)
        )
        return ox.Triple(ox.NamedNode(subject), ox.NamedNode(property_), term)

    service, dataset, default = (f"{endpoint}#{name}" for name in ("service", "dataset", "default"))
    void, sd = prefixes()["void"], prefixes()["sd"]
    yield say(service, RDF + "type", sd + "Service")
    yield say(service, sd + "endpoint", endpoint)
    yield say(service, sd + "supportedLanguage", sd + "SPARQL11Query")
    yield say(service, sd + "feature", sd + "UnionDefaultGraph")
    yield say(service, sd + "defaultEntailmentRegime", "http://www.w3.org/ns/entailment/Simple")
    for name in FORMATS:
        yield say(service, sd + "resultFormat", f"http://www.w3.org/ns/formats/{name}")
    yield say(service, sd + "defaultDataset", dataset)
    yield say(dataset, RDF + "type", sd + "Dataset")
    yield say(dataset, sd + "defaultGraph", default)
    yield say(default, RDF + "type", sd + "Graph")
    yield say(default, void + "triples", int(snapshot.manifest["quads"]))
    for number, (name, count) in enumerate(snapshot.manifest["graphs"].items(), 1):
        named, graph = f"{dataset}-{number}", f"{endpoint}#graph-{number}"
        yield say(dataset, sd + "namedGraph", named)
        yield say(named, RDF + "type", sd + "NamedGraph")
        yield say(named, sd + "name", name)
        yield say(named, sd + "graph", graph)
        yield say(graph, RDF + "type", sd + "Graph")
        yield say(graph, void + "triples", int(count))
