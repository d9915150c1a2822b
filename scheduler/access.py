"""Who may use the service: the token, the site of a browser's page, the name that a browser called.

The HTTP API and the live events share these rules.  They are computed once, at the start.
"""

from __future__ import annotations

import hmac
import ipaddress
from collections.abc import Sequence
from functools import lru_cache
from typing import Final
from urllib.parse import SplitResult, urlsplit

from scheduler.config.settings import Settings

EVENTS_PATH: Final = "/v1/events"
"""Where the event server shows live events."""
_LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1"})
_DEFAULT_PORTS: Final = {"http": 80, "https": 443}
_OWN_SITE: Final = frozenset({"same-origin", "none"})
_LONGEST_SHOWN: Final = 200
_REMEMBERED_HOSTS: Final = 256


class Tokens:
    """The tokens of ``Api.AuthToken``; false when there is none."""

    def __init__(self, settings: Settings) -> None:
        self._accepted = tuple(token.encode() for token in settings.api.tokens)

    def __bool__(self) -> bool:
        return bool(self._accepted)

    def accept(self, given: bytes) -> bool:
        """True when ``given`` is one of them, in a time that does not tell how much of a wrong one is right."""
        return any(hmac.compare_digest(given, token) for token in self._accepted)


def token_of(authorization: bytes) -> bytes:
    """The token of an ``Authorization`` header: bare, or after ``Bearer`` and any number of blanks."""
    scheme, _, rest = authorization.partition(b" ")
    return rest.strip() if scheme.lower() == b"bearer" else authorization


class Sites:
    """Which pages may use the service, and under which names a browser may call it.

    Any page can make its visitor's browser send requests to the visitor's own machine and network.  The browser says
    where the page is from (``Origin``, ``Sec-Fetch-Site``), and a page cannot forge that.  Programs send neither.
    """

    def __init__(self, settings: Settings, setting: str, origins: str, *, page_port: int | None = None) -> None:
        """``origins``: the value of ``setting``, which names the pages of other sites that may use the service.

        ``page_port``: where this service's own page is, if not at the port that is called; 0 for any port.
        """
        self._setting = setting
        self._page_port = page_port
        self._any = origins == "*"
        self._named = {normal(origin) for origin in origins.split(",") if origin}
        if settings.server.public_url:
            public = urlsplit(settings.server.public_url)
            self._named.add(normal(f"{public.scheme}://{public.netloc}"))
        self._named_hosts = {_split(origin).hostname for origin in self._named}
        self.checks_hosts = is_loopback(settings.server.host) and not settings.api.tokens and not self._any
        """Only this machine reaches the service and no token is asked for: then the name that is called must be known.

        A foreign page's host name can be made to resolve to 127.0.0.1 (DNS rebinding).  To the browser the service is
        then that page's own site, and no rule about origins holds it off.
        """
        self.host_refusal = lru_cache(_REMEMBERED_HOSTS)(self._host_refusal)
        """Why the service may not be called by this ``Host`` (None: it may).  Remembered, as few names are in use."""

    def _host_refusal(self, host: str) -> str | None:
        if not self.checks_hosts or not host:  # no browser leaves Host out
            return None
        name = _split(f"//{host}").hostname
        if name is not None and (is_loopback(name) or name.endswith(".localhost") or name in self._named_hosts):
            return None
        return (
            f"this service is not known as {host[:_LONGEST_SHOWN]}. Without a token it answers to localhost and "
            "loopback addresses only: set Server.PublicUrl to the address that browsers use, or a token (Api.AuthToken)"
        )

    def refusal(self, host: str, origins: Sequence[str], site: str) -> str | None:
        """Why a page may not use the service (None: it may), from ``Host``, ``Origin`` and ``Sec-Fetch-Site``.

        What the request does not bring is empty.
        """
        if self._any or site in _OWN_SITE:
            return None
        for origin in origins:
            if normal(origin) not in self._named and not self._is_own(origin, host):
                return f"pages of {origin[:_LONGEST_SHOWN]} may not use this service: add it to {self._setting}"
        if site and not origins:
            return f"pages of other sites may not use this service: add them to {self._setting}"
        return None

    def _is_own(self, origin: str, host: str) -> bool:
        page, called = _split(origin), _split(f"//{host}")
        if page.scheme not in _DEFAULT_PORTS or not _same_host(page.hostname, called.hostname):
            return False
        if self._page_port == 0:
            return True
        port = _port(page)
        return port is not None and port in (self._page_port, _port(called, page.scheme))


def is_loopback(host: str) -> bool:
    """True when only this machine can reach the host: a name or an address, of IPv6 with or without brackets."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def normal(origin: str) -> str:
    """An origin as browsers write it: lower case, without the scheme's own port."""
    origin = origin.strip().lower()
    parts = _split(origin)
    if parts.scheme in _DEFAULT_PORTS and parts.netloc.endswith(f":{_DEFAULT_PORTS[parts.scheme]}"):
        return f"{parts.scheme}://{parts.netloc.rpartition(':')[0]}"
    return origin


def _split(text: str) -> SplitResult:
    try:
        return urlsplit(text)
    except ValueError:  # brackets that are no IPv6 address
        return SplitResult("", "", "", "", "")


def _same_host(one: str | None, other: str | None) -> bool:
    return one is not None and (one == other or {one, other} <= _LOOPBACK)


def _port(parts: SplitResult, scheme: str = "") -> int | None:
    try:
        return parts.port or _DEFAULT_PORTS.get(parts.scheme or scheme)
    except ValueError:
        return None
