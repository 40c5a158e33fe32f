"""Which format a request wants: by the path's suffix, else by Accept (RFC 9110, 12.5.1)."""

from __future__ import annotations

from collections.abc import Iterable

from kg.errors import NotAcceptableError

SUFFIXES = {
    "json": "application/json",
    "csv": "text/csv",
    "tsv": "text/tab-separated-values",
    "html": "text/html",
    "rq": "application/sparql-query",
    "srj": "application/sparql-results+json",
    "srx": "application/sparql-results+xml",
    "ttl": "text/turtle",
    "nt": "application/n-triples",
    "jsonld": "application/ld+json",
    "rdf": "application/rdf+xml",
    "trig": "application/trig",
    "nq": "application/n-quads",
}
# what a request for application/json takes, too; none of these is offered beside it
JSON = ("application/ld+json", "application/sparql-results+json")


def suffix(name: str, offered: Iterable[str]) -> tuple[str, str | None]:
    """A path's last part without its format suffix, and the media type that the suffix asks for."""
    stem, dot, ending = name.rpartition(".")
    media_type = SUFFIXES.get(ending)
    return (stem, media_type) if dot and media_type in set(offered) else (name, None)


def negotiate(accept: str | None, offered: Iterable[str]) -> str:
    """The offered media type that an Accept header prefers; the first offered one in a tie.

    application/json stands for RDF and SPARQL results in JSON as well.
    Raises NotAcceptableError where none is acceptable.
    """
    choices = list(offered)
    if not accept or not accept.strip():
        return choices[0]
    ranges = [quality(part) for part in accept.split(",") if part.strip()]

    def weight(media_type: str) -> float:
        main = media_type.partition("/")[0]
        plain = ["application/json"] if media_type in JSON else []
        for pattern in (media_type, *plain, f"{main}/*", "*/*"):
            matches = [q for name, q in ranges if name == pattern]
            if matches:
                return max(matches)
        return 0.0

    best = max(choices, key=weight)
    if weight(best) <= 0:
        raise NotAcceptableError(accept, choices)
    return best


def wants_page(accept: str | None) -> bool:
    """Whether an Accept header prefers a page to JSON, where there are these two."""
    return negotiate(accept, ("application/json", "text/html")) == "text/html"


def quality(part: str) -> tuple[str, float]:
    """One range of an Accept header or its kin, and its weight (RFC 9110, section 12.4.2)."""
    name, *parameters = (piece.strip().lower() for piece in part.split(";"))
    for parameter in parameters:
        key, _, value = parameter.partition("=")
        if key.strip() == "q":
            try:
                return name, min(max(float(value), 0.0), 1.0)
            except ValueError:
                return name, 0.0
    return name, 1.0
