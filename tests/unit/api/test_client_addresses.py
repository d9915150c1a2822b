"""Which address a request comes from, with proxies that are trusted and others."""

from __future__ import annotations

import pytest

from scheduler.api.http.client_addresses import ClientAddresses

TRUSTED = "10.0.0.0/8,2001:db8:1::/48"


@pytest.mark.parametrize(
    ("peer", "forwarded", "client"),
    [
        ("203.0.113.9", "", "203.0.113.9"),
        ("203.0.113.9", "198.51.100.1", "203.0.113.9"),  # whoever calls without a proxy may write anything
        ("10.0.0.1", "", "10.0.0.1"),
        ("10.0.0.1", "198.51.100.1", "198.51.100.1"),
        ("10.0.0.1", "1.1.1.1, 198.51.100.1", "198.51.100.1"),  # 1.1.1.1 is what the client wrote itself
        ("10.0.0.1", "1.1.1.1,198.51.100.1 , 10.9.9.9", "198.51.100.1"),  # two proxies
        ("10.0.0.1", "10.0.0.2, 10.0.0.3", "10.0.0.2"),
        ("10.0.0.1", "198.51.100.1:5544", "198.51.100.1"),
        ("10.0.0.1", "[2001:db8:5::1]:5544", "2001:db8:5::"),
        ("10.0.0.1", "2001:db8:5::1", "2001:db8:5::"),
        ("2001:db8:1::1", "198.51.100.1", "198.51.100.1"),
        ("::ffff:10.0.0.1", "198.51.100.1", "198.51.100.1"),
        ("::ffff:203.0.113.9", "", "203.0.113.9"),  # all IPv4 clients of an IPv6 socket were one client
        ("2001:db8:7::1", "", "2001:db8:7::"),
        ("10.0.0.1", "unknown", "10.0.0.1"),
        ("10.0.0.1", "198.51.100.1, _hidden", "10.0.0.1"),
        ("10.0.0.1", "[", "10.0.0.1"),
        ("", "198.51.100.1", "unknown"),
        ("a unix socket", "198.51.100.1", "a unix socket"),
    ],
)
def test_client(peer: str, forwarded: str, client: str) -> None:
    assert ClientAddresses(TRUSTED).client(peer, forwarded) == client


def test_without_trusted_proxies_nobody_is_believed() -> None:
    assert ClientAddresses("").client("127.0.0.1", "198.51.100.1") == "127.0.0.1"
