"""The application: its routes, its processes, and how it is run."""

from __future__ import annotations

import re
import socket
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import uvicorn
from fastapi import FastAPI, Request, Response
from fastapi.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp, Receive, Scope, Send

from api import problems, questions, resources, sparql
from api.formats import negotiate, wants_page
from api.guard import Guard, SecurityHeaders, Settings
from api.kept import Kept
from api.pages import page, served
from api.protocol import Bounded
from api.serving import Serving
from api.sparql import Sparql
from kg.errors import LenkgError
from kg.store import Snapshot, current

HEADLINE = "/questions/improved-outcome?outcome=mrd-negativity&population=transplant-eligible-ndmm"
SHOWN = ["Content-Encoding", "ETag", "LenKG-Truncated", "Retry-After"]  # to scripts of other sites


class Rooms:
    """Sends what begins with /sparql to the endpoint, and everything else to the routes."""

    def __init__(self, routes: FastAPI) -> None:
        self.routes = routes
        self.sparql = Sparql()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes a request on."""
        of_sparql = scope["type"] == "http" and re.match(r"/sparql($|[/.])", scope["path"])
        await (self.sparql if of_sparql else self.routes)(scope, receive, send)


def create_app(latest: Callable[[], Snapshot], settings: Settings) -> ASGIApp:
    """The application on what `latest` gives; it takes over what that gives later.

    From outside to inside: what browsers are told, other sites' scripts (CORS), answers kept
    ready, and then the SPARQL endpoint or the routes.
    """
    serving = Serving(latest, settings.limits)
    routes = _routes(serving)
    kept = Kept(Rooms(routes), serving.now, Guard(settings))
    cors = CORSMiddleware(
        kept,
        allow_origins=["*"],
        allow_methods=["GET", "HEAD", "POST", "OPTIONS"],
        allow_headers=["*"],
        expose_headers=SHOWN,
        max_age=86400,
    )
    return SecurityHeaders(cors)


def _routes(serving: Serving) -> FastAPI:
    """All routes but the SPARQL endpoint's."""

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        await serving.start()
        yield
        await serving.stop()

    app = FastAPI(
        title="LenKG",
        summary="Lenalidomide Evidence Knowledge Graph",
        description="What a review says about lenalidomide in multiple myeloma, and where.",
        version=str(serving.current.snapshot.manifest["release"]),
        docs_url=None,
        redoc_url=None,
        lifespan=lifespan,
    )
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
        request.state.served.graph.store.query("ASK {}")
        return {"status": "ok"}

    @app.get("/version", summary="What is served")
    def version(request: Request) -> dict[str, Any]:
        manifest = request.state.served.snapshot.manifest
        return {key: manifest[key] for key in ("name", "release", "snapshot", "quads", "graphs")}

    @app.get("/context.jsonld", summary="The JSON-LD context")
    def context(request: Request) -> Response:
        content = request.state.served.snapshot.context.read_bytes()
        return Response(content, media_type="application/ld+json")

    @app.get("/ontology/", summary="The ontology, as a page to browse or as Turtle")
    def documented(request: Request) -> Response:
        chosen = negotiate(request.headers.get("accept"), ("text/html", "text/turtle"))
        if chosen == "text/html":
            snapshot = request.state.served.snapshot
            return served(snapshot.documentation.read_text(encoding="utf-8"))
        return ontology(request)

    @app.get("/ontology.ttl", summary="The ontology")
    def ontology(request: Request) -> Response:
        turtle = request.state.served.snapshot.ontology.read_bytes()
        return Response(turtle, headers={"Vary": "Accept"}, media_type="text/turtle")

    app.include_router(questions.router())
    app.include_router(resources.router())
    described = app.openapi()
    described["paths"] |= sparql.documented()
    return app


def run(host: str, port: int, settings: Settings) -> None:
    """Serves the last built snapshot until interrupted; LenkgError if the port is taken."""
    app = create_app(current, settings)
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # Only where the protocol is named does asyncio turn Nagle's algorithm off (40 ms an answer).
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if hasattr(socket, "TCP_USER_TIMEOUT"):  # a client that takes nothing is let go
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, 30_000)
    try:
        listener.bind((host, port))
    except OSError as error:
        raise LenkgError(
            f"port {port} on {host} cannot be used: {error.strerror}; set PORT=…"
        ) from error
    listener.listen(2048)  # whoever comes before all is loaded waits
    address = f"http://{host}:{listener.getsockname()[1]}"
    print(f"LenKG is served on {address}\nTry {address}{HEADLINE}", flush=True)
    config = uvicorn.Config(
        app,
        log_level="warning",
        access_log=False,
        server_header=False,
        loop="uvloop" if sys.platform != "win32" else "asyncio",
        http=Bounded,
        ws="none",
        timeout_graceful_shutdown=5,
    )
    uvicorn.Server(config).run([listener])
