"""The application: its routes, its processes, and how it is run."""

from __future__ import annotations

import json
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import uvicorn
from fastapi import FastAPI, Request, Response
from fastapi.middleware.cors import CORSMiddleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.types import ASGIApp, Receive, Scope, Send

from api import problems, questions, resources, sparql
from api.formats import negotiate, wants_page
from api.pages import page, served
from api.pool import Pool
from kg.errors import LenkgError
from kg.question import Graph
from kg.resource import served_context
from kg.store import Snapshot, current
from kg.terms import ONTOLOGY

COMPRESSED = 1024  # bytes from which an answer is sent compressed
HEADLINE = "/questions/improved-outcome?outcome=mrd-negativity&population=transplant-eligible-ndmm"


class HeadAsGet:
    """Answers HEAD as GET; the server in front leaves the body out (RFC 9110, section 9.3.2)."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The request, its method read as GET where it is HEAD."""
        if scope["type"] == "http" and scope["method"] == "HEAD":
            scope = {**scope, "method": "GET"}
        await self.app(scope, receive, send)


def create_app(snapshot: Snapshot, seconds: float = 10.0) -> FastAPI:
    """The application on one snapshot; a query may run for `seconds`.

    Questions and resources have a process of their own, so that slow SPARQL queries do
    not hold them up.
    """

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        own, public = Pool(snapshot, 1, seconds), Pool(snapshot, 2, seconds)
        app.state.graph, app.state.sparql = Graph(own), public
        yield
        own.close()
        public.close()

    app = FastAPI(
        title="LenKG",
        summary="Lenalidomide Evidence Knowledge Graph",
        description="What a review says about lenalidomide in multiple myeloma, and where.",
        version=str(snapshot.manifest["release"]),
        docs_url=None,
        redoc_url=None,
        lifespan=lifespan,
    )
    app.add_middleware(GZipMiddleware, minimum_size=COMPRESSED)
    app.add_middleware(
        CORSMiddleware, allow_origins=["*"], allow_methods=["GET", "POST"], allow_headers=["*"]
    )
    app.add_middleware(HeadAsGet)
    problems.install(app)

    @app.get("/", summary="Where to begin")
    def start(request: Request) -> Any:
        links = {
            "questions": "/questions",
            "example": HEADLINE,
            "sparql": "/sparql",
            "openapi": "/openapi.json",
            "context": "/context.jsonld",
            "ontology": "/ontology/",
            "version": "/version",
        }
        if wants_page(request.headers.get("accept")):
            return page("start.html", title="LenKG", links=links, headline=HEADLINE)
        return {"name": "Lenalidomide Evidence Knowledge Graph", "links": links}

    @app.get("/health", summary="Whether queries are answered")
    def health(request: Request) -> dict[str, str]:
        request.app.state.graph.store.query("ASK {}")
        return {"status": "ok"}

    @app.get("/version", summary="What is served")
    def version() -> dict[str, Any]:
        return {
            key: snapshot.manifest[key]
            for key in ("name", "release", "snapshot", "quads", "graphs")
        }

    @app.get("/context.jsonld", summary="The JSON-LD context")
    def context() -> Response:
        return Response(json.dumps(served_context(), indent=2), media_type="application/ld+json")

    @app.get("/ontology/", summary="The ontology, as a page to browse or as Turtle")
    def documented(request: Request) -> Response:
        chosen = negotiate(request.headers.get("accept"), ("text/html", "text/turtle"))
        if chosen == "text/html":
            return served(snapshot.documentation.read_text(encoding="utf-8"))
        return ontology()

    @app.get("/ontology.ttl", summary="The ontology")
    def ontology() -> Response:
        turtle = (ONTOLOGY / "lenkg.ttl").read_bytes()
        return Response(turtle, headers={"Vary": "Accept"}, media_type="text/turtle")

    app.include_router(questions.router())
    app.include_router(sparql.router())
    app.include_router(resources.router())
    return app


def run(host: str, port: int, seconds: float) -> None:
    """Serves the last built snapshot until interrupted; LenkgError if the port is taken."""
    app = create_app(current(), seconds)
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # Only where the protocol is named does asyncio turn Nagle's algorithm off (40 ms an answer).
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        raise LenkgError(
            f"port {port} on {host} cannot be used: {error.strerror}; set PORT=…"
        ) from error
    address = f"http://{host}:{listener.getsockname()[1]}"
    print(f"LenKG is served on {address}\nTry {address}{HEADLINE}", flush=True)
    uvicorn.Server(uvicorn.Config(app, log_level="warning", access_log=False)).run([listener])
