"""Check tokens.  Each of them allows everything; ``/``, the health check and the docs need none."""

from __future__ import annotations

from http import HTTPStatus

from scheduler.access import Tokens, token_of
from scheduler.api.http.exchange import Answer, Exchange
from scheduler.api.http.problems import error_answer

OPEN_PATHS = frozenset({"/", "/health", "/openapi.json", "/docs"})
OPEN_FOLDERS = ("/docs/", "/assets/")


def is_open(path: str) -> bool:
    """Return whether this path needs no token."""
    return path in OPEN_PATHS or path.startswith(OPEN_FOLDERS)


def refusal(tokens: Tokens, x: Exchange) -> Answer | None:
    """Return a 401 unless the request has a valid token, bare or as ``Bearer``, or needs none."""
    if not tokens or is_open(x.path) or tokens.accept(given_token(x)):
        return None
    return error_answer(
        x.path,
        HTTPStatus.UNAUTHORIZED,
        "a valid token is needed: Authorization: Bearer <token>",
        headers={"WWW-Authenticate": "Bearer"},
    )


def given_token(x: Exchange) -> bytes:
    """Return the token of the request; empty when it has none."""
    # Header bytes come as Latin-1.
    return token_of(x.headers.get("authorization", "").encode("latin-1", "replace"))
