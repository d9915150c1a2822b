"""The types that the verbs take and return, beside those of message.py."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

from scheduler.errors import StoreUnavailable
from scheduler.flow import FlowState
from scheduler.message import Claim, Due, Message, Priority
from scheduler.retry import RetryPolicy
from scheduler.schedule import DuePlan, Schedule


class Scheduled(NamedTuple):
    """An accepted message."""

    id: str
    due_at: int
    """ms"""
    created_at: int | None = None
    """ms, by Redis's clock.  None: an earlier call with this Idempotency-Key stored it."""


class Claimed(NamedTuple):
    """The result of ``claim``."""

    claims: list[Claim]
    wait_ms: float | None
    """Time until the next message is due, with fractions.  0: one is due already.  None: none is scheduled, or the
    service is paused."""
    redis_ms: float
    """Redis's clock at the claim, with fractions."""
    error: StoreUnavailable | None = None
    """The error of the first partition that did not answer, when others did."""
    asked_ms: float = 0.0
    """``wait_ms`` counts from this long after the call began: then the partition of that message was asked."""


class FlowPage(NamedTuple):
    flows: list[FlowState]
    next_key: str | None
    """Where the next page begins behind; None: this is the last one."""


class Page(NamedTuple):
    messages: list[Message]
    next_cursor: str | None
    """Opaque; None: this is the last page."""


class SchedulePage(NamedTuple):
    schedules: list[Schedule]
    next_cursor: str | None
    """Opaque; None: this is the last page."""


class DuePlans(NamedTuple):
    """Schedules of one partition whose moment has come."""

    plans: list[DuePlan]
    wait_ms: float | None
    """Time until the next moment of a schedule, with fractions.  0: more have come.  None: none will, or the service is
    paused."""
    redis_ms: int


@dataclass(slots=True)
class ScheduleCounts:
    """Numbers of schedules over all partitions."""

    active: int = 0
    paused: int = 0
    ended: int = 0
    failing: int = 0
    """Those whose last run ended dead."""
    overdue: int = 0
    """Active ones whose moment passed a while ago without a server that planned them."""
    oldest_overdue_age_ms: int | None = None
    """For how long the moment of the first of them has passed; None when there is none."""
    skips: dict[str, int] = field(default_factory=lambda: {"overlap": 0, "missed": 0, "changed": 0})
    """Moments without a delivery, by reason, of all schedules that ever were."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """The fields that ``update`` changes; None leaves a field as it is."""

    due_at: Due | None = None
    payload: str | None = None
    target: str | None = None
    priority: Priority | None = None
    retry: RetryPolicy | None = None


@dataclass(slots=True)
class LaneCounts:
    """Scheduled messages of one lane."""

    scheduled: int = 0
    due: int = 0
    """Those of ``scheduled`` that are due."""
    oldest_due_at: int | None = None
    """ms: since when the first of those due could have been attempted: its due_at, not before it was accepted."""


@dataclass(slots=True)
class Counts:
    """Numbers of messages over all partitions; each id is counted once."""

    scheduled: dict[Priority, int] = field(default_factory=dict)
    due: int = 0
    """Those of ``scheduled`` that are due (the backlog)."""
    due_of: dict[Priority, int] = field(default_factory=dict)
    """``due`` by priority."""
    retrying: int = 0
    """Those of ``scheduled`` that have been attempted before."""
    processing: int = 0
    dead: int = 0
    finished: int = 0
    """Delivered and cancelled, within retention."""
    finished_bytes: int = 0
    oldest_due_at: int | None = None
    """ms: since when the first of those due could have been attempted: its due_at, not before it was accepted; of
    messages with a flow key, from when the key may go."""
    held_back: int = 0
    """Messages that back-pressure put off, scheduled or in flight."""
    oldest_held_at: int | None = None
    """ms: since when the first of ``held_back`` could have been attempted; None when there is none."""
    flow_keys: int = 0
    """Flow keys that have messages or are pinned or paused."""
    flow_waiting: int = 0
    """Those of ``due`` that have a flow key."""
    oldest_waiting_at: int | None = None
    """ms: since when the first of ``flow_waiting`` is due; None when there is none."""
    next_due_at: int | None = None
    """ms: the earliest due_at that has not come yet; None when there is none"""
    paused: bool = False
    redis_ms: int = 0
    lanes: dict[str, LaneCounts] = field(default_factory=dict)
    """By name; only lanes with scheduled messages."""
    partitions_away: int = 0
    """Partitions that did not answer; their messages are not counted."""

    @property
    def oldest_due_age_ms(self) -> int | None:
        """For how long, in ms, the message that waits longest for an attempt has been due; None when none is due.

        One that back-pressure put off counts from the moment before: its due_at says when it will be looked at again.
        """
        moments = [at for at in (self.oldest_due_at, self.oldest_held_at) if at is not None]
        return max(0, self.redis_ms - min(moments)) if moments else None


class Reaped(NamedTuple):
    """The result of ``reap``."""

    scheduled: int
    dead: int
    away: frozenset[int] = frozenset()
    """Partitions that did not answer; the others were reaped."""
    error: StoreUnavailable | None = None
    """The error of the first partition that did not answer."""
    overdue: bool = False
    """Whether a schedule should have been planned a second ago."""


class Limits(NamedTuple):
    """Retention of one set of finished messages."""

    max_count: int
    max_age_ms: int
    max_bytes: int
