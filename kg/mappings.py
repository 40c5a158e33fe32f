"""SSSOM tables -> links from our things to the same things elsewhere.

A table follows the Simple Standard for Sharing Ontological Mappings (SSSOM/TSV): a head of
`#` lines in YAML with the prefixes (`curie_map`), then columns. A row becomes one SKOS link,
whose strength is the row's predicate; never `owl:sameAs`.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyoxigraph as ox
import yaml

from kg.errors import Fault
from kg.terms import SKOS, prefixes

STRENGTHS = ("skos:exactMatch", "skos:closeMatch", "skos:broadMatch", "skos:narrowMatch")
COLUMNS = ("subject_id", "predicate_id", "object_id", "mapping_justification")


def read_table(path: Path) -> tuple[dict[str, Any], list[tuple[int, dict[str, str]]]]:
    """Head and rows of a table; each row with the number of its line."""
    lines = path.read_text(encoding="utf-8").splitlines()
    size = next((i for i, line in enumerate(lines) if not line.startswith("#")), len(lines))
    head = yaml.load("\n".join(line[1:] for line in lines[:size]), Loader=yaml.CBaseLoader)  # noqa: S506
    rows = csv.DictReader(lines[size:], delimiter="\t")
    return head or {}, [(size + 1 + i, row) for i, row in enumerate(rows, 1)]


def read_mappings(
    path: Path, shown: str, name: ox.NamedNode
) -> Iterator[tuple[int, ox.Quad | Fault]]:
    """The links of a table in the graph `name`, or the fault of a row, each with its line."""
    try:
        head, rows = read_table(path)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        yield line, Fault(f"{shown}:{line}", f"the head is not YAML: {error.problem}")
        return
    known = head.get("curie_map", {}) | prefixes()
    seen: dict[tuple[str, ...], int] = {}
    for line, row in rows:
        key = tuple(row.get(column) or "" for column in COLUMNS)
        subject, predicate, target, _ = key
        unknown = [c for c in (subject, target) if c.partition(":")[0] not in known]
        if not all(key):
            message = f"a row needs {', '.join(COLUMNS)}"
        elif predicate not in STRENGTHS:
            message = f"the predicate '{predicate}' is not one of {', '.join(STRENGTHS)}"
        elif unknown:
            message = f"the prefix of '{unknown[0]}' is not in the curie_map of the head"
        elif key[:3] in seen:
            message = f"the same mapping stands in line {seen[key[:3]]}"
        else:
            seen[key[:3]] = line
            ends = [known[c.partition(":")[0]] + c.partition(":")[2] for c in (subject, target)]
            link = ox.NamedNode(SKOS + predicate.partition(":")[2])
            yield line, ox.Quad(ox.NamedNode(ends[0]), link, ox.NamedNode(ends[1]), name)
            continue
        yield line, Fault(f"{shown}:{line}", message)
