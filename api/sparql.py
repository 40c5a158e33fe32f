"""GET and POST /sparql: the SPARQL 1.1 Protocol for queries."""

from __future__ import annotations

from urllib.parse import parse_qsl

from fastapi import APIRouter, Request, Response
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException

from api.formats import negotiate
from kg.errors import ParameterError, RefusedError
from kg.sparql import asked
from kg.store import formats_for

MOST_BYTES = 1 << 20  # of one request
DESCRIPTION = (
    "A SELECT, ASK, CONSTRUCT or DESCRIBE; its default graph is the union of all named graphs. "
    "Rows as JSON, XML, CSV or TSV, graphs as Turtle, N-Triples, JSON-LD or RDF/XML, by Accept. "
    "Updates, SERVICE and foreign addresses are refused; a query that runs too long is ended."
)
QUERY = {
    "name": "query",
    "in": "query",
    "required": True,
    "description": "The SPARQL query",
    "schema": {"type": "string"},
    "examples": {
        "drugs": {"value": "SELECT ?drug WHERE { ?drug a <https://w3id.org/lenkg/ontology/Drug> }"}
    },
}


async def _body(request: Request) -> bytes:
    data = bytearray()
    async for part in request.stream():
        data += part
        if len(data) > MOST_BYTES:
            raise HTTPException(413, f"a request may have {MOST_BYTES >> 10} KiB")
    return bytes(data)


def _text(data: bytes) -> str:
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise ParameterError(
            "query", f"is not UTF-8 text ({error.reason} at byte {error.start})"
        ) from error


def _only_query(pairs: list[tuple[str, str]]) -> str:
    given = [value for key, value in pairs if key == "query"]
    for key, _ in pairs:
        if key == "update":
            raise RefusedError("updates are not offered; this graph is read-only")
        if key in ("default-graph-uri", "named-graph-uri"):
            raise RefusedError(f"{key} is not offered; write FROM or FROM NAMED into the query")
        if key != "query":
            raise ParameterError(key, "is not a parameter of the SPARQL protocol; it has: query")
    if len(given) != 1:
        raise ParameterError("query", "must be given exactly once: /sparql?query=SELECT…")
    return given[0]


def router() -> APIRouter:
    """The routes of the endpoint."""
    routes = APIRouter(tags=["sparql"])

    def answer(request: Request, text: str) -> Response:
        pool = request.app.state.sparql
        offered = formats_for(asked(text, pool.snapshot.graphs).form)
        accept = request.headers.get("accept")
        if accept and "application/json" in accept and "application/sparql-results+json" in offered:
            accept += ", application/sparql-results+json;q=0.5"
        media_type, payload = pool.query(text, negotiate(accept, offered))
        return Response(payload, 200, {"Vary": "Accept"}, media_type)

    @routes.get(
        "/sparql",
        summary="SPARQL query",
        description=DESCRIPTION,
        openapi_extra={"parameters": [QUERY]},
    )
    def get(request: Request) -> Response:
        return answer(request, _only_query(request.query_params.multi_items()))

    @routes.post(
        "/sparql", summary="SPARQL query", description=DESCRIPTION, operation_id="sparql_post"
    )
    async def post(request: Request) -> Response:
        kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        data = _text(await _body(request))
        if kind == "application/sparql-update":
            raise RefusedError("updates are not offered; this graph is read-only")
        if kind == "application/sparql-query":
            if request.query_params:
                _only_query([*request.query_params.multi_items(), ("query", data)])
            text = data
        elif kind == "application/x-www-form-urlencoded":
            text = _only_query(parse_qsl(data, keep_blank_values=True))
        else:
            raise HTTPException(
                415,
                "send application/sparql-query or application/x-www-form-urlencoded with query=…",
            )
        return await run_in_threadpool(answer, request, text)

    return routes
