"""Find the address that a request really comes from, behind proxies too."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from contextlib import suppress
from urllib.parse import urlsplit

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


class ClientAddresses:
    """Reads ``X-Forwarded-For`` as far as trusted proxies wrote it (``Api.TrustedProxies``)."""

    def __init__(self, trusted: str) -> None:
        """``trusted``: addresses and networks, separated by commas."""
        self._trusted = [ipaddress.ip_network(one, strict=False) for one in trusted.split(",") if one]

    def client(self, peer: str, forwarded_for: str) -> str:
        """Return what identifies the client: its IPv4 address, or the /64 network of its IPv6 address.

        ``peer``: the other end of the connection.  ``forwarded_for``: the header, empty when there is none.  Each proxy
        appends the address of its caller, so the list is read from its end up to the first address that is no trusted
        proxy.  The client itself may have written the entries before that one.
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
            # The owner of one IPv6 address can use all 2^64 of its network.
            return str(ipaddress.ip_network((address, 64), strict=False).network_address)
        return str(address)

    def _trusts(self, address: Address) -> bool:
        return any(address in network for network in self._trusted)


def _parse(text: str) -> Address | None:
    """Return the address of ``text``, with or without a port; an IPv4 address mapped to IPv6 as IPv4."""
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
