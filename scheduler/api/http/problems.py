"""Make error answers: the status of each exception, in the shape that each area of the API has.

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
from collections.abc import Callable, Sequence
from http import HTTPStatus
from typing import Any

from werkzeug.exceptions import HTTPException

from scheduler.api.http.exchange import Answer, Exchange, json_answer, problem_answer
from scheduler.errors import Conflict, FieldError, HistoryUnavailable, InvalidInput, NotFound, StoreUnavailable

_NO_ROUTE = "no such route"
_INTERNAL = "Internal error; the log of this server says more."
_NO_HISTORY = "The database of the history does not answer. Messages are accepted and delivered all the same."
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


def error_answer(
    path: str, status: int, detail: str, errors: Sequence[FieldError] = (), headers: dict[str, str] | None = None
) -> Answer:
    """Return an error answer in the shape of the area that ``path`` belongs to."""
    shape = _shape_of(path)
    body = shape(status, detail)
    if shape is not _problem:
        return json_answer(body, status, headers)
    if errors:
        body["errors"] = [{"field": error.field, "message": error.message} for error in errors]
    return problem_answer(body, status, headers)


def answer_to(x: Exchange, error: Exception) -> Answer:
    """Return the answer to the request that raised this error."""
    if isinstance(error, HTTPException):
        headers = {name: value for name, value in error.get_headers() if name not in {"Content-Type", "Content-Length"}}
        return error_answer(x.path, error.code or HTTPStatus.INTERNAL_SERVER_ERROR, _http_text(x, error), (), headers)
    if isinstance(error, InvalidInput):
        return error_answer(x.path, HTTPStatus.BAD_REQUEST, _first_words(error), error.errors)
    if isinstance(error, NotFound):
        return error_answer(x.path, HTTPStatus.NOT_FOUND, str(error))
    if isinstance(error, Conflict):
        return error_answer(x.path, HTTPStatus.CONFLICT, str(error))
    if isinstance(error, StoreUnavailable):
        headers = {"Retry-After": str(max(1, math.ceil(error.retry_after)))}
        return error_answer(x.path, HTTPStatus.SERVICE_UNAVAILABLE, f"{error.reason}. {_TRY_AGAIN}", (), headers)
    if isinstance(error, HistoryUnavailable):
        x.here.log.error(f"{x.method} {x.path}: the database of the history does not answer: {error}")
        return error_answer(x.path, HTTPStatus.SERVICE_UNAVAILABLE, _NO_HISTORY, (), {"Retry-After": "5"})
    x.here.log.error(f"{x.method} {x.path} failed", exception=error)
    return error_answer(x.path, HTTPStatus.INTERNAL_SERVER_ERROR, _INTERNAL)


def _first_words(error: InvalidInput) -> str:
    """Return one sentence, even for a batch with a thousand faults; ``errors`` lists them all."""
    first = InvalidInput(error.errors[:1])
    others = len(error.errors) - 1
    return f"{first} (and {others} more)" if others > 0 else str(first)


def _http_text(x: Exchange, error: HTTPException) -> str:
    # An HTTPException's own description is prose about browsers, unless a module of this service gave it.
    if error.code == HTTPStatus.NOT_FOUND:
        return f"{_NO_ROUTE}: {x.path[:200]}"
    if error.code == HTTPStatus.METHOD_NOT_ALLOWED:
        return "Method not allowed."
    if error.code == HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
        return f"the body is larger than {x.here.settings.api.max_body_bytes} bytes (Api.MaxBodyBytes)"
    return error.description or HTTPStatus(error.code or 500).phrase
