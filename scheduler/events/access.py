"""Who may watch: the address, the page that asks, the token."""

from __future__ import annotations

import base64
import binascii
import hmac
from collections.abc import Sequence
from http import HTTPStatus
from typing import Final, NamedTuple
from urllib.parse import SplitResult, urlsplit

from websockets.datastructures import Headers
from websockets.typing import Subprotocol

from scheduler.settings import Settings

PATH: Final = "/v1/events"
JOBS_PATH: Final = "/api/ws"
"""Events of jobs, in the words of the clients of ``/api/jobs``."""
PROTOCOL: Final = Subprotocol("events.v1")
BEARER: Final = "bearer."
"""A browser cannot set headers: its token is a subprotocol, ``bearer.`` and the token in base64url."""
_LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1"})
_DEFAULT_PORTS: Final = {"http": 80, "https": 443}


class Refusal(NamedTuple):
    """Why not."""

    status: HTTPStatus
    reason: str


class Access:
    """The rules, as the settings have them."""

    def __init__(self, settings: Settings) -> None:
        self._token = settings.api.auth_token.encode()
        self._http_port = settings.server.port
        self._origins = {_normal(origin) for origin in settings.events.allowed_origins.split(",") if origin}

    def refuse(self, address: str, headers: Headers) -> Refusal | None:
        """None for who may watch.  ``address``: path and query."""
        if urlsplit(address).path not in (PATH, JOBS_PATH):
            return Refusal(HTTPStatus.NOT_FOUND, f"live events are at {PATH}, those of jobs also at {JOBS_PATH}")
        for origin in headers.get_all("Origin"):
            if not self._may_ask(origin, headers):
                return Refusal(
                    HTTPStatus.FORBIDDEN, f"pages of {origin} may not watch: add it to Events.AllowedOrigins"
                )
        if self._token and not any(hmac.compare_digest(given, self._token) for given in _tokens(headers)):
            return Refusal(
                HTTPStatus.UNAUTHORIZED,
                f"a valid token is needed: Authorization: Bearer <token>, or the subprotocols {PROTOCOL} and "
                f"{BEARER}<base64url of the token>",
            )
        return None

    def _may_ask(self, origin: str, headers: Headers) -> bool:
        """Everything but a browser has no origin.  Without this rule any page that its user visits could watch."""
        if "*" in self._origins or _normal(origin) in self._origins:
            return True
        page, called = urlsplit(origin), urlsplit("//" + (headers.get_all("Host") or [""])[0])
        if page.scheme not in _DEFAULT_PORTS or not _same_host(page.hostname, called.hostname):
            return False
        # A page of this service: straight from its HTTP port (0: whichever that came to be), or through the same proxy.
        return not self._http_port or _port(page) in (self._http_port, _port(called, page.scheme))


def choose_protocol(_: object, offered: Sequence[Subprotocol]) -> Subprotocol | None:
    """The subprotocol that is answered: never the one that holds the token."""
    return PROTOCOL if PROTOCOL in offered else None


def _tokens(headers: Headers) -> list[bytes]:
    """Every token that the request shows."""
    found: list[bytes] = []
    for text in headers.get_all("Authorization"):
        scheme, _, rest = text.partition(" ")
        found.append((rest.strip() if scheme.lower() == "bearer" else text).encode("utf-8", "surrogateescape"))
    for text in ",".join(headers.get_all("Sec-WebSocket-Protocol")).split(","):
        name = text.strip()
        if name.startswith(BEARER):
            coded = name.removeprefix(BEARER)
            try:
                found.append(base64.b64decode(coded + "=" * (-len(coded) % 4), altchars=b"-_", validate=True))
            except (binascii.Error, ValueError):
                continue
    return found


def _same_host(one: str | None, other: str | None) -> bool:
    return one is not None and (one == other or {one, other} <= _LOOPBACK)


def _port(parts: SplitResult, scheme: str = "") -> int | None:
    try:
        return parts.port or _DEFAULT_PORTS.get(parts.scheme or scheme)
    except ValueError:
        return None


def _normal(origin: str) -> str:
    """An origin as browsers write it: lower case, without the scheme's own port."""
    parts = urlsplit(origin.strip().lower())
    if parts.scheme in _DEFAULT_PORTS and parts.netloc.endswith(f":{_DEFAULT_PORTS[parts.scheme]}"):
        return f"{parts.scheme}://{parts.netloc.rpartition(':')[0]}"
    return origin.strip().lower()
