"""Decide who may watch live events, by the path, the browser's page and the token."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from http import HTTPStatus
from typing import Final, NamedTuple
from urllib.parse import urlsplit

from websockets.datastructures import Headers
from websockets.typing import Subprotocol

from scheduler.access import EVENTS_PATH, Sites, Tokens, token_of
from scheduler.config.settings import Settings

PATH: Final = EVENTS_PATH
JOBS_PATH: Final = "/api/ws"
"""Events of jobs, with the status names of ``/api/jobs``."""
PROTOCOL: Final = Subprotocol("events.v1")
BEARER: Final = "bearer."
"""Browsers cannot set headers here, so they send the token as a subprotocol: ``bearer.<base64url of the token>``."""


class Refusal(NamedTuple):
    """The HTTP answer to a viewer that is refused."""

    status: HTTPStatus
    reason: str


class Access:
    """The rules of access, from the settings."""

    def __init__(self, settings: Settings) -> None:
        self._tokens = Tokens(settings)
        # The dashboard is served from the API's port, or through the same proxy as the events.
        origins = settings.events.allowed_origins
        self._sites = Sites(settings, "Events.AllowedOrigins", origins, page_port=settings.server.port)

    def refuse(self, address: str, headers: Headers) -> Refusal | None:
        """Return why this viewer is refused; None: it may watch.  ``address``: path and query."""
        if urlsplit(address).path not in (PATH, JOBS_PATH):
            return Refusal(HTTPStatus.NOT_FOUND, f"live events are at {PATH}, those of jobs also at {JOBS_PATH}")
        host, site = (next(iter(headers.get_all(name)), "") for name in ("Host", "Sec-Fetch-Site"))
        reason = self._sites.host_refusal(host) or self._sites.refusal(host, headers.get_all("Origin"), site)
        if reason is not None:
            return Refusal(HTTPStatus.FORBIDDEN, reason)
        if self._tokens and not any(self._tokens.accept(given) for given in _tokens(headers)):
            return Refusal(
                HTTPStatus.UNAUTHORIZED,
                f"a valid token is needed: Authorization: Bearer <token>, or the subprotocols {PROTOCOL} and "
                f"{BEARER}<base64url of the token>",
            )
        return None


def choose_protocol(_: object, offered: Sequence[Subprotocol]) -> Subprotocol | None:
    """Return the subprotocol for the answer; never the one with the token, which would be echoed."""
    return PROTOCOL if PROTOCOL in offered else None


def _tokens(headers: Headers) -> list[bytes]:
    """Return every token of the request."""
    found = [token_of(text.encode("utf-8", "surrogateescape")) for text in headers.get_all("Authorization")]
    for text in ",".join(headers.get_all("Sec-WebSocket-Protocol")).split(","):
        name = text.strip()
        if name.startswith(BEARER):
            coded = name.removeprefix(BEARER)
            try:
                found.append(base64.b64decode(coded + "=" * (-len(coded) % 4), altchars=b"-_", validate=True))
            except (binascii.Error, ValueError):
                continue
    return found
