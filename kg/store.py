"""The engine behind one small door: a built snapshot, opened read-only in memory.

This is the only module that queries a snapshot with the engine. It imports little, since the
command line and every query worker start with it.
"""

from __future__ import annotations

import csv
import io
import json
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import pyoxigraph as ox

from kg.errors import QueryError, RefusedError, SnapshotError
from kg.sparql import Asked, asked
from kg.terms import ROOT, prefixes

BUILD = Path(os.environ.get("LENKG_BUILD", ROOT / "build"))

ROWS = {
    "application/sparql-results+json": ox.QueryResultsFormat.JSON,
    "application/sparql-results+xml": ox.QueryResultsFormat.XML,
    "text/csv": ox.QueryResultsFormat.CSV,
    "text/tab-separated-values": ox.QueryResultsFormat.TSV,
}
TRIPLES = {
    "text/turtle": ox.RdfFormat.TURTLE,
    "application/n-triples": ox.RdfFormat.N_TRIPLES,
    "application/ld+json": ox.RdfFormat.JSON_LD,
    "application/rdf+xml": ox.RdfFormat.RDF_XML,
}
POSITION = re.compile(r"error at (\d+):(\d+)")


def formats_for(form: str) -> dict[str, Any]:
    """The media types in which a query of this form can be answered; the first is the default."""
    return ROWS if form in ("SELECT", "ASK") else TRIPLES


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
    def documentation(self) -> Path:
        """The ontology as a page for people."""
        return self.path / "ontology.html"

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


@dataclass(frozen=True)
class Rows:
    """The solutions of a SELECT: its columns, and rows of values (None where unbound)."""

    columns: list[str]
    rows: list[list[Any]]

    def __iter__(self) -> Iterator[dict[str, Any]]:
        """Each row as a mapping from column to value."""
        return (dict(zip(self.columns, row, strict=True)) for row in self.rows)


class Dataset(NamedTuple):
    """The graphs that a request asks of, by address (SPARQL 1.1 Protocol, section 2.1.4)."""

    default: tuple[str, ...] = ()
    named: tuple[str, ...] = ()


WHOLE = Dataset()


class Engine(Protocol):
    """What answers queries on a snapshot: a Store here, or a pool of processes that hold one."""

    snapshot: Snapshot

    def query(
        self, text: str, media_type: str | None = None, dataset: Dataset = WHOLE
    ) -> tuple[str, bytes]:
        """The answer to a SPARQL query as (media type, bytes); see Store.query."""
        ...


class Store:
    """A snapshot that can be queried.

    The default graph is the union of all named graphs, unless a query has a FROM of its own
    or a request names its dataset.
    """

    def __init__(self, snapshot: Snapshot) -> None:
        self.snapshot = snapshot
        self._store = ox.Store()
        try:
            self._store.bulk_load(path=str(snapshot.quads), format=ox.RdfFormat.N_QUADS)
        except (OSError, SyntaxError) as error:
            raise SnapshotError(f"{snapshot.quads} cannot be loaded: {error}") from error
        self.graphs = snapshot.graphs

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
        wanted = asked(text, self.graphs, known)
        if foreign := {*dataset.default, *dataset.named} - self.graphs:
            raise RefusedError(
                f"{min(foreign)} is not one of the graphs here: {', '.join(sorted(self.graphs))}"
            )
        formats = formats_for(wanted.form)
        chosen = media_type or next(iter(formats))
        if chosen not in formats:
            raise RefusedError(
                f"{chosen} does not fit this form of query; use {', '.join(formats)}"
            )
        try:
            result = self._store.query(text, prefixes=dict(known), **_scope(dataset, wanted))
            if isinstance(result, ox.QueryBoolean) and formats[chosen] in (
                ox.QueryResultsFormat.CSV,
                ox.QueryResultsFormat.TSV,
            ):
                return chosen, b"true\n" if result else b"false\n"
            if isinstance(result, ox.QueryTriples):
                return chosen, serialised(list(result), chosen)
            payload = result.serialize(format=formats[chosen])
            assert payload is not None
            return chosen, payload
        except SyntaxError as error:
            position = POSITION.search(str(error))
            line, column = (int(position[1]), int(position[2])) if position else (None, None)
            raise QueryError(f"the query is not SPARQL: {error}", line, column) from error
        except (ValueError, RuntimeError) as error:
            raise QueryError(f"the query cannot be answered: {error}") from error


def _scope(dataset: Dataset, wanted: Asked) -> dict[str, Any]:
    """What the engine is told of the graphs that a query asks of."""
    if dataset == WHOLE:
        return {"use_default_graph_as_union": not wanted.dataset}
    return {
        "default_graph": [ox.NamedNode(address) for address in dataset.default],
        "named_graphs": [ox.NamedNode(address) for address in dataset.named],
    }


def serialised(triples: list[ox.Triple], media_type: str) -> bytes:
    """Triples as one of TRIPLES; only the prefixes that are used are declared."""
    plain = ox.serialize(triples, format=ox.RdfFormat.N_TRIPLES) or b""
    used = {name: iri for name, iri in prefixes().items() if f"<{iri}".encode() in plain}
    return ox.serialize(triples, format=TRIPLES[media_type], prefixes=used) or b""


def rows_of(payload: bytes) -> Rows:
    """SPARQL results in JSON -> Rows (W3C SPARQL 1.1 Query Results JSON Format)."""
    document = json.loads(payload)
    columns = document["head"]["vars"]
    return Rows(
        columns,
        [
            [_value(binding[name]) if name in binding else None for name in columns]
            for binding in document["results"]["bindings"]
        ],
    )


def _value(term: dict[str, str]) -> Any:
    datatype = term.get("datatype", "").rpartition("#")[2]
    if datatype == "integer":
        return int(term["value"])
    if datatype in ("decimal", "double", "float"):
        number = float(term["value"])
        return int(number) if number.is_integer() else number
    if datatype == "boolean":
        return term["value"] == "true"
    return term["value"]


def as_csv(rows: Rows, delimiter: str = ",") -> str:
    """Rows as CSV (RFC 4180) or, with a tab as delimiter, as tab-separated text."""
    out = io.StringIO()
    writer = csv.writer(out, delimiter=delimiter, lineterminator="\n")
    writer.writerow(rows.columns)
    writer.writerows(["" if v is None else v for v in row] for row in rows.rows)
    return out.getvalue()
