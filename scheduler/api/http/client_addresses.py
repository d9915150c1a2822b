"""The address that a request really comes from, behind proxies too."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from contextlib import suppress
from urllib.parse import urlsplit

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


class ClientAddresses:
    """Believes ``X-Forwarded-For`` only as far as proxies wrote it that are trusted (``Api.TrustedProxies``)."""

    def __init__(self, trusted: str) -> None:
        """``trusted``: addresses and networks, separated by commas."""
        self._trusted = [ipaddress.ip_network(one, strict=False) for one in trusted.split(",") if one]

    def client(self, peer: str, forwarded_for: str) -> str:
        """What names the client: its IPv4 address, or the /64 network of its IPv6 address.

        ``peer``: the other end of the connection.  ``forwarded_for``: the header, empty when there is none.  Each proxy
        appends the address that it was called from, so the list is read from its end, until an address is no trusted
        proxy's: whatever stands before that one was written by the client itself.
        """
        address = _parse(peer)
        if address is None:
            return peer or "unknown"
        for text in reversed(forwarded_for.split(",")):
            before = _parse(text) if self._trusts(address) else None
            if before is None:
                break
            address = before
        if address.version == 6:
            # Whoever has one IPv6 address has the 2^64 of its network.
            return str(ipaddress.ip_network((address, 64), strict=False).network_address)
        return str(address)

    def _trusts(self, address: Address) -> bool:
        return any(address in network for network in self._trusted)


def _parse(text: str) -> Address | None:
    """The address; some proxies add the port.  An IPv4 client of an IPv6 socket has its IPv4 address."""
    text = text.strip()
    candidates: Sequence[str] = (text, _without_port(text))
    for candidate in candidates:
        with suppress(ValueError):
            address = ipaddress.ip_address(candidate)
            return (address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None) or address
    return None


def _without_port(text: str) -> str:
    try:
        return urlsplit(f"//{text}").hostname or ""
    except ValueError:
        return ""
