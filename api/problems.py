"""Every error as application/problem+json (RFC 9457): one shape, one function."""

from __future__ import annotations

import logging
import uuid
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from api.formats import NotAcceptableError
from kg.errors import (
    LenkgError,
    LimitError,
    ParameterError,
    QueryError,
    RefusedError,
    UnknownNameError,
)

STATUS: dict[type[Exception], int] = {
    UnknownNameError: 404,
    ParameterError: 400,
    QueryError: 400,
    RefusedError: 403,
    LimitError: 503,
    NotAcceptableError: 406,
}


def problem(
    status: int, detail: str, headers: dict[str, str] | None = None, **more: Any
) -> JSONResponse:
    """A problem document with its status, a sentence for the user, and further members."""
    body = {"title": HTTPStatus(status).phrase, "status": status, "detail": detail} | more
    return JSONResponse(body, status, headers, media_type="application/problem+json")


def _of_ours(_: Request, error: Exception) -> JSONResponse:
    status = next((s for kind, s in STATUS.items() if isinstance(error, kind)), 500)
    more = {
        key: value
        for key in ("line", "column", "parameter", "nearest", "offered")
        if (value := getattr(error, key, None))
    }
    headers = {"Retry-After": "5"} if status == 503 else None
    return problem(status, str(error), headers, **more)


def _of_http(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    detail = str(error.detail)
    if error.status_code == 404:
        detail = f"there is nothing at {request.url.path[:200]}; begin at /"
    if error.status_code == 405:
        detail = (
            f"{request.method} is not offered at {request.url.path[:200]}; this graph is read-only"
        )
    return problem(error.status_code, detail, dict(error.headers or {}))


def _of_validation(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    name = str(first["loc"][-1])
    return problem(400, f"{name}: {first['msg']}", parameter=name)


def _unexpected(_: Request, error: Exception) -> JSONResponse:
    number = uuid.uuid4().hex[:12]
    logging.getLogger("lenkg").error("error %s", number, exc_info=error)
    return problem(500, f"something went wrong here; the log has it as {number}")


def install(app: FastAPI) -> None:
    """Makes every error of the app a problem document."""
    for kind in (LenkgError, NotAcceptableError):
        app.add_exception_handler(kind, _of_ours)
    app.add_exception_handler(HTTPException, _of_http)
    app.add_exception_handler(RequestValidationError, _of_validation)
    app.add_exception_handler(Exception, _unexpected)
