"""Query results as documents in the formats of the W3C, whole or cut at a limit.

Rows leave the engine as bytes and are passed on as they come. A document that is cut ends
after a whole row, stays well-formed and says so where its format can: `"truncated": true`
in JSON, a comment in XML and in Turtle and its kin.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any, NamedTuple

import pyoxigraph as ox

from kg.terms import prefixes

JSON = "application/sparql-results+json"
XML = "application/sparql-results+xml"
CSV = "text/csv"
TSV = "text/tab-separated-values"
ROWS = {
    JSON: ox.QueryResultsFormat.JSON,
    XML: ox.QueryResultsFormat.XML,
    CSV: ox.QueryResultsFormat.CSV,
    TSV: ox.QueryResultsFormat.TSV,
}
TRIPLES = {
    "text/turtle": ox.RdfFormat.TURTLE,
    "application/n-triples": ox.RdfFormat.N_TRIPLES,
    "application/ld+json": ox.RdfFormat.JSON_LD,
    "application/rdf+xml": ox.RdfFormat.RDF_XML,
    "application/trig": ox.RdfFormat.TRIG,
    "application/n-quads": ox.RdfFormat.N_QUADS,
}
# whose documents can be closed after any row, so that they may be sent before their end is known
STREAMED = (JSON, XML)

# What comes before the first row.
PROLOGUES = {JSON: b'"bindings":[', XML: b"<results>", CSV: b"\n", TSV: b"\n"}
# A row up to its end. In JSON the next row is looked for: inside a string every quotation mark
# is escaped, so that a mark after a brace can only begin a name. A row without any value is not
# counted there.
ROW = {
    JSON: re.compile(rb'.*?\}(?=,\{"[^"\\]+":\{"type":")', re.DOTALL),
    XML: re.compile(rb".*?</result>", re.DOTALL),
    CSV: re.compile(rb'(?:[^"\n]+|"[^"]*")*+\n'),
    TSV: re.compile(rb"[^\n]*\n"),
}
CHUNK = 64 << 10  # bytes that are looked through, and passed on, together

Solved = ox.QuerySolutions | ox.QueryBoolean | Iterable[ox.Triple]


class Limits(NamedTuple):
    """How much a query may take: time in seconds, memory in bytes, rows and bytes of its answer."""

    seconds: float = 10.0
    memory: int = 1 << 30
    rows: int = 1_000_000
    size: int = 64 << 20

    @property
    def too_many(self) -> str:
        """What is said of an answer that was cut after its rows."""
        return f"the answer is cut after {self.rows} rows, the most that are given here"

    @property
    def too_large(self) -> str:
        """What is said of an answer that was cut for its size."""
        return f"the answer is cut after {self.size} bytes, the most that are given here"


def formats_for(form: str) -> dict[str, Any]:
    """The media types in which a query of this form can be answered; the first is the default."""
    return ROWS if form in ("SELECT", "ASK") else TRIPLES


def write(
    solved: Solved,
    media_type: str,
    send: Callable[[bytes], None],
    limits: Limits | None = None,
    begin: Callable[[str | None], None] = lambda _: None,
) -> str | None:
    """Sends the document of a result in one of ROWS or TRIPLES, piece by piece.

    Each piece ends after a whole row. Gives a sentence that says why the document was cut, or
    None. `begin` is called once before the first piece, with that sentence where it is known by
    then, which it is but for rows.
    """
    if isinstance(solved, ox.QuerySolutions):
        begin(None)
        return _write_rows(solved, media_type, send, limits)
    if isinstance(solved, ox.QueryBoolean):
        begin(None)
        send(_boolean(solved, media_type))
        return None
    triples, cut = _bounded(solved, limits)
    begin(cut)
    send(serialised(triples, media_type, cut))
    return cut


def _boolean(solved: ox.QueryBoolean, media_type: str) -> bytes:
    if media_type in (CSV, TSV):  # the formats of the W3C have rows only
        return b"true\n" if solved else b"false\n"
    return solved.serialize(format=ROWS[media_type]) or b""


def closing(media_type: str, why: str) -> bytes:
    """What ends a document of rows that was cut after a whole row; a sentence says why."""
    if media_type == JSON:
        return f']}},"truncated":true,"reason":{json.dumps(why)}}}'.encode()
    return f"</results><!-- {why} --></sparql>".encode() if media_type == XML else b""


class _FullError(Exception):
    """Enough was written."""


class _Pieces(io.BytesIO):
    """What the engine writes rows to: passes whole ones on until a limit is reached."""

    def __init__(self, media_type: str, send: Callable[[bytes], None], limits: Limits) -> None:
        super().__init__()
        self.cut: str | None = None
        self._type = media_type
        self._send = send
        self._limits = limits
        self._held = bytearray()
        self._look = CHUNK  # when so many bytes are held, rows are looked for
        self._begun = False
        self._rows = 0
        self._size = 0

    def write(self, data: Any) -> int:
        if self.cut:  # the engine empties its own buffer at the end
            raise _FullError
        self._held += data
        if len(self._held) >= self._look:
            self._pass()
            self._look = max(CHUNK, 2 * len(self._held))
        return len(data)

    def finish(self) -> None:
        """Passes on what is left of a document that the engine has ended."""
        self._pass()
        self._send(bytes(self._held))

    def _pass(self) -> None:
        if not self._begun:
            mark = PROLOGUES[self._type]
            self._forward(self._held.index(mark) + len(mark))
            self._begun = True
        ends = self._ends()
        room = self._limits.rows - self._rows
        if len(ends) > room or (len(ends) == room and self._type == JSON):  # another row follows
            ends = ends[:room]
            self.cut = self._limits.too_many
        if self._size + (ends[-1] if self.cut and ends else len(self._held)) > self._limits.size:
            ends = [end for end in ends if self._size + end <= self._limits.size]
            self.cut = self._limits.too_large
        self._rows += len(ends)
        if ends:
            self._forward(ends[-1])
        if self.cut:
            self._send(closing(self._type, self.cut))
            raise _FullError

    def _ends(self) -> list[int]:
        ends, at, row = [], 0, ROW[self._type]
        while found := row.match(self._held, at):
            at = found.end()
            ends.append(at)
        return ends

    def _forward(self, end: int) -> None:
        self._size += end
        self._send(bytes(self._held[:end]))
        del self._held[:end]


def _write_rows(
    solutions: ox.QuerySolutions,
    media_type: str,
    send: Callable[[bytes], None],
    limits: Limits | None,
) -> str | None:
    if limits is None:
        send(solutions.serialize(format=ROWS[media_type]) or b"")
        return None
    pieces = _Pieces(media_type, send, limits)
    try:
        solutions.serialize(output=pieces, format=ROWS[media_type])
        pieces.finish()
    except _FullError:
        pass
    return pieces.cut


def _bounded(
    triples: Iterable[ox.Triple], limits: Limits | None
) -> tuple[list[ox.Triple], str | None]:
    """As many of the triples as are allowed, and a sentence where these are not all."""
    if limits is None:
        return list(triples), None
    kept = list(islice(triples, limits.rows + 1))
    cut = limits.too_many if len(kept) > limits.rows else None
    del kept[limits.rows :]
    size = 0
    for number, triple in enumerate(kept):
        size += len(str(triple)) + 3
        if size > limits.size:
            return kept[:number], limits.too_large
    return kept, cut


def serialised(triples: list[ox.Triple], media_type: str, cut: str | None = None) -> bytes:
    """Triples as one of TRIPLES; only the prefixes that are used are declared.

    Where the triples are not all, `cut` says so in a comment, if the format has any.
    """
    plain = ox.serialize(triples, format=ox.RdfFormat.N_TRIPLES) or b""
    used = {name: iri for name, iri in prefixes().items() if f"<{iri}".encode() in plain}
    document = ox.serialize(triples, format=TRIPLES[media_type], prefixes=used) or b""
    if not cut or media_type == "application/ld+json":
        return document
    if media_type == "application/rdf+xml":
        return document + f"<!-- {cut} -->".encode()
    return f"# {cut}\n".encode() + document


@dataclass(frozen=True)
class Rows:
    """The solutions of a SELECT: its columns, and rows of values (None where unbound)."""

    columns: list[str]
    rows: list[list[Any]]

    def __iter__(self) -> Iterator[dict[str, Any]]:
        """Each row as a mapping from column to value."""
        return (dict(zip(self.columns, row, strict=True)) for row in self.rows)


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
