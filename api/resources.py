"""GET /{kind}/{slug}: everything with an address, as JSON-LD, other RDF, or a plain page."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from api.formats import negotiate, suffix
from api.pages import page
from kg.resource import about, properties
from kg.results import TRIPLES

OFFERED = (
    "application/ld+json",
    *(name for name in TRIPLES if name != "application/ld+json"),
    "text/html",
)


def router() -> APIRouter:
    """The route of all things."""
    routes = APIRouter(tags=["resources"])

    @routes.get("/{kind}/{slug}", summary="What the graph says about a thing")
    def resource(request: Request, kind: str, slug: str) -> Response:
        graph = request.state.served.graph
        name, media_type = suffix(slug, OFFERED)
        media_type = media_type or negotiate(request.headers.get("accept"), OFFERED)
        if media_type == "text/html":
            rows = properties(graph, kind, name)
            title = next((r["value"] for r in rows if r["property"] == "label"), f"{kind}/{name}")
            return page("resource.html", title=title, kind=kind, slug=name, rows=rows)
        return Response(about(graph, kind, name, media_type), 200, {"Vary": "Accept"}, media_type)

    return routes
