"""The ontology as the code needs it: addresses, kinds, and the words of the context."""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pyoxigraph as ox

ROOT = Path(__file__).resolve().parents[1]
ONTOLOGY = ROOT / "ontology"
FACTS = ROOT / "kg" / "facts"
QUERIES = ROOT / "queries"

BASE = "https://w3id.org/lenkg/"
VOCABULARY = BASE + "ontology/"
RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
RDFS = "http://www.w3.org/2000/01/rdf-schema#"
SKOS = "http://www.w3.org/2004/02/skos/core#"
OWL = "http://www.w3.org/2002/07/owl#"
XSD = "http://www.w3.org/2001/XMLSchema#"

SLUG = re.compile(r"[a-z0-9]+(?:[.-][a-z0-9]+)*")
ADDRESS = re.compile(rf"([a-z]+(?:-[a-z]+)*)/({SLUG.pattern})")


def iri(name: str) -> ox.NamedNode:
    """The term of our vocabulary with this local name."""
    return ox.NamedNode(VOCABULARY + name)


def graph(name: str) -> ox.NamedNode:
    """The named graph with this name: ontology, shortcuts, dataset, or a source's folder."""
    return ox.NamedNode(f"{BASE}graph/{name}")


def nearest(name: str, known: Iterable[str], most: int = 3) -> list[str]:
    """The known names that look most like `name`, best first, compared without case."""
    folded = {candidate.casefold(): candidate for candidate in known}
    found = difflib.get_close_matches(name.casefold(), folded, n=most, cutoff=0.6)
    return [folded[match] for match in found]


def hint(name: str, known: Iterable[str]) -> str:
    """` (did you mean '…'?)` with the known name that looks most like `name`, if any does."""
    found = nearest(name, known, most=1)
    return f" (did you mean '{found[0]}'?)" if found else ""


@dataclass(frozen=True)
class Terms:
    """What the code reads from ontology/lenkg.ttl.

    classes: kind of address -> class; kinds: class -> kind of address;
    ranges: property -> class of its values; named_by: class -> the property whose
    value completes the address of a nested record that is written without one.
    """

    quads: tuple[ox.Quad, ...]
    classes: dict[str, str]
    kinds: dict[str, str]
    ranges: dict[str, str]
    named_by: dict[str, str]


@cache
def terms() -> Terms:
    """The ontology, read once."""
    quads = tuple(ox.parse(path=ONTOLOGY / "lenkg.ttl", format=ox.RdfFormat.TURTLE))
    pairs: dict[str, dict[str, str]] = {"kind": {}, "namedBy": {}, "range": {}}
    for quad in quads:
        name = quad.predicate.value.removeprefix(VOCABULARY).removeprefix(RDFS)
        if name in pairs and isinstance(quad.subject, ox.NamedNode):
            pairs[name][quad.subject.value] = quad.object.value
    return Terms(
        quads=tuple(ox.Quad(q.subject, q.predicate, q.object, graph("ontology")) for q in quads),
        classes={kind: name for name, kind in pairs["kind"].items()},
        kinds=pairs["kind"],
        ranges=pairs["range"],
        named_by=pairs["namedBy"],
    )


@dataclass(frozen=True)
class Word:
    """One key of the context: the property it stands for and how its values are read.

    link: the values are addresses; base: what a slug is appended to; vocabulary: a value
    that is itself a key would be read as that key (JSON-LD 1.1, section 5.2 IRI expansion).
    """

    key: str
    property: str
    link: bool = False
    base: str | None = None
    vocabulary: bool = False


ID = Word("id", "@id", True)


def context(source: Path | None = None) -> dict[str, Any]:
    """The JSON-LD context of curated files; with a source's folder, its own words too."""
    paths = [ONTOLOGY / "context.jsonld"]
    if source is not None:
        paths.append(source / "context.jsonld")
    merged: dict[str, Any] = {}
    for path in paths:
        merged |= json.loads(path.read_text(encoding="utf-8"))["@context"]
    return merged


def words(context_: dict[str, Any]) -> dict[str, Word]:
    """The keys that a curator may write, by name."""
    prefixes = {k: v for k, v in context_.items() if isinstance(v, str) and not k.startswith("@")}
    result = {"type": Word("type", RDF + "type", True, VOCABULARY), "id": ID}
    for key, definition in context_.items():
        if not isinstance(definition, dict):
            continue
        scoped = definition.get("@context", {})
        type_ = definition.get("@type")
        result[key] = Word(
            key=key,
            property=_expand(definition["@id"], prefixes),
            link=type_ in ("@id", "@vocab"),
            base=scoped.get("@base") or scoped.get("@vocab"),
            vocabulary=type_ == "@vocab",
        )
    return result


def _expand(name: str, prefixes: dict[str, str]) -> str:
    prefix, colon, local = name.partition(":")
    return prefixes[prefix] + local if colon and prefix in prefixes else name


def sources(root: Path = FACTS) -> list[Path]:
    """The folders of curated facts, one a source."""
    return sorted(path for path in root.iterdir() if path.is_dir())


@cache
def prefixes() -> dict[str, str]:
    """The prefixes of every query and export: one for each kind of address, and the standards'."""
    own = {kind: f"{BASE}{kind}/" for kind in sorted(terms().classes)}
    return own | {
        "lenkg": VOCABULARY,
        "graph": BASE + "graph/",
        "rdf": RDF,
        "rdfs": RDFS,
        "skos": SKOS,
        "xsd": XSD,
        "owl": OWL,
        "prov": "http://www.w3.org/ns/prov#",
        "dcterms": "http://purl.org/dc/terms/",
        "void": "http://rdfs.org/ns/void#",
        "sd": "http://www.w3.org/ns/sparql-service-description#",
    }
