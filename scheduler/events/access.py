"""Who may watch: the address, the page that asks, the token."""

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
"""Events of jobs, in the words of the clients of ``/api/jobs``."""
PROTOCOL: Final = Subprotocol("events.v1")
BEARER: Final = "bearer."
"""A browser cannot set headers: its token is a subprotocol, ``bearer.`` and the token in base64url."""


class Refusal(NamedTuple):
    """Why not."""

    status: HTTPStatus
    reason: str


class Access:
    """The rules, as the settings have them."""

    def __init__(self, settings: Settings) -> None:
        self._tokens = Tokens(settings)
        # The dashboard comes from the HTTP API's port, or with the events through one proxy.
        origins = settings.events.allowed_origins
        self._sites = Sites(settings, "Events.AllowedOrigins", origins, page_port=settings.server.port)

    def refuse(self, address: str, headers: Headers) -> Refusal | None:
        """None for who may watch.  ``address``: path and query."""
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
    """The subprotocol that is answered: never the one that holds the token."""
    return PROTOCOL if PROTOCOL in offered else None


def _tokens(headers: Headers) -> list[bytes]:
    """Every token that the request shows."""
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
