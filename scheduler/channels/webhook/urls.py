"""Parse a webhook's URL by strict rules, and write it in one canonical form.

libcurl only gets the canonical form.  A hostile URL that two parsers read differently could evade the address checks
(https://curl.se/docs/url-syntax.html), so a URL that libcurl could read differently is refused.
"""

from __future__ import annotations

import ipaddress
import re
import socket
from functools import lru_cache
from typing import NamedTuple
from urllib.parse import quote, unquote, urlsplit

import idna

from scheduler.masking import MASK

MAX_URL_LENGTH = 2048

SECRET_NAME = re.compile(r"auth|token|secret|key|cookie|password|signature|credential|^sig$", re.IGNORECASE)
"""Names of headers and query parameters whose values are never shown."""

_PARAMETER = re.compile(r"(?<=[?&])([^=&#]*)=([^&#]+)")
_DEFAULT_PORTS = {"http": 80, "https": 443}
_FORBIDDEN = re.compile(r"[\x00-\x20\x7f-\x9f\\\s]")
_HOST_NAME = re.compile(r"(?=.{1,253}$)[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?)*")
# Characters of a path and query that stay; all others are percent-encoded.
_KEPT = "/?:@!$&'()*+,;=%~-._[]|"


class Url(NamedTuple):
    """A webhook's URL in parts that are safe to use."""

    text: str
    """Canonical: ASCII, without user, password and fragment; addresses in their usual notation."""
    scheme: str
    host: str
    """Lower case, without a trailing dot; an IPv6 address without brackets."""
    port: int
    user: str | None
    """``user:password`` as they are sent (unquoted), or None."""
    is_address: bool
    """The host is an IP address, which need not be resolved."""

    @property
    def origin(self) -> str:
        """Return ``scheme:host:port``, the id of a destination."""
        return f"{self.scheme}:{self.host}:{self.port}"

    @property
    def destination(self) -> str:
        """Return ``host:port``, for logs and figures."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


# Cached: a request with a URL parses it three times (70 of 580 µs), and each attempt parses it again.
@lru_cache(maxsize=256)
def parse_url(text: str) -> Url:
    """Parse a URL.

    Raises ValueError with a sentence that says what is wrong and what is accepted; it never repeats the password.
    """
    if not text or len(text) > MAX_URL_LENGTH:
        raise ValueError(f"must be a URL of 1 to {MAX_URL_LENGTH} characters")
    if _FORBIDDEN.search(text):
        raise ValueError("must not contain white space, control characters or backslashes")
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        raise ValueError("is not a URL: the host or the port is malformed") from None
    if parts.scheme not in _DEFAULT_PORTS:
        raise ValueError("must begin with http:// or https://")
    if port == 0:
        raise ValueError("the port must be 1 to 65535")
    host, is_address = _canonical_host(parts.hostname or "")
    port = port or _DEFAULT_PORTS[parts.scheme]
    netloc = f"[{host}]" if ":" in host else host
    if port != _DEFAULT_PORTS[parts.scheme]:
        netloc += f":{port}"
    path = quote(parts.path or "/", safe=_KEPT)
    query = "?" + quote(parts.query, safe=_KEPT) if parts.query else ""
    return Url(f"{parts.scheme}://{netloc}{path}{query}", parts.scheme, host, port, _user(parts.netloc), is_address)


def origin_of(text: str) -> str:
    """Return the id of a destination as ``Url.origin`` writes it: ``https:API.example.com.:0443`` is
    ``https:api.example.com:443``.

    Raises ValueError when no URL can have it.
    """
    scheme, _, rest = text.partition(":")
    host, _, port = rest.rpartition(":")
    if not re.fullmatch(r"[^/?#@]+", host) or not re.fullmatch(r"[0-9]{1,5}", port):
        raise ValueError("must be scheme, host and port")
    host = host.removeprefix("[").removesuffix("]")
    return parse_url(f"{scheme}://{f'[{host}]' if ':' in host else host}:{port}").origin


def mask_url(text: str) -> str:
    """Return the URL with its user and password, and the values of secret parameters, replaced by ``***``.

    For logs and answers.
    """
    scheme, separator, rest = text.partition("://")
    authority_end = re.search(r"[/?#]|$", rest)
    end = authority_end.start() if authority_end else len(rest)
    user, at, host = rest[:end].rpartition("@")
    shown = f"{MASK}@{host}" if at and user else rest[:end]
    return f"{scheme}{separator}{shown}{_PARAMETER.sub(_masked_parameter, rest[end:])}"


def _masked_parameter(found: re.Match[str]) -> str:
    return f"{found[1]}={MASK}" if SECRET_NAME.search(unquote(found[1])) else found[0]


def is_masked(text: str) -> bool:
    """Return whether ``mask_url`` made this URL, so that its secrets are lost."""
    return f"://{MASK}@" in text or MASK in secrets_of(parse_url(text))


def secrets_of(url: Url) -> list[str]:
    """Return the texts that ``mask_url`` hides: the password and secret parameters' values, raw and decoded."""
    query = url.text.partition("?")[2]
    values = [value for name, value in _PARAMETER.findall(f"?{query}") if SECRET_NAME.search(unquote(name))]
    password = [url.user.partition(":")[2]] if url.user else []
    return [*password, *values, *map(unquote, values)]


def literal_address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """Return the IP address that the C library reads a host as, in any notation; None for a name.

    ``2130706433``, ``0x7f.1``, ``0177.0.0.1`` and ``127.1`` are all 127.0.0.1.
    """
    if ":" in host:
        try:
            return ipaddress.IPv6Address(host)
        except ValueError:
            return None
    try:
        return ipaddress.IPv4Address(socket.inet_aton(host))
    except OSError:
        return None


def _canonical_host(host: str) -> tuple[str, bool]:
    """Return the host in lower-case ASCII, and whether it is an address."""
    if "%" in host:
        raise ValueError("the host must not be percent-encoded or carry a zone")
    if not host.isascii():
        host = _international(host)
    host = host.lower().removesuffix(".")
    address = literal_address(host)
    if address is not None:
        return str(address), True
    # Some parsers read a last label of digits (or 0x...) as an address and others as a name, so it is refused.
    if not _HOST_NAME.fullmatch(host) or re.fullmatch(r"[0-9]+|0x[0-9a-f]*", host.rpartition(".")[2]):
        raise ValueError("the host must be a domain name or an IP address")
    return host, False


def _international(host: str) -> str:
    """Return the ASCII form of a name by IDNA 2008, as browsers read it: ``straße`` is not ``strasse``."""
    try:
        # The mapping of UTS 46 first: it also turns full-width and other digits and dots into ASCII ones, so that they
        # cannot hide an address.  Names under it may hold underscores, which DNS allows: no STD 3 rules.
        mapped = idna.uts46_remap(host, std3_rules=False, transitional=False)
        return ".".join(
            label if label.isascii() else idna.alabel(label).decode() for label in mapped.removesuffix(".").split(".")
        )
    except UnicodeError:
        raise ValueError("the host is not a valid international domain name (IDNA 2008)") from None


def _user(netloc: str) -> str | None:
    user, at, _ = netloc.rpartition("@")
    if not at:
        return None
    credentials = unquote(user)
    if not credentials.isprintable():
        raise ValueError("user and password must be printable")
    return credentials if ":" in credentials else credentials + ":"
