"""Destinations of webhooks: when one is left alone because its attempts fail, or because it asks for it.  Pure, no I/O.

``docs/webhooks.md`` explains the circuit breaker; ``scheduler/store/lua/_breaker.lua`` carries it out, so that it is
the same for all servers.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final, NamedTuple

DESTINATION_PATTERN: Final = r"^https?:[A-Za-z0-9_.:-]{1,253}:[0-9]{1,5}$"
"""Scheme, host and port: ``https:api.example.com:443``; an IPv6 address has no brackets."""


class BreakerState(StrEnum):
    """Whether attempts are made."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"
    """Open, and one message is under way to see whether the destination works again."""


class BreakerRules(NamedTuple):
    """When a breaker opens, and how often an open one is probed."""

    failures: int
    """In a row; 0: none opens by itself."""
    failure_rate: float
    """0 to 1, of the attempts of a window."""
    window_ms: int
    probe_ms: int
    """From the opening to the first probe; doubled after each one that fails."""
    max_probe_ms: int


class DestinationState(NamedTuple):
    """What is known of a destination.  Times are ms by Redis's clock; None: there is none."""

    id: str
    mode: str
    """``open``, ``hand`` (opened by hand) or empty (closed)."""
    next_probe: int | None
    probe_until: int | None
    """A probe is under way, which is given up then."""
    held_until: int | None
    """The destination asked for a pause until then."""
    failures: int
    """In a row."""
    failing_since: int | None
    window_began: int | None
    window_attempts: int
    window_failures: int
    opened_at: int | None
    closed_at: int | None
    probe_interval_ms: int | None
    last_error: str | None
    note: str | None
    updated_at: int | None
    """None: nothing is known of it any more."""

    @property
    def by_hand(self) -> bool:
        return self.mode == "hand"

    def state(self, now_ms: float) -> BreakerState:
        """Return whether attempts are made now."""
        if not self.mode:
            return BreakerState.CLOSED
        if self.probe_until is not None and self.probe_until > now_ms:
            return BreakerState.HALF_OPEN
        return BreakerState.OPEN

    def is_held(self, now_ms: float) -> bool:
        """Whether the destination asked for a pause that has not ended."""
        return self.held_until is not None and self.held_until > now_ms


class Tally(NamedTuple):
    """Attempts at one destination, as they are reported to the store."""

    good: int = 0
    """It answered, whatever it said of the message."""
    bad: int = 0
    """It did not answer, or with an error of its own."""
    after: int = 0
    """Those of ``bad`` that came after the last good one."""
    hold_ms: int = 0
    """It asked for a pause; 0: it did not."""
    probe: str = ""
    """``good`` or ``bad``: how a probe ended; ``none``: it was given back, and says nothing of the destination."""
    error: str = ""
    """Of the last bad one."""

    def plus(self, other: Tally) -> Tally:
        """Return both together; ``other`` came later."""
        return Tally(
            self.good + other.good,
            self.bad + other.bad,
            other.after if other.good else self.after + other.after,
            max(self.hold_ms, other.hold_ms),
            self.probe if self.probe and other.probe in ("", "none") else other.probe,
            other.error or self.error,
        )
