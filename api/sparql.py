"""GET and POST /sparql: SPARQL 1.1 Protocol for queries, and Service Description."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from functools import lru_cache
from typing import Any
from urllib.parse import parse_qsl

from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from api.formats import SUFFIXES, negotiate
from api.pages import page
from api.pool import Pool
from api.problems import answered, problem
from api.serving import Served
from kg.errors import LenkgError, LimitError, NotAcceptableError, ParameterError, RefusedError
from kg.results import JSON, ROWS, STREAMED, TRIPLES, XML, Limits, closing, formats_for, rows_of
from kg.service import described as service
from kg.sparql import FORMS
from kg.store import Dataset, Snapshot

WHOLE = 1 << 20  # bytes up to which an answer is gathered before it is sent
PAGE_ROWS = 1000  # rows that a page shows
# what a suffix of /sparql asks for: .json and .xml whichever of two fits the form of the query
ENDINGS = {
    ending: media_type
    for ending, media_type in SUFFIXES.items()
    if media_type in (*ROWS, *TRIPLES, "text/html")
} | {"json": "application/json", "xml": f"{XML}, application/rdf+xml"}
METHODS = "GET, HEAD, POST, OPTIONS"
READ_ONLY = "updates are not offered; this graph is read-only"
STATUSES = {
    "400": "The request or the query is wrong",
    "401": "The token is not the right one",
    "403": "Updates, SERVICE and foreign graphs are refused",
    "406": "No accepted format is offered",
    "408": "The request came too slowly",
    "413": "The request is too large",
    "415": "The body has another type than those of the protocol",
    "429": "The client sends too many requests",
    "503": "The query reached a limit, or no place was free",
}
PARAMETERS = ("query", "default-graph-uri", "named-graph-uri")
HINTS = ("format", "output", "results")  # that SPARQLWrapper sends beside Accept, which decides
DESCRIPTION = (
    "A SELECT, ASK, CONSTRUCT or DESCRIBE; its default graph is the union of all named graphs, "
    "unless the query (FROM) or the request (default-graph-uri, named-graph-uri) names others. "
    "Rows as JSON, XML, CSV or TSV, graphs as Turtle, TriG, N-Triples, N-Quads, JSON-LD or "
    "RDF/XML, by Accept or by a suffix such as /sparql.csv. "
    "Updates, SERVICE and foreign addresses are refused; a query that reaches a limit is ended, an "
    "answer that reaches one is cut and says so."
)
EXAMPLE = "SELECT ?drug WHERE { ?drug a <https://w3id.org/lenkg/ontology/Drug> }"
QUERY = {
    "name": "query",
    "in": "query",
    "required": False,
    "description": "The SPARQL query; without it, the endpoint describes itself",
    "schema": {"type": "string"},
    "examples": {"drugs": {"value": EXAMPLE}},
}
GRAPHS = [
    {
        "name": name,
        "in": "query",
        "description": f"A graph of this dataset to ask of as {part}; may be given several times",
        "schema": {"type": "array", "items": {"type": "string", "format": "uri"}},
    }
    for name, part in zip(PARAMETERS[1:], ("the default graph", "a named graph"), strict=True)
]


def _text(data: bytes) -> str:
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise ParameterError(
            "query", f"is not UTF-8 text ({error.reason} at byte {error.start})"
        ) from error


def _asked(pairs: list[tuple[str, str]]) -> tuple[str, Dataset]:
    """The query and the dataset of a request (SPARQL 1.1 Protocol, sections 2.1 and 2.1.4)."""
    given: dict[str, list[str]] = {name: [] for name in PARAMETERS}
    for key, value in pairs:
        if key == "update":
            raise RefusedError(READ_ONLY)
        if key in HINTS:
            continue
        if key not in given:
            known = ", ".join(PARAMETERS)
            raise ParameterError(key, f"is not a parameter of the SPARQL protocol; it has: {known}")
        given[key].append(value)
    if len(given["query"]) != 1:
        raise ParameterError("query", "must be given exactly once: /sparql?query=SELECT…")
    dataset = Dataset(tuple(given["default-graph-uri"]), tuple(given["named-graph-uri"]))
    return given["query"][0], dataset


class Sparql:
    """The endpoint, as an ASGI application."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers one request."""
        request = Request(scope, receive)
        try:
            response = await self._respond(request)
        except HTTPException as error:
            response = problem(error.status_code, error.detail, dict(error.headers or {}))
        except LenkgError as error:
            response = answered(error)
        await response(scope, receive, send)

    async def _respond(self, request: Request) -> Response:
        ending = request.url.path.rstrip("/").partition(".")[2]
        if ending and ending not in ENDINGS:
            raise HTTPException(404, f"there is no '.{ending}'; there are {', '.join(ENDINGS)}")
        accept = ENDINGS.get(ending) or request.headers.get("accept")
        if request.method == "OPTIONS":
            return Response(None, 204, {"Allow": METHODS})
        if request.method not in ("GET", "POST"):
            raise HTTPException(
                405, f"{request.method} is not offered; this graph is read-only", {"Allow": METHODS}
            )
        served: Served = request.state.served
        if request.method == "GET":
            pairs = request.query_params.multi_items()
            if not pairs:
                return await run_in_threadpool(_described, request, served.snapshot, accept)
        else:
            pairs = await _posted(request)
        text, dataset = _asked(pairs)
        return await _answer(served.sparql, text, dataset, accept, request.state.limits)


async def _posted(request: Request) -> list[tuple[str, str]]:
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    data = await request.body()
    if kind == "application/sparql-update":
        raise RefusedError(READ_ONLY)
    in_address = request.query_params.multi_items()
    if kind == "application/sparql-query":
        return [*in_address, ("query", _text(data))]
    if kind == "application/x-www-form-urlencoded":
        try:
            given = parse_qsl(data.decode("ascii"), True, errors="strict", max_num_fields=100)
        except ValueError as error:
            raise ParameterError("query", f"the form is not as it should be: {error}") from error
        return [*in_address, *given]
    raise HTTPException(
        415, "send application/sparql-query or application/x-www-form-urlencoded with query=…"
    )


@lru_cache(1024)
def _types(accept: str | None) -> dict[str, str | None]:
    """The media type in which each form of query is answered, where one is accepted."""
    types: dict[str, str | None] = {}
    for form in FORMS:
        offered = (*formats_for(form), *(["text/html"] if form == "SELECT" else []))
        try:
            types[form] = negotiate(accept, offered)
        except NotAcceptableError:
            types[form] = None
    return types


async def _answer(
    pool: Pool, text: str, dataset: Dataset, accept: str | None, limits: Limits
) -> Response:
    """A whole answer, or one that is sent as it comes where it is large."""
    types = _types(accept)
    page_wanted = types["SELECT"] == "text/html"
    if page_wanted:
        types = types | {"SELECT": JSON}
        limits = limits._replace(rows=min(limits.rows, PAGE_ROWS))
    async with AsyncExitStack() as stack:
        reply = await stack.enter_async_context(pool.ask(text, types, limits, dataset, accept))
        headers = {"Vary": "Accept"}
        if not reply.steady:
            headers["Cache-Control"] = "no-store"
        pieces, held, size = aiter(reply), list[bytes](), 0
        async for piece in pieces:
            held.append(piece)
            size += len(piece)
            if size > WHOLE and reply.media_type in STREAMED:
                rest = _rest(stack.pop_all(), reply.media_type, pieces, held)
                return StreamingResponse(rest, 200, headers, reply.media_type)
    if reply.truncated:
        headers["LenKG-Truncated"] = reply.truncated
    payload = b"".join(held)
    if page_wanted and reply.form == "SELECT":
        return await run_in_threadpool(_page, payload, text, reply.truncated)
    return Response(payload, 200, headers, reply.media_type)


async def _rest(
    asking: AsyncExitStack, media_type: str, pieces: AsyncIterator[bytes], held: list[bytes]
) -> AsyncIterator[bytes]:
    """A large answer, piece by piece; one that reaches a limit on the way is closed and says so."""
    async with asking:
        for piece in held:
            yield piece
        try:
            async for piece in pieces:
                yield piece
        except LimitError as error:
            yield closing(media_type, str(error))


def _page(payload: bytes, text: str, truncated: str | None) -> Response:
    rows = rows_of(payload)
    return page("rows.html", title="SPARQL", rows=rows, query=text, truncated=truncated)


def _described(request: Request, snapshot: Snapshot, accept: str | None) -> Response:
    endpoint = str(request.url.replace(path="/sparql", query=None, fragment=None))
    chosen = negotiate(accept, (*TRIPLES, "text/html"))
    if chosen == "text/html":
        graphs = snapshot.manifest["graphs"]
        return page("sparql.html", title="SPARQL", graphs=graphs, example=EXAMPLE)
    return Response(service(snapshot, endpoint, chosen), 200, {"Vary": "Accept"}, chosen)


def documented() -> dict[str, Any]:
    """What OpenAPI says of the endpoint."""
    content: dict[str, Any] = {media_type: {} for media_type in (*ROWS, *TRIPLES, "text/html")}
    problems: dict[str, Any] = {"application/problem+json": {}}
    responses = {"200": {"description": "The answer", "content": content}} | {
        status: {"description": meaning, "content": problems}
        for status, meaning in STATUSES.items()
    }
    shared = {"summary": "SPARQL query", "description": DESCRIPTION, "tags": ["sparql"]}
    form = {"type": "object", "required": ["query"], "properties": {"query": {"type": "string"}}}
    body = {
        "required": True,
        "content": {
            "application/sparql-query": {"schema": {"type": "string"}},
            "application/x-www-form-urlencoded": {"schema": form},
        },
    }
    get = {"operationId": "sparql", "parameters": [QUERY, *GRAPHS], "responses": responses}
    post = {
        "operationId": "sparql_post",
        "parameters": GRAPHS,
        "requestBody": body,
        "responses": responses,
    }
    return {"/sparql": {"get": shared | get, "post": shared | post}}
