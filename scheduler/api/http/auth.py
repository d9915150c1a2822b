"""The tokens, any of which opens everything; the front door, the health check and the docs need none."""

from __future__ import annotations

from collections.abc import Callable
from http import HTTPStatus

from flask import Response, request

from scheduler.access import Tokens, token_of
from scheduler.api.http.problems import error_response

OPEN_PATHS = frozenset({"/", "/health", "/openapi.json", "/docs"})
OPEN_FOLDERS = ("/docs/", "/assets/")


def is_open(path: str) -> bool:
    """True for what needs no token."""
    return path in OPEN_PATHS or path.startswith(OPEN_FOLDERS)


def token_check(tokens: Tokens) -> Callable[[], Response | None]:
    """A ``before_request`` function that answers 401 unless the request carries a token, bare or as ``Bearer``."""

    def check() -> Response | None:
        if is_open(request.path) or tokens.accept(given_token()):
            return None
        return error_response(
            HTTPStatus.UNAUTHORIZED,
            "a valid token is needed: Authorization: Bearer <token>",
            headers={"WWW-Authenticate": "Bearer"},
        )

    return check


def given_token() -> bytes:
    """The token that the request at hand brings; empty when it brings none."""
    # WSGI hands header bytes over as Latin-1.  Read from there: request.headers takes longer than the comparison.
    return token_of(request.environ.get("HTTP_AUTHORIZATION", "").encode("latin-1", "replace"))
