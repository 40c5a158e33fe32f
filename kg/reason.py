"""Ontology and facts -> what follows from them, in a graph of its own.

The reasoner (kg/owl.py) says which defined classes a record belongs to and which values
follow. The rules of ontology/closed-world/ add to its premises what an open world leaves open;
those of ontology/hierarchy/ then carry everything up to the wider classes and properties.
Places and statements are no premises: a source may contradict itself while the graph does not.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from importlib.metadata import version
from pathlib import Path

import pyoxigraph as ox

from kg.errors import ReasonerError
from kg.files import put
from kg.rq import canonical, evaluate, holding, rules
from kg.terms import OWL, RDF, RDFS, XSD, graph

CHARACTERISTICS = (OWL + "AsymmetricProperty", OWL + "InverseFunctionalProperty")


def reason(
    quads: Iterable[ox.Quad],
    cache: Path,
    place: Callable[[str, str, str], str] = lambda *_: "kg/facts",
) -> list[ox.Quad]:
    """What follows from these quads and is not among them.

    The reasoner's result is kept in the folder `cache` under the hash of its premises, and
    taken from there when they come again. `place` tells the file and line of a fact, for the
    message of a clash. Raises ClashError where premises exclude each other, ReasonerError
    where the reasoner is needed and cannot be run.
    """
    quads = list(quads)
    store = holding(quads)
    premises = _premises(quads, store)
    kept = cache / f"{hashlib.sha256(version('owlready2').encode() + premises).hexdigest()[:16]}.nt"
    if not kept.is_file():
        # Imported here: Java and all that speaks with it are needed for new premises only.
        from kg.owl import conclusions, java

        try:
            machine = java()
        except ReasonerError as error:
            raise ReasonerError(
                f"{error}; or bring the result of the same facts from another machine, its file "
                f"{kept.name}, to {kept.parent}"
            ) from error
        put(kept, conclusions(premises, machine, place))
    name = graph("inferred")
    known = {(q.subject, q.predicate, q.object) for q in quads}
    try:
        for triple in ox.parse(path=kept):
            store.add(ox.Quad(triple.subject, triple.predicate, triple.object, name))
    except (SyntaxError, UnicodeDecodeError) as error:
        raise ReasonerError(f"{kept} is damaged ({error}); delete it and build again") from error
    for path in rules("hierarchy"):
        derived = list(evaluate(path.read_text(encoding="utf-8"), store))
        store.extend(ox.Quad(t.subject, t.predicate, t.object, name) for t in derived)
    return [
        quad
        for quad in store.quads_for_pattern(None, None, None, name)
        if (quad.subject, quad.predicate, quad.object) not in known
    ]


def _premises(quads: list[ox.Quad], store: ox.Store) -> bytes:
    """What the reasoner is given, as canonical N-Triples.

    The axioms of the ontology; of the facts those whose property stands in an axiom, with
    the classes of what they link.
    """
    triples = {ox.Triple(q.subject, q.predicate, q.object) for q in quads if _is_axiom(q)}
    used = {t.object for t in triples if t.predicate.value == OWL + "onProperty"}
    used |= {t.subject for t in triples if t.object.value in CHARACTERISTICS}  # type: ignore[union-attr]
    narrower = (t for t in triples if t.predicate.value == RDFS + "subPropertyOf")
    used |= {t.subject for t in narrower if t.object in used}
    linked = [q for q in quads if q.predicate in used]
    ends = {end for q in linked for end in (q.subject, q.object)}
    linked += [q for q in quads if q.predicate.value == RDF + "type" and q.subject in ends]
    triples.update(ox.Triple(q.subject, q.predicate, q.object) for q in linked)
    for path in rules("closed-world"):
        for triple in evaluate(path.read_text(encoding="utf-8"), store):
            value = triple.object
            if isinstance(value, ox.Literal):  # the engine knows no other whole number
                value = ox.Literal(value.value, datatype=ox.NamedNode(XSD + "nonNegativeInteger"))
            triples.add(ox.Triple(triple.subject, triple.predicate, value))
    return "".join(canonical(ox.Quad(*triple) for triple in triples)).encode()


def _is_axiom(quad: ox.Quad) -> bool:
    """Whether a quad of the ontology is more than a remark for people."""
    return quad.graph_name == graph("ontology") and (
        quad.predicate.value.startswith(
            (OWL, RDF, XSD, RDFS + "sub", RDFS + "domain", RDFS + "range")
        )
    )
