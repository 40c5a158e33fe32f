"""Curated YAML -> RDF that knows its file and line.

YAML is read as text (no scalar is ever a number or a boolean) and is RDF through
the JSON-LD context: this is YAML-LD with text-only scalars. What the reader adds is
what the ontology says: the class that goes with the kind of an address, and the
address of a nested record that is named by one of its values.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyoxigraph as ox
import yaml

from kg.errors import Fault, FaultsError
from kg.mappings import read_mappings
from kg.terms import (
    ADDRESS,
    BASE,
    FACTS,
    ONTOLOGY,
    ROOT,
    SLUG,
    Terms,
    Word,
    context,
    graph,
    hint,
    sources,
    terms,
)
from kg.terms import words as context_words

YAML_TEXT = "tag:yaml.org,2002:str"


@dataclass
class Facts:
    """Curated facts: their quads, and where each was written.

    `lines` maps (subject), (subject, property) and (subject, property, object) to file:line.
    """

    quads: list[ox.Quad] = field(default_factory=list)
    lines: dict[tuple[str, ...], str] = field(default_factory=dict)

    def place(self, *key: str | None) -> str:
        """The file:line that fits best: of the value, else of the key, else of the record."""
        parts = [part for part in key if part]
        while parts:
            if line := self.lines.get(tuple(parts)):
                return line
            parts.pop()
        return "kg/facts"


def read(root: Path = FACTS) -> Facts:
    """All curated facts below `root`: a folder of .yaml files a source, and SSSOM tables.

    The ontology's own SSSOM table, which maps its terms, is read with them.

    Raises FaultsError with every mistake of form in every file: YAML syntax, unknown
    and doubled keys, empty values, malformed addresses, an address given twice.
    """
    facts, faults = Facts(), list[Fault]()
    for source in sources(root):
        merged = context(source)
        for path in sorted(source.rglob("*.yaml")):
            reader = _Reader(path, context_words(merged), facts.lines)
            records = reader.records()
            faults += reader.faults
            if not reader.faults:
                document = json.dumps({"@context": merged, "@graph": records})
                quads = ox.parse(document.encode(), format=ox.RdfFormat.JSON_LD)
                name = graph(source.name)
                facts.quads += [ox.Quad(q.subject, q.predicate, q.object, name) for q in quads]
    for path in [*sorted(ONTOLOGY.glob("*.sssom.tsv")), *sorted(root.glob("*.sssom.tsv"))]:
        name = graph(path.name.partition(".")[0])
        for line, item in read_mappings(path, _shown(path), name):
            if isinstance(item, Fault):
                faults.append(item)
            else:
                subject = item.subject.value  # type: ignore[union-attr]
                facts.quads.append(item)
                facts.lines.setdefault((subject, item.predicate.value), f"{_shown(path)}:{line}")
    if faults:
        raise FaultsError(faults)
    return facts


def _shown(path: Path) -> str:
    return str(path.relative_to(ROOT)) if path.is_relative_to(ROOT) else str(path)


class _Reader:
    """One file -> its records as JSON-LD trees; mistakes are collected in `faults`."""

    def __init__(self, path: Path, known: dict[str, Word], lines: dict[tuple[str, ...], str]):
        self.path = path
        self.words = known
        self.lines = lines
        self.faults: list[Fault] = []
        self.terms: Terms = terms()
        self.seen: set[int] = set()

    def records(self) -> list[dict[str, Any]]:
        try:
            text = self.path.read_text(encoding="utf-8")
            documents = list(yaml.compose_all(text, Loader=yaml.CBaseLoader))
        except UnicodeDecodeError as error:
            self.faults.append(Fault(f"{_shown(self.path)}:1", f"is not UTF-8 text ({error})"))
            return []
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            line = mark.line + 1 if mark else 1
            self.faults.append(
                Fault(f"{_shown(self.path)}:{line}", f"is not YAML: {error.problem}")
            )
            return []
        result = []
        for document in documents:
            for node in document.value if isinstance(document, yaml.SequenceNode) else [document]:
                if isinstance(node, yaml.MappingNode):
                    result.append(self.record(node, None, None))
                else:
                    self.fault(node, "a record is expected here: keys with values, first its id")
        return result

    def where(self, node: yaml.Node) -> str:
        return f"{_shown(self.path)}:{node.start_mark.line + 1}"

    def fault(self, node: yaml.Node, message: str) -> None:
        self.faults.append(Fault(self.where(node), message))

    def record(
        self, node: yaml.MappingNode, parent: str | None, word: Word | None
    ) -> dict[str, Any]:
        keys: dict[str, yaml.Node] = {}
        for key, value in node.value:
            if key.value in keys:
                self.fault(key, f"key '{key.value}' is given twice")
            keys[key.value] = value
        address = self.address(node, keys, parent, word)
        if address is None:
            return {}
        me = BASE + address
        if (me,) in self.lines:
            self.fault(node, f"{address} is described a second time; first in {self.lines[(me,)]}")
        self.lines[(me,)] = self.where(node)
        kind = address.partition("/")[0]
        tree: dict[str, Any] = {"id": address, "type": [self.terms.classes[kind]]}
        for key, value in node.value:
            if key.value == "id":
                continue
            known = self.words.get(key.value)
            if known is None:
                self.fault(key, f"unknown key '{key.value}'{hint(key.value, self.words)}")
                continue
            self.lines[(me, known.property)] = self.where(key)
            values = self.values(value, known, me)
            tree[key.value] = tree["type"] + values if key.value == "type" else values
        return tree

    def address(
        self,
        node: yaml.MappingNode,
        keys: dict[str, yaml.Node],
        parent: str | None,
        word: Word | None,
    ) -> str | None:
        if (given := keys.get("id")) is not None:
            match = ADDRESS.fullmatch(str(given.value))
            if not match:
                self.fault(
                    given, f"'{given.value}' is not an address; write kind/slug in lower case"
                )
                return None
            if match[1] not in self.terms.classes:
                near = hint(match[1], self.terms.classes)
                self.fault(given, f"unknown kind '{match[1]}' in '{given.value}'{near}")
                return None
            return match[0]
        class_ = self.terms.ranges.get(word.property) if word else None
        naming = self.terms.named_by.get(class_) if class_ else None
        for key, value in keys.items():
            known = self.words.get(key)
            if known and known.property == naming and isinstance(value, yaml.ScalarNode) and parent:
                own = parent.removeprefix(BASE).replace("/", "-")
                return f"{self.terms.kinds[str(class_)]}/{own}-{value.value}"
        if naming:
            key = next(k for k, w in self.words.items() if w.property == naming)
            self.fault(node, f"this record needs '{key}' with one value, which names it")
        else:
            self.fault(node, "this record needs an id: kind/slug")
        return None

    def values(self, node: yaml.Node, word: Word, subject: str) -> list[Any]:
        if id(node) in self.seen or node.tag.startswith("!") or _tagged(node):
            self.fault(node, "anchors, aliases and tags are not allowed: write the value out")
            return []
        self.seen.add(id(node))
        if isinstance(node, yaml.SequenceNode):
            if not node.value:
                self.fault(node, f"'{word.key}' has an empty list; leave the key out")
            return [item for part in node.value for item in self.values(part, word, subject)]
        if isinstance(node, yaml.MappingNode) and word.link:
            return [self.record(node, subject, word)]
        text = str(node.value)
        problem, target = self.scalar(node, text, word)
        if problem:
            self.fault(node, problem)
            return []
        self.lines[(subject, word.property, target)] = self.where(node)
        return [text]

    def scalar(self, node: yaml.Node, text: str, word: Word) -> tuple[str | None, str]:
        """What is wrong with a value, if anything, and the term or text it stands for."""
        if isinstance(node, yaml.MappingNode):
            return f"'{word.key}' takes a text or number, not a record", text
        if not text.strip():
            return f"'{word.key}' is empty; leave the key out", text
        return self.link(text, word) if word.link else (None, text)

    def link(self, text: str, word: Word) -> tuple[str | None, str]:
        """What is wrong with a link, if anything, and the address it stands for."""
        if word.key == "type":
            return None, str(word.base) + text
        if word.base is None:
            if not ADDRESS.fullmatch(text):
                return f"'{word.key}' takes kind/slug, not '{text}'", text
            return None, BASE + text
        if word.vocabulary and text in self.words:
            return f"'{text}' is a key of the context and cannot be a value of '{word.key}'", text
        if not SLUG.fullmatch(text):
            return f"'{text}' is not a slug: lower case, digits and hyphens", text
        return None, word.base + text


def _tagged(node: yaml.Node) -> bool:
    return isinstance(node, yaml.ScalarNode) and node.tag != YAML_TEXT


def records_of(quads: Iterable[ox.Quad]) -> set[str]:
    """The addresses of all things that are described."""
    return {quad.subject.value for quad in quads if isinstance(quad.subject, ox.NamedNode)}
