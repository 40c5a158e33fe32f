"""The engine behind one small door: a built snapshot, opened read-only in memory.

This is the only module that queries a snapshot with the engine. It imports little, since the
command line and every query worker start with it.
"""

from __future__ import annotations

import json
import os
import re
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import pyoxigraph as ox

from kg.errors import QueryError, RefusedError, SnapshotError
from kg.results import Solved, formats_for, write
from kg.sparql import Asked, asked
from kg.terms import BASE, ROOT

BUILD = Path(os.environ.get("LENKG_BUILD", ROOT / "build"))

POSITION = re.compile(r"error at (\d+):(\d+)")


@dataclass(frozen=True)
class Snapshot:
    """One immutable built graph: a folder named by the hash of its content."""

    path: Path

    @property
    def version(self) -> str:
        """The hash that names the snapshot."""
        return self.path.name

    @property
    def quads(self) -> Path:
        """The canonical N-Quads file."""
        return self.path / "lenkg.nq"

    @property
    def store(self) -> Path:
        """The engine's own files, where the graph is too large to be held in memory."""
        return self.path / "store"

    @property
    def documentation(self) -> Path:
        """The ontology as a page for people."""
        return self.path / "ontology.html"

    @property
    def ontology(self) -> Path:
        """The ontology as Turtle."""
        return self.path / "ontology.ttl"

    @property
    def context(self) -> Path:
        """The JSON-LD context of the resources."""
        return self.path / "context.jsonld"

    @property
    def beside(self) -> dict[str, str]:
        """The files that are served beside the graph, by name."""
        paths = (self.documentation, self.ontology, self.context)
        return {path.name: path.read_text(encoding="utf-8") for path in paths}

    @cached_property
    def manifest(self) -> dict[str, Any]:
        """Version, counts, and the hash of every input."""
        result: dict[str, Any] = json.loads((self.path / "manifest.json").read_text("utf-8"))
        return result

    @property
    def graphs(self) -> frozenset[str]:
        """The addresses of its named graphs."""
        return frozenset(self.manifest["graphs"])


def current(build: Path = BUILD) -> Snapshot:
    """The snapshot that was built last; SnapshotError where there is none."""
    path = (build / "current").resolve()
    if not (path / "manifest.json").is_file():
        raise SnapshotError(f"there is no built graph in {build}; run `lenkg build` first")
    return Snapshot(path)


class Dataset(NamedTuple):
    """The graphs that a request asks of, by address (SPARQL 1.1 Protocol, section 2.1.4)."""

    default: tuple[str, ...] = ()
    named: tuple[str, ...] = ()


WHOLE = Dataset()


class Asking(Protocol):
    """What can be asked: an Engine here, or the processes that hold one."""

    @property
    def snapshot(self) -> Snapshot:
        """The snapshot that is asked."""
        ...

    def query(self, text: str, media_type: str | None = None) -> tuple[str, bytes]:
        """The answer to a SPARQL query as (media type, bytes); see Engine.query."""
        ...


class Engine(ABC):
    """What answers SPARQL queries on one snapshot.

    The default graph is the union of all named graphs, unless a query has a FROM of its own
    or a request names its dataset. Relative addresses begin where those of the graph do.
    """

    embedded = True  # whether it answers without opening anything more once it is opened

    def __init__(self, snapshot: Snapshot) -> None:
        self.snapshot = snapshot
        self.graphs = snapshot.graphs

    def opened(self) -> Engine:
        """An engine on the same snapshot that may be used in a process forked from this one."""
        return self

    @abstractmethod
    def evaluate(
        self, text: str, dataset: Dataset, asked: Asked, known: Mapping[str, str]
    ) -> Solved:
        """The result of a query that may be run; see `query` for what it raises."""

    def query(
        self,
        text: str,
        media_type: str | None = None,
        dataset: Dataset = WHOLE,
        known: Mapping[str, str] = {},
    ) -> tuple[str, bytes]:
        """The answer to a SPARQL query as (media type, bytes).

        A `dataset` that names graphs goes before the FROM of the query. `known` are prefixes
        that the query need not declare. A SELECT or ASK is answered in one of ROWS (JSON by
        default), a CONSTRUCT or DESCRIBE in one of TRIPLES (Turtle by default). Raises
        QueryError for a query that is wrong, RefusedError for one that is not offered here.
        """
        wanted = self.asked(text, dataset, known)
        formats = formats_for(wanted.form)
        chosen = media_type or next(iter(formats))
        if chosen not in formats:
            raise RefusedError(
                f"{chosen} does not fit this form of query; use {', '.join(formats)}"
            )
        payload = bytearray()
        with faults():
            write(self.evaluate(text, dataset, wanted, known), chosen, payload.extend)
        return chosen, bytes(payload)

    def asked(self, text: str, dataset: Dataset, known: Mapping[str, str] = {}) -> Asked:
        """What a query asks for; RefusedError where it asks of a graph that is not here."""
        wanted = asked(text, self.graphs, known)
        if foreign := {*dataset.default, *dataset.named} - self.graphs:
            raise RefusedError(
                f"{min(foreign)} is not one of the graphs here: {', '.join(sorted(self.graphs))}"
            )
        return wanted


class Store(Engine):
    """A snapshot in the embedded engine: in memory, or opened on disk where it has a store."""

    def __init__(self, snapshot: Snapshot) -> None:
        super().__init__(snapshot)
        try:
            if snapshot.store.is_dir():
                self._store = ox.Store.read_only(str(snapshot.store))
            else:
                self._store = ox.Store()
                self._store.bulk_load(path=str(snapshot.quads), format=ox.RdfFormat.N_QUADS)
        except (OSError, SyntaxError) as error:
            raise SnapshotError(f"{snapshot.path} cannot be loaded: {error}") from error

    def opened(self) -> Engine:
        """This one, or on disk another: the threads of an open store are not forked with it."""
        return Store(self.snapshot) if self.snapshot.store.is_dir() else self

    def evaluate(
        self, text: str, dataset: Dataset, asked: Asked, known: Mapping[str, str]
    ) -> Solved:
        """The result of a query, evaluated as far as the engine does so at once."""
        scope: dict[str, Any] = {"use_default_graph_as_union": not asked.dataset}
        if dataset != WHOLE:
            scope = {
                "default_graph": [ox.NamedNode(address) for address in dataset.default],
                "named_graphs": [ox.NamedNode(address) for address in dataset.named],
            }
        return self._store.query(text, base_iri=BASE, prefixes=dict(known), **scope)


@contextmanager
def faults() -> Iterator[None]:
    """Makes QueryError of what the engine raises while a query is evaluated or written."""
    try:
        yield
    except SyntaxError as error:
        position = POSITION.search(str(error))
        line, column = (int(position[1]), int(position[2])) if position else (None, None)
        raise QueryError(f"the query is not SPARQL: {error}", line, column) from error
    except (ValueError, RuntimeError) as error:
        raise QueryError(f"the query cannot be answered: {error}") from error
