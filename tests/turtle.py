"""Small graphs in the text of a case: Turtle that knows LenKG's prefixes."""

from __future__ import annotations

import pyoxigraph as ox

from kg.terms import prefixes

HEAD = "".join(f"@prefix {name}: <{address}> .\n" for name, address in prefixes().items())


def turtle(text: str) -> set[ox.Triple]:
    """The triples of a text that declares no prefix."""
    return {quad.triple for quad in ox.parse((HEAD + text).encode(), format=ox.RdfFormat.TURTLE)}
