"""GET and POST /sparql: SPARQL 1.1 Protocol for queries, and Service Description."""

from __future__ import annotations

from urllib.parse import parse_qsl

from fastapi import APIRouter, Request, Response
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException

from api.formats import negotiate
from api.pages import page
from kg.errors import ParameterError, RefusedError
from kg.service import described as service
from kg.sparql import asked
from kg.store import TRIPLES, Dataset, formats_for, rows_of

MOST_BYTES = 1 << 20  # of one request
PARAMETERS = ("query", "default-graph-uri", "named-graph-uri")
DESCRIPTION = (
    "A SELECT, ASK, CONSTRUCT or DESCRIBE; its default graph is the union of all named graphs, "
    "unless the query (FROM) or the request (default-graph-uri, named-graph-uri) names others. "
    "Rows as JSON, XML, CSV or TSV, graphs as Turtle, N-Triples, JSON-LD or RDF/XML, by Accept. "
    "Updates, SERVICE and foreign addresses are refused; a query that runs too long is ended."
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


def _asked(pairs: list[tuple[str, str]]) -> tuple[str, Dataset]:
    """The query and the dataset of a request (SPARQL 1.1 Protocol, sections 2.1 and 2.1.4)."""
    given: dict[str, list[str]] = {name: [] for name in PARAMETERS}
    for key, value in pairs:
        if key == "update":
            raise RefusedError("updates are not offered; this graph is read-only")
        if key not in given:
            known = ", ".join(PARAMETERS)
            raise ParameterError(key, f"is not a parameter of the SPARQL protocol; it has: {known}")
        given[key].append(value)
    if len(given["query"]) != 1:
        raise ParameterError("query", "must be given exactly once: /sparql?query=SELECT…")
    dataset = Dataset(tuple(given["default-graph-uri"]), tuple(given["named-graph-uri"]))
    return given["query"][0], dataset


def router() -> APIRouter:
    """The routes of the endpoint."""
    routes = APIRouter(tags=["sparql"])

    def answer(request: Request, text: str, dataset: Dataset) -> Response:
        pool = request.app.state.sparql
        form = asked(text, pool.snapshot.graphs).form
        offered = (*formats_for(form), *(["text/html"] if form == "SELECT" else []))
        chosen = negotiate(request.headers.get("accept"), offered)
        if chosen == "text/html":
            rows = rows_of(pool.query(text, dataset=dataset)[1])
            return page("rows.html", title="SPARQL", rows=rows, query=text)
        media_type, payload = pool.query(text, chosen, dataset)
        return Response(payload, 200, {"Vary": "Accept"}, media_type)

    def described(request: Request) -> Response:
        endpoint = str(request.url.replace(query=None, fragment=None))
        snapshot = request.app.state.sparql.snapshot
        chosen = negotiate(request.headers.get("accept"), (*TRIPLES, "text/html"))
        if chosen == "text/html":
            graphs = snapshot.manifest["graphs"]
            return page("sparql.html", title="SPARQL", graphs=graphs, example=EXAMPLE)
        return Response(service(snapshot, endpoint, chosen), 200, {"Vary": "Accept"}, chosen)

    @routes.get(
        "/sparql",
        summary="SPARQL query",
        description=DESCRIPTION,
        openapi_extra={"parameters": [QUERY, *GRAPHS]},
    )
    def get(request: Request) -> Response:
        if not request.query_params:
            return described(request)
        return answer(request, *_asked(request.query_params.multi_items()))

    @routes.post(
        "/sparql", summary="SPARQL query", description=DESCRIPTION, operation_id="sparql_post"
    )
    async def post(request: Request) -> Response:
        kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        data = _text(await _body(request))
        if kind == "application/sparql-update":
            raise RefusedError("updates are not offered; this graph is read-only")
        if kind == "application/sparql-query":
            pairs = [*request.query_params.multi_items(), ("query", data)]
        elif kind == "application/x-www-form-urlencoded":
            pairs = parse_qsl(data, keep_blank_values=True)
        else:
            raise HTTPException(
                415,
                "send application/sparql-query or application/x-www-form-urlencoded with query=…",
            )
        return await run_in_threadpool(answer, request, *_asked(pairs))

    return routes
