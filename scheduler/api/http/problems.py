"""Every error answer: which status an exception means, and in which shape each area of the API says it.

=====================================  =================================================================================
area                                   shape
=====================================  =================================================================================
``/v1``                                ``application/problem+json`` (RFC 9457)
``/echoAtTime``, ``/health``           ``{"status": "error", "message": …}``
``/api``                               ``{"detail": …}``
everything else                        ``{"status": <code>, "error": …}``; 401 ``{"status": 401, "data": …}``
=====================================  =================================================================================
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from http import HTTPStatus
from typing import Any

import orjson
from flask import Flask, Response, request
from werkzeug.exceptions import HTTPException

from scheduler.api.http.respond import ApiResponse, json_bytes
from scheduler.api.http.services import services
from scheduler.errors import Conflict, FieldError, InvalidInput, NotFound, ServiceError, StoreUnavailable

_NO_ROUTE = "no such route"
_INTERNAL = "Internal error; the log of this server says more."
_TRY_AGAIN = "Try again: with the same id or Idempotency-Key nothing is stored twice."

Shape = Callable[[int, str], dict[str, Any]]
"""(status, what was wrong) to a body."""


def _problem(status: int, detail: str) -> dict[str, Any]:
    return {"type": "about:blank", "title": HTTPStatus(status).phrase, "status": status, "detail": detail}


def _message(status: int, detail: str) -> dict[str, Any]:
    text = "Unauthorized." if status == HTTPStatus.UNAUTHORIZED else detail
    return {"status": "error", "message": text}


def _detail(_: int, detail: str) -> dict[str, Any]:
    text = "Not Found" if detail.startswith(_NO_ROUTE) else detail
    return {"detail": text}


def _plain(status: int, detail: str) -> dict[str, Any]:
    if status == HTTPStatus.UNAUTHORIZED:
        return {"status": status, "data": "Unauthorized."}
    text = "Route not found." if detail.startswith(_NO_ROUTE) else detail
    return {"status": status, "error": text}


_AREAS: tuple[tuple[str, Shape], ...] = (
    ("/v1", _problem),
    ("/api", _detail),
    ("/echoAtTime", _message),
    ("/health", _message),
)


def _shape_of(path: str) -> Shape:
    for prefix, shape in _AREAS:
        if path == prefix or path.startswith(prefix + "/"):
            return shape
    return _plain


def error_response(
    status: int, detail: str, errors: Sequence[FieldError] = (), headers: Mapping[str, str] | None = None
) -> Response:
    """The answer to the request at hand, in the shape of its area."""
    shape = _shape_of(request.path)
    body = shape(status, detail)
    if shape is not _problem:
        return json_bytes(orjson.dumps(body), status, headers)
    if errors:
        body["errors"] = [{"field": error.field, "message": error.message} for error in errors]
    return ApiResponse(orjson.dumps(body), status, headers, content_type="application/problem+json")


def from_service_error(error: ServiceError) -> Response:
    """The answer to the request at hand when this was raised."""
    if isinstance(error, InvalidInput):
        return error_response(HTTPStatus.BAD_REQUEST, _first_words(error), error.errors)
    if isinstance(error, NotFound):
        return error_response(HTTPStatus.NOT_FOUND, str(error))
    if isinstance(error, Conflict):
        return error_response(HTTPStatus.CONFLICT, str(error))
    if isinstance(error, StoreUnavailable):
        headers = {"Retry-After": str(max(1, math.ceil(error.retry_after)))}
        return error_response(HTTPStatus.SERVICE_UNAVAILABLE, f"{error.reason}. {_TRY_AGAIN}", headers=headers)
    return _internal(error)


def _first_words(error: InvalidInput) -> str:
    """One sentence also for a batch with a thousand faults; ``errors`` lists them all."""
    first = InvalidInput(error.errors[:1])
    others = len(error.errors) - 1
    return f"{first} (and {others} more)" if others > 0 else str(first)


def _from_http_exception(error: HTTPException) -> Response:
    status = error.code or HTTPStatus.INTERNAL_SERVER_ERROR
    headers = {name: value for name, value in error.get_headers() if name not in {"Content-Type", "Content-Length"}}
    return error_response(status, _http_text(error), headers=headers)


def _http_text(error: HTTPException) -> str:
    # An HTTPException's own description is HTML-minded prose about browsers, unless one of our modules gave it.
    if error.code == HTTPStatus.NOT_FOUND:
        return f"{_NO_ROUTE}: {request.path[:200]}"
    if error.code == HTTPStatus.METHOD_NOT_ALLOWED:
        return "Method not allowed."
    if error.code == HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
        return f"the body is larger than {services().settings.api.max_body_bytes} bytes (Api.MaxBodyBytes)"
    return error.description or HTTPStatus(error.code or 500).phrase


def _internal(error: Exception) -> Response:
    services().log.error(f"{request.method} {request.path} failed", exception=error)
    return error_response(HTTPStatus.INTERNAL_SERVER_ERROR, _INTERNAL)


def register(app: Flask) -> None:
    """Make every exception an answer in the shape of its area."""
    app.register_error_handler(ServiceError, from_service_error)
    app.register_error_handler(HTTPException, _from_http_exception)
    app.register_error_handler(Exception, _internal)
