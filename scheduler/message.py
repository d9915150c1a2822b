"""The types of the domain: a message, its states, a claim on it, the outcome of an attempt.  Pure, no I/O.

``docs/glossary.md`` explains the words.  ``docs/state_machine.md`` draws ``TRANSITIONS``, and a test compares them.
"""

from __future__ import annotations

import os
import re
import threading
from array import array
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final, Literal, NamedTuple

from scheduler.flow import Flow
from scheduler.retry import RetryPolicy


class Status(StrEnum):
    """The state of a message."""

    SCHEDULED = "scheduled"
    PROCESSING = "processing"
    DELIVERED = "delivered"
    DEAD = "dead"
    CANCELLED = "cancelled"


class Priority(StrEnum):
    """Strict among the messages that are due: no ``normal`` one is claimed while a ``high`` one is due."""

    HIGH = "high"
    NORMAL = "normal"
    LOW = "low"


class Transition(NamedTuple):
    source: Status
    target: Status
    verb: str


TRANSITIONS: tuple[Transition, ...] = (
    Transition(Status.SCHEDULED, Status.PROCESSING, "claim"),
    Transition(Status.PROCESSING, Status.DELIVERED, "ack"),
    Transition(Status.PROCESSING, Status.SCHEDULED, "retry"),
    Transition(Status.PROCESSING, Status.SCHEDULED, "release"),
    Transition(Status.PROCESSING, Status.DEAD, "dead"),
    Transition(Status.PROCESSING, Status.SCHEDULED, "reap"),
    Transition(Status.PROCESSING, Status.DEAD, "reap"),
    Transition(Status.SCHEDULED, Status.CANCELLED, "cancel"),
    Transition(Status.SCHEDULED, Status.CANCELLED, "skip"),
    Transition(Status.DEAD, Status.SCHEDULED, "redrive"),
)
"""Every legal transition.  A verb that finds its message in another state changes nothing and reports it."""


def lane_of(channel: str, type: str | None) -> str:
    """Return the lane of a message: its channel, and for a job also its type."""
    return f"job:{type or ''}" if channel == "job" else channel


_DIGITS = re.compile("[0-9]+")

ID_PATTERN = r"^[A-Za-z0-9_.:-]{1,128}$"
"""What the id of a message and the name of a job type may look like."""


class MadeBy(NamedTuple):
    """How a schedule made a message."""

    schedule: str
    origin: str
    """``plan``, ``catch_up``, ``backfill`` or ``run``."""
    moment: int | None
    """ms: the moment of the plan; None for origin ``run``."""


def made_by(id: str, run: str) -> MadeBy:
    """Read the stored field of a schedule's message, and its ``id``, which is ``schedule:moment``."""
    schedule, _, rest = id.rpartition(":")
    origin = run.partition(" ")[2] or "plan"
    moment = None if origin == "run" else _DIGITS.match(rest)
    return MadeBy(schedule, origin, int(moment[0]) if moment else None)


class FromNow(NamedTuple):
    """When a message is to be due: ``ms`` from the call on, by Redis's clock."""

    ms: int


Due = int | FromNow
"""When a message is to be due: a moment (ms since the epoch, UTC), or a time from now."""
NOW: Final = FromNow(0)


def moment_of(due: Due, now_ms: int) -> int:
    """Return the moment (ms) that is meant, when it is ``now_ms`` by Redis's clock."""
    return now_ms + due.ms if isinstance(due, FromNow) else due


class NewMessage(NamedTuple):
    """A message before it is stored.  The store adds ``created_at`` by Redis's clock.

    A NamedTuple takes a third of the time of a frozen dataclass, and a batch makes 1,000 of them.
    """

    id: str
    payload: str
    """The message as JSON text, exactly as it will be delivered."""
    due_at: Due
    channel: str = "echo"
    priority: Priority = Priority.NORMAL
    target: str | None = None
    """The channel's own options (webhook URL, job type …) as JSON text; opaque to the store."""
    type: str | None = None
    """The job type, or the ``type`` of a webhook task; lists can be filtered by it."""
    owner: str | None = None
    """The user for whom it was submitted (``user_id`` of the jobs API)."""
    retry: RetryPolicy | None = None
    """None: the settings at the time when an attempt fails."""
    lane: str | None = None
    """None: the lane that channel and type imply (``lane_of``)."""
    redriven_from: str | None = None
    """The id of the message of the history that this one repeats; such a message is accepted by itself."""
    flow: Flow | None = None
    """The limits that it shares with other messages.  Its partition is that of the key."""
    trace: str | None = None
    """The ``traceparent`` of the request that it came with (``scheduler/traceparent.py``)."""


@dataclass(slots=True, kw_only=True)
class Message:
    """A stored message."""

    id: str
    status: Status
    channel: str
    payload: str
    due_at: int
    """ms: when the next attempt is due; once claimed, when the last attempt was due."""
    priority: Priority
    attempt: int
    """Attempts made so far, including one in flight."""
    created_at: int
    updated_at: int
    target: str | None = None
    type: str | None = None
    owner: str | None = None
    retry: RetryPolicy | None = None
    started_at: int | None = None
    """ms: when the last attempt was claimed."""
    finished_at: int | None = None
    """ms: when it became delivered, cancelled or dead."""
    last_error: str | None = None
    """The error of the last failed attempt; None once delivered."""
    result: str | None = None
    """JSON text that a job handler returned."""
    attempts: list[dict[str, Any]] | None = None
    """Evidence, oldest first, at most 20: ``attempt, started_at, duration_ms, outcome, …``."""
    redriven_from: str | None = None
    """The id of the message of the history that this one repeats."""
    moved_from: int | None = None
    """ms: the moment that was asked for; None while ``due_at`` is still that one."""
    run: str | None = None
    """Of a schedule's message: ``made_by`` reads it."""
    flow_key: str | None = None
    flow_wait_ms: int = 0
    """For how long its flow key kept back the last attempt that began."""

    @property
    def scheduled_for(self) -> int:
        """Return the moment that was asked for (ms).

        Retries and back-pressure do not change it; an update of ``due_at`` and a redrive do.  A schedule's message has
        the moment of the plan, whatever happens to it.
        """
        planned = made_by(self.id, self.run).moment if self.run is not None else None
        if planned is not None:
            return planned
        return self.due_at if self.moved_from is None else self.moved_from


class Claim(NamedTuple):
    """A message in flight: the data for its delivery, and the token of its lock.

    A NamedTuple, because up to 20,000 of them are made per second from the script's reply.
    """

    id: str
    token: str
    """Every write about this message must carry it; the store ignores writes with another token."""
    attempt: int
    """1 for the first try."""
    due_at: int
    """ms, UTC: when this attempt was due, before back-pressure put it off."""
    channel: str
    payload: str
    target: str | None
    type: str | None
    retry: RetryPolicy | None
    priority: Priority
    created_at: int
    partition: int
    lane: str = "echo"
    run: str | None = None
    """Of a schedule's message: ``made_by`` reads it."""
    flow_wait_ms: int | None = None
    """For how long its flow key kept it back, a part of its lateness; None: it has no flow key."""
    trace: str | None = None
    """The ``traceparent`` of the request that it came with; None: it came with none."""

    @property
    def late_from(self) -> int:
        """ms: lateness counts from here.  A message for a past moment could not begin before it was accepted."""
        return max(self.due_at, self.created_at)


OutcomeKind = Literal["ack", "retry", "dead", "release"]


class Outcome(NamedTuple):
    """The result of one attempt; ``settle`` records it in the store."""

    claim: Claim
    kind: OutcomeKind
    duration_ms: float = 0.0
    lateness_ms: float = 0.0
    """See ``telemetry.lateness``."""
    delay_ms: int | None = None
    """ms from now until it is due again.  None: ``retry.after_failure`` decides (retry), at once (release)."""
    error: str | None = None
    """One line, no secrets."""
    evidence: dict[str, Any] | None = None
    """More fields to keep with the attempt: ``status_code``, ``response``, ``traceback`` … (JSON, a few KiB)."""
    result: str | None = None
    """ack: JSON text that a job handler returned."""
    detail: str | None = None
    """ack: a text for the attempt's log line (the echo channel's message)."""
    destination: str | None = None
    """``host:port`` of a webhook; for a release, the destination that had no free slot."""
    cut_short: bool = False
    """retry: the stop of this server ended the attempt, which is charged but never the last one of the message."""


_ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
ENDINGS = [first + second for first in _ALPHABET for second in _ALPHABET]
"""Every pair of characters that an id can end in, sorted."""
_PAIRS = 8
_RANDOM_BITS = 53
_STEP = 2**20 - 1
_POOL = 512


class IdGenerator:
    """Makes ids of 16 letters and digits that sort in the order in which they were made.

    They hold 42 bits of milliseconds and 53 random bits, and sort in ASCII order as Redis does for equal scores:
    messages that are due in the same millisecond are claimed first in, first out.  A ULID has 26 characters and takes
    32 bytes more of Redis's memory per pending message (docs/why.md).
    """

    def __init__(self, now_ms: Callable[[], int]) -> None:
        self._now_ms = now_ms
        self._last = 0
        self._lock = threading.Lock()
        self._pool = array("Q")

    def __call__(self) -> str:
        with self._lock:
            self._last = number = self._next()
        return _written(number, _PAIRS)

    def ending(self, choose: Callable[[str, int], str | None]) -> str:
        """Make an id whose last two characters ``choose`` picks.

        ``choose`` gets the first 14 characters and the index in ``ENDINGS`` at which to begin, and returns None when no
        ending suits.
        """
        with self._lock:
            while True:
                head, chance = divmod(self._next(), len(ENDINGS))
                # Each beginning is used once, so that ids stay in order whatever ending is chosen.
                head = max(head, self._last // len(ENDINGS) + 1)
                self._last = (head + 1) * len(ENDINGS) - 1
                start = _written(head, _PAIRS - 1)
                end = choose(start, chance)
                if end is not None:
                    return start + end

    def _next(self) -> int:
        number = self._now_ms() << _RANDOM_BITS | self._chance()
        # In the same millisecond, or after the clock was set back, count on from the last id to keep the order.
        return number if number > self._last else self._last + 1 + (self._chance() & _STEP)

    def _chance(self) -> int:
        """Return ``_RANDOM_BITS`` random bits of the system, which are read for many ids at a time.

        Each system call releases the interpreter to another thread while this thread holds the lock.
        """
        if not self._pool:
            self._pool.frombytes(os.urandom(_POOL * self._pool.itemsize))
        return self._pool.pop() >> (64 - _RANDOM_BITS)


def _written(number: int, pairs: int) -> str:
    """Return the number in base 62, made of pairs of digits."""
    found = []
    for _ in range(pairs):
        number, pair = divmod(number, len(ENDINGS))
        found.append(ENDINGS[pair])
    return "".join(reversed(found))
