"""Decide who may use the service, by the token, the site of a browser's page and the host name of the request.

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
        """Return whether ``given`` is one of them, in a time that does not reveal how much of it is right."""
        return any(hmac.compare_digest(given, token) for token in self._accepted)


def token_of(authorization: bytes) -> bytes:
    """Return the token of an ``Authorization`` header: the whole value, or the part after ``Bearer``."""
    scheme, _, rest = authorization.partition(b" ")
    return rest.strip() if scheme.lower() == b"bearer" else authorization


class Sites:
    """The web pages that may use the service, and the host names under which browsers may call it.

    Any page can make its visitor's browser send requests to the visitor's own machine and network.  The browser sends
    the page's site (``Origin``, ``Sec-Fetch-Site``), which a page cannot forge.  Other programs send neither.
    """

    def __init__(self, settings: Settings, setting: str, origins: str, *, page_port: int | None = None) -> None:
        """``origins``: the value of ``setting``, a list of other sites whose pages may use the service.

        ``page_port``: the port of this service's own page when it is not the port that is called; 0: any port.
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
        """Whether the ``Host`` of requests is checked: on a loopback address without a token.

        An attacker can make the host name of a page resolve to 127.0.0.1 (DNS rebinding).  For the browser, the service
        then belongs to the page's own site, and rules about origins do not apply.
        """
        self.host_refusal = lru_cache(_REMEMBERED_HOSTS)(self._host_refusal)
        """Returns why a request with this ``Host`` is refused; None: it is not.  Cached, as few names are in use."""

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
        """Return why a page may not use the service, from ``Host``, ``Origin`` and ``Sec-Fetch-Site``; None: it may.

        A header that the request lacks is empty.
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
    """Return whether only this machine can reach the host, a name or an address (IPv6 also in brackets)."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def normal(origin: str) -> str:
    """Return an origin as browsers write it: in lower case, without the default port of the scheme."""
    origin = origin.strip().lower()
    parts = _split(origin)
    if parts.scheme in _DEFAULT_PORTS and parts.netloc.endswith(f":{_DEFAULT_PORTS[parts.scheme]}"):
        return f"{parts.scheme}://{parts.netloc.rpartition(':')[0]}"
    return origin


def _split(text: str) -> SplitResult:
    try:
        return urlsplit(text)
    except ValueError:  # for example brackets around something that is not an IPv6 address
        return SplitResult("", "", "", "", "")


def _same_host(one: str | None, other: str | None) -> bool:
    return one is not None and (one == other or {one, other} <= _LOOPBACK)


def _port(parts: SplitResult, scheme: str = "") -> int | None:
    try:
        return parts.port or _DEFAULT_PORTS.get(parts.scheme or scheme)
    except ValueError:
        return None
