"""The one token that opens everything but the front door, the health check and the docs."""

from __future__ import annotations

import hmac
from collections.abc import Callable
from http import HTTPStatus

from flask import Response, request

from scheduler.api.problems import error_response

OPEN_PATHS = frozenset({"/", "/health", "/openapi.json", "/docs"})
OPEN_FOLDERS = ("/docs/", "/assets/")


def is_open(path: str) -> bool:
    """True for what needs no token."""
    return path in OPEN_PATHS or path.startswith(OPEN_FOLDERS)


def token_check(token: str) -> Callable[[], Response | None]:
    """A ``before_request`` function that answers 401 unless the request carries ``token``, bare or as ``Bearer``."""
    expected = token.encode()

    def check() -> Response | None:
        if is_open(request.path) or _matches(request.headers.get("Authorization", ""), expected):
            return None
        return error_response(
            HTTPStatus.UNAUTHORIZED,
            "a valid token is needed: Authorization: Bearer <token>",
            headers={"WWW-Authenticate": "Bearer"},
        )

    return check


def _matches(header: str, expected: bytes) -> bool:
    # WSGI hands header bytes over as Latin-1.
    given = header.encode("latin-1", "replace")
    scheme, _, rest = given.partition(b" ")
    if scheme.lower() == b"bearer":
        given = rest.strip()
    return hmac.compare_digest(given, expected)
