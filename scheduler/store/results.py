"""What the verbs take and give, beside the types of message.py."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

from scheduler.errors import StoreUnavailable
from scheduler.message import Claim, Message, Priority
from scheduler.retry import RetryPolicy


class Scheduled(NamedTuple):
    """An accepted message."""

    id: str
    due_at: int
    """ms"""
    created_at: int | None = None
    """ms, by Redis's clock.  None: an earlier call with this Idempotency-Key stored it."""


class Claimed(NamedTuple):
    """What ``claim`` found."""

    claims: list[Claim]
    wait_ms: float | None
    """Nothing more is due; come back in so many milliseconds (fractions count).  0: more is due already.  None: nothing
    is waiting at all, or the service is paused."""
    redis_ms: float
    """Redis's clock when the claim was made, ms with fractions."""
    error: StoreUnavailable | None = None
    """A partition that did not answer; the others did."""


class Page(NamedTuple):
    messages: list[Message]
    next_cursor: str | None
    """Opaque.  None: there is no more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """What ``update`` changes; None leaves a field as it is."""

    due_at: int | None = None
    """ms; 0 and below: so many ms from now, by Redis's clock"""
    payload: str | None = None
    target: str | None = None
    priority: Priority | None = None
    retry: RetryPolicy | None = None


@dataclass(slots=True)
class LaneCounts:
    """What waits in a lane."""

    scheduled: int = 0
    due: int = 0
    """Those of ``scheduled`` whose moment has come."""
    oldest_due_at: int | None = None
    """ms: due_at of the message that has waited longest, None when none is due"""


@dataclass(slots=True)
class Counts:
    """How many messages are where, over all partitions; each id is counted once."""

    scheduled: dict[Priority, int] = field(default_factory=dict)
    due: int = 0
    """Those of ``scheduled`` whose moment has come (the backlog)."""
    due_of: dict[Priority, int] = field(default_factory=dict)
    """``due`` by priority."""
    retrying: int = 0
    """Those of ``scheduled`` that have an attempt behind them."""
    processing: int = 0
    dead: int = 0
    finished: int = 0
    """Delivered and cancelled, within retention."""
    finished_bytes: int = 0
    oldest_due_at: int | None = None
    """ms: due_at of the message that has waited longest, None when none is due"""
    held_back: int = 0
    """Those that back-pressure put off, scheduled or in flight."""
    oldest_held_at: int | None = None
    """ms: when the first of ``held_back`` was due before it was put off; None when there is none."""
    next_due_at: int | None = None
    """ms: when the next one is due"""
    paused: bool = False
    redis_ms: int = 0
    lanes: dict[str, LaneCounts] = field(default_factory=dict)
    """Lanes in which something waits."""
    partitions_away: int = 0
    """Partitions that did not answer, and whose messages are not counted."""

    @property
    def oldest_due_age_ms(self) -> int | None:
        """For how long, in ms, the message that waits longest for an attempt has been due; None when none is due.

        One that back-pressure put off counts from the moment before: its due_at says when it will be looked at again.
        """
        moments = [at for at in (self.oldest_due_at, self.oldest_held_at) if at is not None]
        return max(0, self.redis_ms - min(moments)) if moments else None


class Reaped(NamedTuple):
    """What ``reap`` did."""

    scheduled: int
    dead: int
    wait_ms: int | None
    """The next lock expires so much later; None: nothing is in flight."""
    away: frozenset[int] = frozenset()
    """Partitions that did not answer; the others were reaped."""
    error: StoreUnavailable | None = None
    """Why the first of them did not."""


class Limits(NamedTuple):
    """Retention of one set of finished messages."""

    max_count: int
    max_age_ms: int
    max_bytes: int
