"""Browser pages of other origins (CORS): none, unless ``Api.CorsOrigins`` names them."""

from __future__ import annotations

import re

from flask import Flask, Response, request
from flask_cors import CORS

from scheduler.access import normal
from scheduler.api.http.idempotency import HEADER
from scheduler.api.http.respond import ApiResponse

_REMEMBERED_SECONDS = 600
_EXPOSED = ["Link", "Location", "RateLimit-Limit", "RateLimit-Remaining", "RateLimit-Reset", "Retry-After"]


def register(app: Flask, origins: str) -> None:
    """Let scripts of these origins (separated by commas, or ``*``) use the API.  Comes before the token check: browsers
    ask for permission without a token.
    """
    if not origins:
        return
    app.before_request(_answer_preflight)
    CORS(
        app,
        origins="*"
        if origins == "*"
        else [re.compile(re.escape(normal(one)) + r"\Z", re.IGNORECASE) for one in origins.split(",")],
        methods=["GET", "POST", "PATCH", "DELETE"],
        allow_headers=["Authorization", "Content-Type", HEADER],
        expose_headers=_EXPOSED,
        max_age=_REMEMBERED_SECONDS,
        always_send=False,
    )


def _answer_preflight() -> Response | None:
    """The headers that say yes are Flask-Cors's; without them this answer is a no."""
    if request.method != "OPTIONS" or "Access-Control-Request-Method" not in request.headers:
        return None
    response = ApiResponse(status=204)
    del response.headers["Content-Type"]
    return response
