"""GET /questions and /questions/{name}: every question file as a route."""

from __future__ import annotations

import json
from typing import Any

from fastapi import APIRouter, Request, Response

from api.formats import negotiate, suffix, wants_page
from api.pages import page
from kg.question import Answer, Question, question, questions, told
from kg.results import as_csv

DELIMITERS = {"text/csv": ",", "text/tab-separated-values": "\t"}
OFFERED = (
    "application/json",
    *DELIMITERS,
    "text/html",
    "application/sparql-query",
)
OPENAPI_TYPES = {"integer": "integer", "decimal": "number", "boolean": "boolean"}


def described(asked: Question) -> dict[str, Any]:
    """A question as plain data: what it asks, its parameters and columns, and its address."""
    return {
        "name": asked.name,
        "summary": asked.summary,
        "description": asked.description,
        "persona": asked.persona,
        "tags": asked.tags,
        "parameters": told(asked.parameters),
        "columns": told(asked.columns),
        "href": f"/questions/{asked.name}",
    }


def _openapi(asked: Question) -> dict[str, Any]:
    parameters = []
    for p in asked.parameters:
        item: dict[str, Any] = {"type": OPENAPI_TYPES.get(p.type, "string")}
        kind = f" A name, synonym, slug or address of a {p.kind}." if p.kind else ""
        default = f" Left out: {p.left_out or 'any'}."
        parameter: dict[str, Any] = {
            "name": p.name,
            "in": "query",
            "required": False,
            "description": f"{p.description}.{kind}{default}",
            "schema": {"type": "array", "items": item},
            "explode": True,
        }
        if p.example:
            example: Any = p.example
            if item["type"] != "string":
                example = json.loads(p.example)
            parameter["examples"] = {"example": {"value": [example]}}
        parameters.append(parameter)
    return {"parameters": parameters}


def router() -> APIRouter:
    """The routes; each question has one of its own, so that OpenAPI tells its parameters."""
    routes = APIRouter(tags=["questions"])

    @routes.get("/questions", summary="All questions")
    def listed(request: Request) -> Response:
        found = [described(q) for q in questions().values()]
        if wants_page(request.headers.get("accept")):
            return page("questions.html", title="Questions", questions=found)
        return _json({"questions": found, "count": len(found)})

    def answered(request: Request) -> Response:
        name = request.url.path.rpartition("/")[2]
        name, media_type = suffix(name, OFFERED)
        question(name)
        media_type = media_type or negotiate(request.headers.get("accept"), OFFERED)
        values = {key: request.query_params.getlist(key) for key in request.query_params}
        return _answer(request.state.served.graph.ask(name, **values), media_type)

    for asked in questions().values():
        routes.add_api_route(
            f"/questions/{asked.name}",
            answered,
            summary=asked.summary,
            description=asked.description,
            operation_id=asked.name,
            openapi_extra=_openapi(asked),
            responses={200: {"content": {kind: {} for kind in OFFERED}}},
        )
    routes.add_api_route("/questions/{name}", answered, include_in_schema=False)
    return routes


def _answer(answer: Answer, media_type: str) -> Response:
    headers = {"Vary": "Accept"}
    if media_type in DELIMITERS:
        return Response(as_csv(answer.rows, DELIMITERS[media_type]), 200, headers, media_type)
    if media_type == "application/sparql-query":
        return Response(answer.query, 200, headers, "application/sparql-query; charset=utf-8")
    if media_type == "text/html":
        return page(
            "answer.html", title=answer.question.summary, answer=answer, question=answer.question
        )
    return _json(answer.document())


def _json(document: dict[str, Any]) -> Response:
    return Response(
        json.dumps(document, ensure_ascii=False).encode(),
        200,
        {"Vary": "Accept"},
        "application/json",
    )
