"""Section Webhook: how requests are sent, where to, and when a destination is left alone."""

from __future__ import annotations

from typing import Final

from pydantic import field_validator

from scheduler.config.fields import YEARS, Section, commas, number, text, whole

_SIGNING_FORM: Final = r"whsec_[A-Za-z0-9+/]{32,86}={0,2}"


class WebhookSettings(Section):
    timeout_seconds: float = number(30.0, 0.1, 3600)
    """Time for a whole attempt, unless the message brings its own."""
    connect_timeout_seconds: float = number(10.0, 0.1, 300)
    """Time for the name to resolve, and again for the connection with its TLS handshake."""
    max_in_flight: int = whole(1000, 1, 50_000)
    """Messages that one process sends at once, those that wait for their destination included."""
    max_in_flight_per_host: int = whole(100, 1, 50_000)
    """Transfers at once to one destination: scheme, host and port."""
    secrets: str = text(
        "",
        rf"^({_SIGNING_FORM}(,{_SIGNING_FORM})*)?$",
        "whsec_ and the base64 of 24 to 64 bytes; several as a list or separated by commas",
        secret=True,
    )
    """Secrets that requests are signed with (Standard Webhooks). Each request carries a signature by every one, so that
    one can be replaced while the other still holds; empty for no signatures."""
    send_api_token: bool = False
    """Send `Api.AuthToken` (of several the first) as `Authorization` to every target, as one of the systems before this
    one did. Only where all targets are your own."""
    allow_private_networks: bool = False
    """Allow targets in private, loopback and carrier-grade NAT networks. Metadata, link-local and reserved addresses
    stay refused."""
    allowed_networks: str = text(
        "",
        r"^([\w.:/\[\]-]+(,[\w.:/\[\]-]+)*)?$",
        "host names, addresses and networks like 10.0.0.0/8; several as a list or separated by commas",
    )
    """Targets that are allowed in any case. A host name is allowed whatever it resolves to."""
    client_errors_final: bool = False
    """A 4xx other than 408, 425 and 429 makes a dead letter at once instead of being tried again."""
    retry_after_cap_seconds: float = number(3600.0, 0, YEARS)
    """The longest `Retry-After` of an endpoint that is followed."""
    slow_destinations: bool = True
    """`Retry-After` and `RateLimit-*` of an answer with status 429 or 503 hold for all messages to that destination
    (scheme, host and port), and not only for the one that got it."""
    breaker_failures: int = whole(20, 0, 10_000)
    """A destination is left alone when this many attempts in a row have failed, over at least 10 s; 0: never. A failure
    is no answer, or 5xx, 408 or 410."""
    breaker_failure_rate: float = number(0.9, 0.5, 1)
    """It is also left alone when this part of the attempts of a window has failed, of at least five times
    `BreakerFailures`."""
    breaker_window_seconds: float = number(60.0, 10, 86_400)
    """The window of `BreakerFailureRate`."""
    breaker_probe_seconds: float = number(5.0, 1, 3600)
    """One message goes to a destination that is left alone after this time, as a probe; the time doubles after each
    probe that fails."""
    breaker_max_probe_seconds: float = number(60.0, 1, 86_400)
    """The longest time between two probes, and about the longest that messages still wait when it works again."""

    @field_validator("secrets", "allowed_networks", mode="before")
    @classmethod
    def _one_text(cls, value: object) -> object:
        return commas(value)
