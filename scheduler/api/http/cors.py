"""Let browser pages of other origins use the API (CORS) when ``Api.CorsOrigins`` names them; else none may."""

from __future__ import annotations

import re
from typing import Any

from flask_cors.core import DEFAULT_OPTIONS, get_cors_headers, serialize_options

from scheduler.access import normal
from scheduler.api.http.exchange import Answer, Exchange, HeaderFields, empty_answer
from scheduler.api.http.idempotency import HEADER

_REMEMBERED_SECONDS = 600
_EXPOSED = ["Link", "Location", "RateLimit-Limit", "RateLimit-Remaining", "RateLimit-Reset", "Retry-After"]
_ASKED = ("Origin", "Access-Control-Request-Method", "Access-Control-Request-Headers")
"""The headers of a request that Flask-Cors reads."""


class Cors:
    """Lets scripts of these origins use the API.  Flask-Cors decides; it is called without Flask, for the front."""

    def __init__(self, origins: str) -> None:
        """``origins``: separated by commas, or ``*``; empty: none."""
        self._options: Any = origins and serialize_options(
            {
                **DEFAULT_OPTIONS,
                "origins": "*"
                if origins == "*"
                else [re.compile(re.escape(normal(one)) + r"\Z", re.IGNORECASE) for one in origins.split(",")],
                "methods": ["GET", "POST", "PUT", "PATCH", "DELETE"],
                "allow_headers": ["Authorization", "Content-Type", HEADER],
                "expose_headers": _EXPOSED,
                "max_age": _REMEMBERED_SECONDS,
                "always_send": False,
            }
        )

    def preflight(self, x: Exchange) -> Answer | None:
        """Return the answer to a preflight, else None.  It means yes only with the headers that ``complete`` adds."""
        if not self._options or x.method != "OPTIONS" or "access-control-request-method" not in x.headers:
            return None
        return empty_answer()

    def complete(self, x: Exchange, headers: HeaderFields) -> None:
        """Add the headers that let a page of an allowed origin read this answer."""
        if not self._options:
            return
        asked: Any = {name: x.headers.get(name.lower(), "") for name in _ASKED if name.lower() in x.headers}
        for name, value in get_cors_headers(self._options, asked, x.method).items():
            before = headers.get(name)
            headers[name] = f"{before}, {value}" if before else str(value)
