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

from kg.errors import (
    LenkgError,
    LimitError,
    NotAcceptableError,
    ParameterError,
    QueryError,
    RefusedError,
    TokenError,
    UnknownNameError,
)

STATUS: dict[type[Exception], int] = {
    UnknownNameError: 404,
    ParameterError: 400,
    QueryError: 400,
    TokenError: 401,
    RefusedError: 403,
    NotAcceptableError: 406,
    LimitError: 503,
}


class PayloadError(Exception):
    """A request whose body cannot be taken; with the status that says why."""

    def __init__(self, status: int, message: str) -> None:
        self.status = status
        super().__init__(message)


def problem(
    status: int, detail: str, headers: dict[str, str] | None = None, **more: Any
) -> JSONResponse:
    """A problem document with its status, a sentence for the user, and further members."""
    body = {"title": HTTPStatus(status).phrase, "status": status, "detail": detail} | more
    return JSONResponse(body, status, headers, media_type="application/problem+json")


def answered(error: Exception) -> JSONResponse:
    """An error as a problem document; one that nobody expected is logged, and told by a number."""
    if isinstance(error, PayloadError):
        return problem(error.status, str(error), {"Connection": "close"})
    status = next((s for kind, s in STATUS.items() if isinstance(error, kind)), 500)
    if status == 500:
        number = uuid.uuid4().hex[:12]
        logging.getLogger("lenkg").error("error %s", number, exc_info=error)
        return problem(500, f"something went wrong here; the log has it as {number}")
    headers: dict[str, str] = {}
    if isinstance(error, LimitError):
        status = 429 if error.limit == "requests" else 503
        if error.retry:
            headers["Retry-After"] = str(error.retry)
    if status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    told = ("line", "column", "parameter", "nearest", "offered", "limit", "seconds")
    more = {key: value for key in told if (value := getattr(error, key, None))}
    return problem(status, str(error), headers, **more)


def _of_any(_: Request, error: Exception) -> JSONResponse:
    return answered(error)


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


def install(app: FastAPI) -> None:
    """Makes every error of the app a problem document."""
    app.add_exception_handler(LenkgError, _of_any)
    app.add_exception_handler(HTTPException, _of_http)
    app.add_exception_handler(RequestValidationError, _of_validation)
    app.add_exception_handler(Exception, _of_any)
