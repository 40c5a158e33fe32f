"""Files of SPARQL, the header that one begins with, the rules of ontology/, and quads for them.

A rule speaks of all quads at hand, whatever graph they are in, and may use every prefix of
LenKG without declaring it.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pyoxigraph as ox
import yaml

from kg.terms import ONTOLOGY, prefixes


def header(text: str) -> Any:
    """What the `#+` lines of a file say, as YAML read as text; None where there are none.

    Raises yaml.YAMLError where they are not YAML.
    """
    lines = [line[2:].removeprefix(" ") for line in text.splitlines() if line.startswith("#+")]
    return yaml.load("\n".join(lines), Loader=yaml.CBaseLoader)  # noqa: S506 (text only)


def rules(folder: str) -> list[Path]:
    """The rule files of a folder of ontology/, by name."""
    return sorted((ONTOLOGY / folder).glob("*.rq"))


def holding(quads: Iterable[ox.Quad]) -> ox.Store:
    """A store in memory that holds these quads."""
    store = ox.Store()
    store.extend(quads)
    return store


def canonical(quads: Iterable[ox.Quad]) -> list[str]:
    """The quads as sorted lines of N-Quads, their blank nodes named by RDFC-1.0.

    Two sets of quads that differ in the names of blank nodes alone give the same lines.
    """
    dataset = ox.Dataset(quads)
    dataset.canonicalize(ox.CanonicalizationAlgorithm.RDFC_1_0)
    return sorted(f"{quad} .\n" for quad in dataset)


def evaluate(text: str, store: ox.Store) -> Any:
    """What a rule's text gives: solutions for a SELECT, triples for a CONSTRUCT."""
    return store.query(text, prefixes=prefixes(), use_default_graph_as_union=True)
