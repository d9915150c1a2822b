"""Decide which addresses a webhook may reach, so that senders cannot call into the network of this service.

The rules are applied twice.  ``check_url`` checks the URL when a message is submitted, so that the sender gets a clear
error.  transfer.py checks the address of each connection just before it is opened, because a name may resolve to
another address by then.
"""

from __future__ import annotations

import contextlib
import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

from scheduler.channels.webhook.urls import Url, parse_url
from scheduler.config.sections.webhook import WebhookSettings
from scheduler.errors import ConfigError, InvalidInput

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class _Rule(NamedTuple):
    network: Network
    reason: str
    private: bool
    """Whether ``Webhook.AllowPrivateNetworks`` allows it; the others must be listed one by one."""


def _rules(*rows: tuple[str, str, bool]) -> tuple[_Rule, ...]:
    return tuple(_Rule(ipaddress.ip_network(text), reason, private) for text, reason, private in rows)


# The registries of special-purpose addresses (RFC 6890).  ipaddress.is_global is not used: its result differs between
# the supported versions of Python.
_RULES_4 = _rules(
    ("10.0.0.0/8", "a private address", True),
    ("172.16.0.0/12", "a private address", True),
    ("192.168.0.0/16", "a private address", True),
    ("127.0.0.0/8", "a loopback address", True),
    ("100.64.0.0/10", "a shared address (carrier-grade NAT)", True),
    ("0.0.0.0/8", "an address of this host", False),
    ("169.254.0.0/16", "a link-local or metadata address", False),
    ("168.63.129.16/32", "a metadata address", False),  # Azure's, the only one among public addresses
    ("192.0.0.0/24", "a reserved address", False),
    ("192.0.2.0/24", "an address for documentation", False),
    ("192.88.99.0/24", "a 6to4 relay address", False),
    ("198.18.0.0/15", "an address for benchmarks", False),
    ("198.51.100.0/24", "an address for documentation", False),
    ("203.0.113.0/24", "an address for documentation", False),
    ("224.0.0.0/4", "a multicast address", False),
    ("240.0.0.0/4", "a reserved address", False),
)
_RULES_6 = _rules(
    ("::1/128", "a loopback address", True),
    ("fc00::/7", "a private address", True),
    ("fe80::/10", "a link-local address", False),
    ("ff00::/8", "a multicast address", False),
    ("2001::/23", "a reserved or Teredo address", False),
    ("2001:db8::/32", "an address for documentation", False),
    ("2002::/16", "a 6to4 address", False),
    ("3fff::/20", "an address for documentation", False),
)
_METADATA_6 = _rules(
    ("fd00:ec2::254/128", "a metadata address", False),
    ("fd20:ce::254/128", "a metadata address", False),
)
_GLOBAL_6 = ipaddress.IPv6Network("2000::/3")
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
_COMPATIBLE = ipaddress.IPv6Network("::/96")

_PRIVATE_NAMES = ("localhost", "localdomain", "local", "internal", "intranet", "home.arpa")


@dataclass(frozen=True, slots=True)
class AddressPolicy:
    """The addresses that webhooks may be sent to; one policy per process."""

    allow_private: bool = False
    """Also allow private, loopback and shared addresses.  Metadata, link-local and reserved ones stay refused."""
    networks: tuple[Network, ...] = ()
    """Always allowed."""
    hosts: frozenset[str] = frozenset()
    """Names that are allowed whatever they resolve to."""

    @classmethod
    def from_settings(cls, settings: WebhookSettings) -> AddressPolicy:
        """Raises ConfigError for an invalid entry of ``Webhook.AllowedNetworks``."""
        try:
            return cls.of(
                allow_private=settings.allow_private_networks,
                allowed=filter(None, settings.allowed_networks.split(",")),
            )
        except ValueError as error:
            raise ConfigError([f"Webhook.AllowedNetworks: {error}"]) from None

    @classmethod
    def of(cls, *, allow_private: bool = False, allowed: Iterable[str] = ()) -> AddressPolicy:
        """``allowed`` holds host names, addresses and CIDR networks.

        Raises ValueError for an entry that is none of them.
        """
        networks: list[Network] = []
        hosts: set[str] = set()
        for entry in allowed:
            try:
                networks.append(ipaddress.ip_network(entry.strip("[]"), strict=False))
            except ValueError:
                hosts.add(_host_name(entry))
        return cls(allow_private, tuple(networks), frozenset(hosts))

    def refusal(self, host: str, address: str) -> str | None:
        """Return why a connection to this address is not allowed; None: it is.  ``host``: the host of the URL."""
        if host in self.hosts:
            return None
        raw = ipaddress.ip_address(address.partition("%")[0])
        real = _embedded(raw) or raw
        if any(candidate in network for network in self.networks for candidate in (raw, real)):
            return None
        rule = _rule_for(real)
        if rule is None or (rule.private and self.allow_private):
            return None
        return f"{address} is {rule.reason}"

    def refusal_of_name(self, host: str) -> str | None:
        """Return why a host name is not allowed, as far as that is known without resolving it."""
        if self.allow_private or host in self.hosts:
            return None
        if any(host == name or host.endswith("." + name) for name in _PRIVATE_NAMES):
            return f"{host} is a name for private networks"
        return None


def check_url(url: str, policy: AddressPolicy, field: str = "webhook.url") -> None:
    """Check a URL at submission.  Raises InvalidInput that names the field.

    A name that resolves to a forbidden address is only found at delivery.
    """
    try:
        parsed = parse_url(url)
    except ValueError as error:
        raise InvalidInput.of(field, str(error)) from None
    refusal = refusal_of_url(parsed, policy)
    if refusal:
        raise InvalidInput.of(field, f"{refusal}; allowed are public addresses {WAY_OUT}")


WAY_OUT = "(see Webhook.AllowPrivateNetworks and Webhook.AllowedNetworks)"
"""The end of every refusal: the settings that allow more."""


def refusal_of_url(url: Url, policy: AddressPolicy) -> str | None:
    """Return why the URL itself is not allowed; None: it is."""
    return policy.refusal(url.host, url.host) if url.is_address else policy.refusal_of_name(url.host)


def _host_name(entry: str) -> str:
    with contextlib.suppress(ValueError):
        url = parse_url(f"http://{entry}/")
        # More than a host: a port, a path, half a network.
        if not url.is_address and url.text == f"http://{url.host}/" and "/" not in entry:
            return url.host
    raise ValueError(f"{entry!r} is not a host name, an address or a network like 10.0.0.0/8")


def _embedded(address: Address) -> ipaddress.IPv4Address | None:
    """Return the IPv4 address that an IPv6 address stands for (mapped, NAT64 or compatible); else None."""
    if isinstance(address, ipaddress.IPv4Address):
        return None
    if address.ipv4_mapped:
        return address.ipv4_mapped
    if address in _NAT64 or (address in _COMPATIBLE and int(address) > 1):
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return None


def _rule_for(address: Address) -> _Rule | None:
    """Return the rule that forbids the address; None for a public one."""
    if isinstance(address, ipaddress.IPv4Address):
        return next((rule for rule in _RULES_4 if address in rule.network), None)
    found = next((rule for rule in _METADATA_6 + _RULES_6 if address in rule.network), None)
    if found is None and address not in _GLOBAL_6:
        return _Rule(_GLOBAL_6, "not a public address", False)
    return found
