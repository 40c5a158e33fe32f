"""One address -> what the graph says of it, in the words of the context.

A record comes with what belongs to it: its statements, the phases of a strategy, the
conditions of a rule. The rest are links.
"""

from __future__ import annotations

import json
from functools import cache
from typing import Any

import pyoxigraph as ox
from pyld import jsonld

from kg.errors import UnknownNameError
from kg.question import Graph
from kg.store import rows_of
from kg.terms import BASE, FACTS, context, terms

OWNED = ("hasStatement", "hasPhase", "hasCondition")


def about(graph: Graph, kind: str, slug: str, media_type: str) -> bytes:
    """The triples about `kind/slug`, serialised as one of kg.store.TRIPLES.

    JSON-LD is compacted with the context of the curated files (JSON-LD 1.1 Framing), so
    that it reads as plain JSON. Raises UnknownNameError where nothing has this address.
    """
    if kind not in terms().classes and kind != "ontology":
        raise UnknownNameError(
            f"there is no kind '{kind}'; there are {', '.join(sorted(terms().classes))}"
        )
    address = ox.NamedNode(graph.names.resolve(kind, slug))
    owned = "|".join(f"<{BASE}ontology/{name}>" for name in OWNED)
    query = (
        f"CONSTRUCT {{ {address} ?p ?o . ?part ?q ?r }} WHERE {{ {{ {address} ?p ?o }} "
        f"UNION {{ {address} ({owned})+ ?part . ?part ?q ?r }} }}"
    )
    if media_type != "application/ld+json":
        return graph.store.query(query, media_type)[1]
    quads = graph.store.query(query, "application/n-triples")[1].decode()
    framed = jsonld.frame(
        jsonld.from_rdf(quads, {"format": "application/n-quads"}),
        {"@context": _context(), "@id": address.value},
        {"base": BASE, "omitGraph": True},
    )
    framed["@context"] = BASE + "context.jsonld"
    return json.dumps(framed, indent=2, ensure_ascii=False).encode()


@cache
def _context() -> dict[str, Any]:
    merged = context()
    for source in sorted(path for path in FACTS.iterdir() if path.is_dir()):
        merged |= context(source)
    return merged


def served_context() -> dict[str, Any]:
    """The context of the JSON-LD that `about` gives."""
    return {"@context": _context()}


def properties(graph: Graph, kind: str, slug: str) -> list[dict[str, Any]]:
    """What the graph says of `kind/slug`, by labels: property, value, and a link's address."""
    address = ox.NamedNode(graph.names.resolve(kind, slug))
    label = "<http://www.w3.org/2000/01/rdf-schema#label>"
    text = (
        "SELECT DISTINCT ?property ?value ?link WHERE { "
        f"{address} ?p ?o . ?p {label} ?property . "
        f"OPTIONAL {{ ?o {label} ?name }} BIND(IF(isIRI(?o), STR(?o), ?none) AS ?link) "
        "BIND(COALESCE(?name, STR(?o)) AS ?value) } ORDER BY ?property ?value"
    )
    return list(rows_of(graph.store.query(text)[1]))
