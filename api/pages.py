"""Pages for people, rendered here: no script, nothing from elsewhere."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from kg.question import flags
from kg.terms import BASE

_environment = Environment(
    loader=FileSystemLoader(Path(__file__).parent / "templates"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_environment.filters["head"] = lambda name: name.removesuffix("Name")
_environment.filters["local"] = lambda address: (
    "/" + address.removeprefix(BASE) if str(address).startswith(BASE) else address
)
_environment.filters["flags"] = flags


def page(template: str, **values: Any) -> HTMLResponse:
    """A template of api/templates, filled in."""
    return served(_environment.get_template(template).render(**values))


def served(html: str) -> HTMLResponse:
    """A page with what a browser is told: nothing from elsewhere, no script."""
    return HTMLResponse(
        html,
        headers={
            "Vary": "Accept",
            "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'",
        },
    )
