"""The words of the domain as types: a message, its states, a claim on it and the outcome of an attempt.

Nothing in here talks to anything.  ``docs/glossary.md`` explains the words, ``docs/state_machine.md`` draws
``TRANSITIONS`` and a test compares the two.
"""

from __future__ import annotations

import os
import threading
from array import array
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Literal, NamedTuple

from scheduler.retry import RetryPolicy


class Status(StrEnum):
    """Where a message is in its life."""

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
    Transition(Status.DEAD, Status.SCHEDULED, "redrive"),
)
"""Every legal move.  A verb that finds its message elsewhere changes nothing and says so."""


def lane_of(channel: str, type: str | None) -> str:
    """The lane in which a message waits: its channel, and for a job its type too."""
    return f"job:{type or ''}" if channel == "job" else channel


ID_PATTERN = r"^[A-Za-z0-9_.:-]{1,128}$"
"""What the id of a message and the name of a job type may look like."""


class NewMessage(NamedTuple):
    """A message as it is accepted.  The store adds ``created_at`` by Redis's clock.

    A NamedTuple and not a frozen dataclass: a batch makes 1,000 of them, and each takes a third of the time.
    """

    id: str
    payload: str
    """The message as JSON text, exactly as it will be delivered."""
    due_at: int
    """Milliseconds since the epoch, UTC.  0 and below: so many ms from now, by Redis's clock."""
    channel: str = "echo"
    priority: Priority = Priority.NORMAL
    target: str | None = None
    """The channel's own options (webhook URL, job type …) as JSON text; opaque to the store."""
    type: str | None = None
    """What lists can be filtered by: the job type, or the ``type`` of a webhook task."""
    owner: str | None = None
    """Who asked for it (``user_id`` of the jobs API)."""
    retry: RetryPolicy | None = None
    """None: the settings in force when an attempt fails."""
    lane: str | None = None
    """Where it waits; None: the lane that follows from channel and type (``lane_of``)."""


@dataclass(slots=True, kw_only=True)
class Message:
    """A stored message as the outside sees it."""

    id: str
    status: Status
    channel: str
    payload: str
    due_at: int
    """ms.  The moment of the next attempt, or, once claimed, of the attempt that was last made."""
    priority: Priority
    attempt: int
    """Attempts made so far, the one in flight included."""
    created_at: int
    updated_at: int
    target: str | None = None
    type: str | None = None
    owner: str | None = None
    retry: RetryPolicy | None = None
    started_at: int | None = None
    """ms: when the last attempt was claimed."""
    finished_at: int | None = None
    """ms: when it was delivered, cancelled or given up."""
    last_error: str | None = None
    """Of the last attempt that failed; None once delivered."""
    result: str | None = None
    """JSON text that a job handler returned."""
    attempts: list[dict[str, Any]] | None = None
    """Evidence, oldest first, at most 20: ``attempt, started_at, duration_ms, outcome, …``."""
    moved_from: int | None = None
    """ms: the moment that was asked for; None while ``due_at`` is still that one."""

    @property
    def scheduled_for(self) -> int:
        """The moment that was asked for, ms.  Neither a retry nor back-pressure moves it; a change of the moment and a
        redrive ask anew.
        """
        return self.due_at if self.moved_from is None else self.moved_from


class Claim(NamedTuple):
    """A message in flight: what a channel needs to deliver it, and the lock that proves who may report on it.

    A NamedTuple and not a dataclass: 20,000 of them are made per second, straight from the script's reply.
    """

    id: str
    token: str
    """Owner token.  Every write about this message must show it."""
    attempt: int
    """1 for the first try."""
    due_at: int
    """ms, UTC: when this attempt was due first, before back-pressure put it off.  Lateness counts from it."""
    channel: str
    payload: str
    target: str | None
    type: str | None
    retry: RetryPolicy | None
    priority: Priority
    created_at: int
    partition: int
    lane: str = "echo"


OutcomeKind = Literal["ack", "retry", "dead", "release"]


class Outcome(NamedTuple):
    """What became of one attempt; ``settle`` reports it to the store."""

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
    """More to keep with the attempt: ``status_code``, ``response``, ``traceback`` … (JSON-able, at most a few KiB)."""
    result: str | None = None
    """ack: JSON text that a job handler returned."""
    detail: str | None = None
    """ack: a text for the attempt's log line (the echo channel's message)."""
    destination: str | None = None
    """``host:port`` that it was for, where the channel has such; release: that had no room for it."""
    cut_short: bool = False
    """retry: this server's stop ended the attempt.  It is charged, and is never the message's last one."""


_ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
ENDINGS = [first + second for first in _ALPHABET for second in _ALPHABET]
"""Every pair of characters that an id can end in, in their order."""
_PAIRS = 8
_RANDOM_BITS = 53
_STEP = 2**20 - 1
_POOL = 512


class IdGenerator:
    """Ids of 16 letters and digits that sort in the order they were made: 42 bits of milliseconds, 53 bits of chance.

    In ASCII order, which is Redis's order among equal scores: messages due at the same millisecond are claimed first
    in, first out.  16 characters and not the 26 of a ULID: 32 bytes less Redis memory per pending message
    (docs/why.md).
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
        """Make an id whose last two characters are chosen: ``choose`` gets the first 14 and the place among
        ``ENDINGS`` where to begin, and returns None when no ending suits.
        """
        with self._lock:
            while True:
                head, chance = divmod(self._next(), len(ENDINGS))
                # At most one id of each beginning, so that the order is kept whichever ending is chosen.
                head = max(head, self._last // len(ENDINGS) + 1)
                self._last = (head + 1) * len(ENDINGS) - 1
                start = _written(head, _PAIRS - 1)
                end = choose(start, chance)
                if end is not None:
                    return start + end

    def _next(self) -> int:
        number = self._now_ms() << _RANDOM_BITS | self._chance()
        # The same millisecond, or a clock set back: go on from the last one, so that the order stays.
        return number if number > self._last else self._last + 1 + (self._chance() & _STEP)

    def _chance(self) -> int:
        """``_RANDOM_BITS`` of the system's randomness, fetched for many ids at a time: a call per id would give the
        interpreter away to another thread while this one holds the lock.
        """
        if not self._pool:
            self._pool.frombytes(os.urandom(_POOL * self._pool.itemsize))
        return self._pool.pop() >> (64 - _RANDOM_BITS)


def _written(number: int, pairs: int) -> str:
    """The number in base 62, two digits at a time."""
    found = []
    for _ in range(pairs):
        number, pair = divmod(number, len(ENDINGS))
        found.append(ENDINGS[pair])
    return "".join(reversed(found))
