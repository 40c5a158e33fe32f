"""Ontology and facts -> one immutable snapshot.

A snapshot is a folder named by the hash of its content: `lenkg.nq` (the quads in
RDFC-1.0 canonical form, sorted), the ontology as a page and as Turtle, the JSON-LD context,
and `manifest.json`. It is written aside
and moved into place, and `build/current` is switched to it in one step; two builds of the
same input give the same bytes.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable
from importlib.metadata import version
from pathlib import Path

import pyoxigraph as ox

from kg.audit import audit
from kg.check import check
from kg.document import document
from kg.errors import SnapshotError
from kg.read import read
from kg.reason import reason
from kg.resource import served_context
from kg.rq import canonical, evaluate, holding, rules
from kg.store import BUILD, Snapshot, current
from kg.terms import BASE, FACTS, ONTOLOGY, RDF, ROOT, XSD, graph, prefixes, terms

KEPT = 3  # snapshots; a running server may still start workers on an earlier one


def build(
    out: Path = BUILD,
    facts: Path = FACTS,
    progress: Callable[[str], None] = lambda _: None,
    again: bool = False,
) -> Snapshot:
    """The snapshot of the ontology and of all facts below `facts`, in the folder `out`.

    Where nothing has changed since the last build, that one is returned unless `again`.
    `progress` is told what is being done. Raises FaultsError with every fault of the facts;
    the last good snapshot then stays in place.
    """
    inputs = _inputs(facts)
    if not again and (last := _unchanged(out, inputs)):
        return last
    progress("reading the facts")
    found = read(facts)
    progress("checking the facts")
    check(found)
    quads = [*terms().quads, *found.quads]
    progress("reasoning")
    quads += reason(quads, out / "inferred", found.place)
    progress("building the graph")
    quads += _shortcuts(quads)
    progress("auditing the source")
    quads += audit(quads)
    quads += _description(quads)
    lines = canonical(quads)
    content = "".join(lines)
    name = hashlib.sha256(content.encode()).hexdigest()[:16]
    manifest = {
        "name": "LenKG",
        "release": version("lenkg"),
        "snapshot": name,
        "quads": len(lines),
        "graphs": dict(sorted(Counter(q.graph_name.value for q in quads).items())),  # type: ignore[union-attr]
        "inputs": inputs,
    }
    files = {
        "lenkg.nq": content,
        "ontology.html": document(quads),
        "ontology.ttl": (ONTOLOGY / "lenkg.ttl").read_text(encoding="utf-8"),
        "context.jsonld": json.dumps(served_context(), indent=2) + "\n",
        "manifest.json": json.dumps(manifest, indent=2) + "\n",
    }
    return _put(out, name, files)


def _inputs(facts: Path) -> dict[str, str]:
    """The hash of every file that the snapshot depends on, and the engine's version."""
    code = [
        ROOT / "kg" / f"{name}.py"
        for name in (
            "read",
            "mappings",
            "check",
            "reason",
            "resource",
            "owl",
            "audit",
            "document",
            "build",
            "rq",
            "terms",
        )
    ]
    paths = [p for p in ONTOLOGY.rglob("*") if p.is_file()]
    paths += [p for p in facts.rglob("*") if p.suffix in (".yaml", ".jsonld", ".tsv")] + code
    result = {
        (str(p.relative_to(ROOT)) if p.is_relative_to(ROOT) else str(p)): hashlib.sha256(
            p.read_bytes()
        ).hexdigest()
        for p in sorted(paths)
    }
    engines = {name: version(name) for name in ("lenkg", "ontospy", "owlready2", "pyoxigraph")}
    return result | engines


def _unchanged(out: Path, inputs: dict[str, str]) -> Snapshot | None:
    try:
        last = current(out)
        return last if last.manifest["inputs"] == inputs and last.quads.is_file() else None
    except (SnapshotError, ValueError, KeyError):
        return None


def _shortcuts(quads: Iterable[ox.Quad]) -> list[ox.Quad]:
    """What the rules of ontology/shortcuts/ derive, in a graph of its own.

    A rule may use what another derives, since they run again until nothing new comes; one
    that speaks of what is missing must not look at what another derives.
    """
    store, name = holding(quads), graph("shortcuts")
    derived: set[ox.Triple] = set()
    more = True
    while more:
        found: set[ox.Triple] = set()
        for path in rules("shortcuts"):
            found.update(evaluate(path.read_text(encoding="utf-8"), store))
        more = not found <= derived
        store.extend(ox.Quad(t.subject, t.predicate, t.object, name) for t in found - derived)
        derived |= found
    return [ox.Quad(t.subject, t.predicate, t.object, name) for t in derived]


def _description(quads: list[ox.Quad]) -> list[ox.Quad]:
    """The dataset described in VoID, in a graph of its own."""
    name, dataset = graph("dataset"), ox.NamedNode(BASE)
    void, dcterms = prefixes()["void"], prefixes()["dcterms"]
    statements: list[tuple[str, ox.NamedNode | ox.Literal]] = [
        (RDF + "type", ox.NamedNode(void + "Dataset")),
        (dcterms + "title", ox.Literal("Lenalidomide Evidence Knowledge Graph", language="en")),
        (dcterms + "license", ox.NamedNode("https://creativecommons.org/licenses/by/4.0/")),
        (dcterms + "source", ox.NamedNode("https://doi.org/10.3892/mco.2023.2705")),
        (void + "uriSpace", ox.Literal(BASE)),
        (void + "vocabulary", ox.NamedNode(BASE + "ontology/")),
        (void + "triples", ox.Literal(str(len(quads)), datatype=ox.NamedNode(XSD + "integer"))),
    ]
    return [ox.Quad(dataset, ox.NamedNode(p), o, name) for p, o in statements]


def _put(out: Path, name: str, files: dict[str, str]) -> Snapshot:
    """The snapshot written aside, then moved into place in one step; the oldest ones go."""
    snapshots = out / "snapshots"
    snapshots.mkdir(parents=True, exist_ok=True)
    aside = Path(tempfile.mkdtemp(prefix=".new-", dir=out))
    try:
        aside.chmod(0o755)
        for file, text in files.items():
            (aside / file).write_text(text, encoding="utf-8")
        target = snapshots / name
        if target.exists():
            for file in files:  # the manifest last: until then the next build begins again
                os.replace(aside / file, target / file)
        else:
            os.replace(aside, target)
        link = out / f".current-{os.getpid()}"
        link.symlink_to(Path("snapshots") / name)
        os.replace(link, out / "current")
        for old in sorted(snapshots.iterdir(), key=lambda p: p.stat().st_mtime_ns)[:-KEPT]:
            if old != target:
                shutil.rmtree(old)
    finally:
        shutil.rmtree(aside, ignore_errors=True)
    return Snapshot(target.resolve())
