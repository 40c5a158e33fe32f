"""One address -> what the graph says of it, in the words of the context.

A record comes with what belongs to it: its statements, the phases of a strategy, the
conditions of a rule; a defined class comes with its definition. The rest are links.
"""

from __future__ import annotations

import json
import re
from functools import cache
from typing import Any

import pyoxigraph as ox
from pyld import jsonld

from kg.errors import UnknownNameError
from kg.question import Graph
from kg.terms import BASE, OWL, RDF, RDFS, VOCABULARY, context, nearest, sources, terms

PARTS = ("intersectionOf", "unionOf", "someValuesFrom", "withRestrictions")
DEFINED = (
    f"<{OWL}equivalentClass>/(<{RDF}first>|<{RDF}rest>|{'|'.join(f'<{OWL}{p}>' for p in PARTS)})*"
)
OWNED = ("hasStatement", "hasPhase", "hasCondition")


def address(graph: Graph, kind: str, slug: str) -> ox.NamedNode:
    """The address of what goes by `slug`, or by another name, among the things of a kind.

    Raises UnknownNameError with the nearest names where there is none.
    """
    known = [*terms().classes, "ontology"]
    if kind not in known:
        raise UnknownNameError(f"there is no kind '{kind[:80]}'", nearest(kind[:80], known))
    if re.fullmatch(r"[\w.-]+", slug, re.ASCII):
        node = ox.NamedNode(f"{BASE}{kind}/{slug}")
        if json.loads(graph.store.query(f"ASK {{ {node} ?p ?o }}")[1])["boolean"]:
            return node
    return ox.NamedNode(graph.names.resolve(kind, slug))


def about(graph: Graph, kind: str, slug: str, media_type: str) -> bytes:
    """The triples about `kind/slug`, serialised as one of kg.store.TRIPLES.

    JSON-LD is compacted with the context of the curated files (JSON-LD 1.1 Framing), so
    that it reads as plain JSON. Raises UnknownNameError where nothing has this address.
    """
    node = address(graph, kind, slug)
    owned = "|".join(f"<{VOCABULARY}{name}>" for name in OWNED)
    query = (
        f"CONSTRUCT {{ {node} ?p ?o . ?part ?q ?r }} WHERE {{ {{ {node} ?p ?o }} "
        f"UNION {{ {node} ({owned})+ ?part . ?part ?q ?r }} "
        f"UNION {{ {node} {DEFINED} ?part . ?part ?q ?r FILTER(ISBLANK(?part)) }} }}"
    )
    if media_type != "application/ld+json":
        return graph.store.query(query, media_type)[1]
    quads = graph.store.query(query, "application/n-triples")[1].decode()
    framed = jsonld.frame(
        jsonld.from_rdf(quads, {"format": "application/n-quads"}),
        {"@context": _context(), "@id": node.value},
        {"base": BASE, "omitGraph": True},
    )
    framed["@context"] = BASE + "context.jsonld"
    return json.dumps(framed, indent=2, ensure_ascii=False).encode()


@cache
def _context() -> dict[str, Any]:
    merged = context()
    for source in sources():
        merged |= context(source)
    return merged


def served_context() -> dict[str, Any]:
    """The context of the JSON-LD that `about` gives."""
    return {"@context": _context()}


def properties(graph: Graph, kind: str, slug: str) -> list[dict[str, Any]]:
    """What the graph says of `kind/slug`, by labels: property, value, and a link's address.

    What has no address of its own, such as the definition of a class, is left to `about`.
    """
    node = address(graph, kind, slug)
    label = f"<{RDFS}label>"
    text = (
        "SELECT DISTINCT ?property ?value ?link WHERE { "
        f"{node} ?p ?o . FILTER(!ISBLANK(?o) && ?p != <{VOCABULARY}flagList>) "
        f"OPTIONAL {{ ?p {label} ?named }} OPTIONAL {{ ?o {label} ?name }} "
        'BIND(COALESCE(?named, REPLACE(STR(?p), "^.*[/#]", "")) AS ?property) '
        "BIND(IF(isIRI(?o), STR(?o), ?none) AS ?link) "
        "BIND(COALESCE(?name, STR(?o)) AS ?value) } ORDER BY ?property ?value"
    )
    return list(graph.rows(text))
