"""The ontology is defined throughout, and at one with context and rules."""

from __future__ import annotations

import re
from collections import Counter

import pytest
import rdflib
from rdflib import DCTERMS, OWL, PROV, RDF, RDFS, SKOS, Graph, URIRef
from rdflib.plugins.sparql import prepareQuery

from kg.rq import rules
from kg.store import Snapshot
from kg.terms import (
    BASE,
    FACTS,
    ONTOLOGY,
    VOCABULARY,
    context,
    prefixes,
    sources,
    terms,
    words,
)

RULES = ("checks", "closed-world", "hierarchy", "shortcuts")

# OWL 2 datatype map, https://www.w3.org/TR/owl2-syntax/#Datatype_Maps, as far as it is used
DATATYPES = {rdflib.XSD.string, rdflib.XSD.integer, rdflib.XSD.decimal, rdflib.XSD.boolean}


@pytest.fixture(scope="module")
def ontology() -> Graph:
    return Graph().parse(ONTOLOGY / "lenkg.ttl", format="turtle")


def of_type(ontology: Graph, *types: URIRef) -> set[URIRef]:
    return {s for t in types for s in ontology.subjects(RDF.type, t) if isinstance(s, URIRef)}


def test_ranges_fit_their_properties(ontology: Graph) -> None:
    classes = of_type(ontology, OWL.Class)
    for name in of_type(ontology, OWL.ObjectProperty):
        assert set(ontology.objects(name, RDFS.range)) <= classes
    for name in of_type(ontology, OWL.DatatypeProperty):
        assert set(ontology.objects(name, RDFS.range)) <= DATATYPES
    for _, parent in ontology.subject_objects(RDFS.subClassOf):
        assert parent in classes


def test_every_term_has_one_label_and_a_definition(ontology: Graph) -> None:
    own = [s for s in set(ontology.subjects()) if str(s).startswith(BASE)]
    own = [s for s in own if s != URIRef(VOCABULARY)]
    assert len(own) > 400
    for term in own:
        assert len(list(ontology.objects(term, RDFS.label))) == 1, term
        assert len(list(ontology.objects(term, SKOS.definition))) == 1, term


def test_labels_are_unique_among_classes_and_among_properties(ontology: Graph) -> None:
    properties = (OWL.ObjectProperty, OWL.DatatypeProperty, OWL.AnnotationProperty)
    for kinds in ((OWL.Class,), properties):
        labels = Counter(
            str(ontology.value(s, RDFS.label)) for s in of_type(ontology, *kinds) if BASE in s
        )
        assert [label for label, n in labels.items() if n > 1] == []


def test_controlled_values_are_of_one_controlled_class(ontology: Graph) -> None:
    controlled = set(
        ontology.transitive_subjects(RDFS.subClassOf, URIRef(VOCABULARY + "ControlledValue"))
    )
    values = of_type(ontology, OWL.NamedIndividual)
    assert len(values) > 200
    for value in values:
        classes = set(ontology.objects(value, RDF.type)) - {OWL.NamedIndividual}
        assert len(classes) == 1 and classes <= controlled, value


def test_the_header_says_version_licence_and_name(ontology: Graph) -> None:
    header = URIRef(VOCABULARY)
    for name in (
        OWL.versionIRI,
        rdflib.DCTERMS.license,
        rdflib.DCTERMS.title,
        rdflib.DCTERMS.creator,
    ):
        assert ontology.value(header, name), name


def test_every_word_of_the_context_is_a_property(ontology: Graph) -> None:
    properties = of_type(ontology, OWL.ObjectProperty, OWL.DatatypeProperty)
    known = {str(p) for p in properties} | {
        str(RDFS.label),
        str(SKOS.altLabel),
        str(SKOS.definition),
    }
    for source in sources():
        for word in words(context(source)).values():
            if word.key not in ("id", "type"):
                assert word.property in known, word.key


def test_every_property_can_be_written_or_is_derived(ontology: Graph) -> None:
    """What no curator writes is derived, or says something of a controlled value."""
    written = {w.property for w in words(context(FACTS / "zhang-2023")).values()}
    controlled = URIRef(VOCABULARY + "ControlledValue")
    for term in of_type(ontology, OWL.ObjectProperty, OWL.DatatypeProperty):
        if str(term).startswith(VOCABULARY) and str(term) not in written:
            definition = str(ontology.value(term, SKOS.definition))
            of_values = (ontology.value(term, RDFS.domain), RDFS.subClassOf, controlled) in ontology
            assert definition.endswith("Derived.") or of_values, term


def test_every_kind_is_one_word_of_an_address() -> None:
    assert len(terms().classes) == len(terms().kinds)
    for kind in terms().classes:
        assert re.fullmatch(r"[a-z]+(-[a-z]+)*", kind)
        assert prefixes()[kind] == f"{BASE}{kind}/"


@pytest.mark.parametrize(
    "path", [path for folder in RULES for path in rules(folder)], ids=lambda p: p.stem
)
def test_a_rule_begins_with_itself_in_english(path) -> None:  # type: ignore[no-untyped-def]
    first, _, query = path.read_text(encoding="utf-8").partition("\n")
    assert re.fullmatch(r"# [A-Z].{20,}\.", first)
    prepareQuery(query, initNs=prefixes())


def test_the_shapes_speak_in_sentences() -> None:
    shapes = Graph().parse(ONTOLOGY / "shapes.ttl", format="turtle")
    messages = list(shapes.objects(None, rdflib.SH.message))
    assert len(messages) > 50
    assert all(re.fullmatch(r"[A-Z].*[.…~)]", str(message)) for message in messages)
    for target in shapes.objects(None, rdflib.SH.targetClass):
        assert str(target) in {s.subject.value for s in terms().quads}  # type: ignore[union-attr]


def test_every_class_has_records_or_awaits_them(snapshot: Snapshot, ontology: Graph) -> None:
    """Classes without a record yet are those of the sections that are still to be curated."""
    used = set(re.findall(rf"<{VOCABULARY}(\w+)>", snapshot.quads.read_text(encoding="utf-8")))
    for term in of_type(ontology, OWL.Class):
        assert term.removeprefix(VOCABULARY) in used or not term.startswith(VOCABULARY)


# Terms for which the first source has nothing to say; the next may.
AWAITING = {"includesStudy", "mrdThreshold", "mrdAssay"}


def test_every_property_is_used_or_awaits_a_source(snapshot: Snapshot, ontology: Graph) -> None:
    quads = snapshot.quads.read_text(encoding="utf-8")
    used = set(re.findall(rf"^\S+ <{VOCABULARY}(\w+)> ", quads, re.MULTILINE))
    own = {
        term.removeprefix(VOCABULARY)
        for term in of_type(ontology, OWL.ObjectProperty, OWL.DatatypeProperty)
        if term.startswith(VOCABULARY)
    }
    assert own - used == AWAITING


@pytest.mark.parametrize("relation", [RDFS.subClassOf, RDFS.subPropertyOf])
def test_nothing_is_wider_than_itself(ontology: Graph, relation: URIRef) -> None:
    for term, parent in ontology.subject_objects(relation):
        assert term not in ontology.transitive_objects(parent, relation)


def test_only_what_is_also_a_prov_entity_has_two_parents(ontology: Graph) -> None:
    """A class with two parents of our own would be a surprise; the reasoner finds the others."""
    for term in of_type(ontology, OWL.Class):
        parents = set(ontology.objects(term, RDFS.subClassOf))
        assert len(parents - {PROV.Entity}) <= 1, term


def test_what_is_deprecated_is_replaced_and_not_used(snapshot: Snapshot, ontology: Graph) -> None:
    quads = snapshot.quads.read_text(encoding="utf-8")
    for term in ontology.subjects(OWL.deprecated):
        assert ontology.value(term, DCTERMS.isReplacedBy), term
        assert not re.search(rf"^\S+ <{term}> |^\S+ \S+ <{term}> ", quads, re.MULTILINE), term
