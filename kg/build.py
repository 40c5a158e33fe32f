"""Ontology and facts -> one immutable snapshot.

A snapshot is a folder named by the hash of its content: `lenkg.nq` (the quads in
RDFC-1.0 canonical form, sorted), the ontology as a page and as Turtle, the JSON-LD context,
and `manifest.json`. It is written aside
and moved into place, and `build/current` is switched to it in one step; two builds of the
same input give the same bytes.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
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

IN_MEMORY = 2_000_000  # quads up to which a server loads a snapshot
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
    files = {
        "ontology.html": document(quads),
        "ontology.ttl": (ONTOLOGY / "lenkg.ttl").read_text(encoding="utf-8"),
        "context.jsonld": json.dumps(served_context(), indent=2) + "\n",
    }
    return pack(out, canonical(quads), files, inputs)


def pack(
    out: Path, lines: Iterable[str], files: Mapping[str, str], inputs: Mapping[str, str]
) -> Snapshot:
    """The snapshot of these quads, put into the folder `out` in one step and made its current one.

    `lines` are sorted lines of canonical N-Quads, `files` what is served beside them, `inputs`
    the hashes of what all this comes from. Above IN_MEMORY quads the engine's own files are
    prepared, too. Killed at any moment, the last snapshot stays; the next call tidies up.
    """
    (out / "snapshots").mkdir(parents=True, exist_ok=True)
    with _alone(out):
        for left in [*out.glob(".new-*"), *out.glob(".current-*")]:
            shutil.rmtree(left) if left.is_dir() and not left.is_symlink() else left.unlink()
        aside = Path(tempfile.mkdtemp(prefix=".new-", dir=out))
        try:
            return _put(out, aside, lines, dict(files), inputs)
        finally:
            shutil.rmtree(aside, ignore_errors=True)


@contextmanager
def _alone(out: Path) -> Iterator[None]:
    """Waits until no other process puts a snapshot into this folder; the kernel frees the lock."""
    with (out / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


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


def _put(
    out: Path, aside: Path, lines: Iterable[str], files: dict[str, str], inputs: Mapping[str, str]
) -> Snapshot:
    aside.chmod(0o755)
    new, content, graphs = Snapshot(aside), hashlib.sha256(), Counter[str]()
    with new.quads.open("w", encoding="utf-8") as file:
        for line in lines:
            file.write(line)
            content.update(line.encode())
            graphs[line.rsplit(None, 2)[1][1:-1]] += 1
    if graphs.total() > IN_MEMORY:
        store = ox.Store(str(new.store))
        store.bulk_load(path=str(new.quads), format=ox.RdfFormat.N_QUADS)
        store.optimize()
        del store
    name = content.hexdigest()[:16]
    manifest = {
        "name": "LenKG",
        "release": version("lenkg"),
        "snapshot": name,
        "quads": graphs.total(),
        "graphs": dict(sorted(graphs.items())),
        "inputs": inputs,
    }
    files["manifest.json"] = json.dumps(manifest, indent=2) + "\n"
    for file_name, text in files.items():
        (aside / file_name).write_text(text, encoding="utf-8")
    target = out / "snapshots" / name
    if target.exists():  # the quads are there; the manifest last, so that a next build begins again
        for file_name in files:
            os.replace(aside / file_name, target / file_name)
    else:
        os.replace(aside, target)
    link = out / f".current-{os.getpid()}"
    link.symlink_to(Path("snapshots") / name)
    os.replace(link, out / "current")
    for old in sorted(target.parent.iterdir(), key=lambda p: p.stat().st_mtime_ns)[:-KEPT]:
        if old != target:
            shutil.rmtree(old)
    return Snapshot(target.resolve())
