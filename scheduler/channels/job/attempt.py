"""The data that a runner's thread and the worker that watches it share: attempts, and slices of them.

No lock is needed: each field is written by one side only, and only the worker reports claims.  The runner's thread may
therefore be interrupted by an exception at any line without leaving the data inconsistent.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Sequence
from contextlib import suppress

from scheduler.jobs import JobType
from scheduler.message import Claim, Outcome


class Attempt:
    """A claim that a handler works on."""

    __slots__ = ("begun", "claim", "expired", "lost", "outcome", "type")

    def __init__(self, claim: Claim, type: JobType | None) -> None:
        self.claim = claim
        self.type = type
        self.begun: float | None = None
        """Monotonic seconds, set by the runner."""
        self.outcome: Outcome | None = None
        """Set by the runner."""
        self.expired = False
        """Its time limit has passed.  Set by the worker."""
        self.lost = False
        """The lock was lost, according to Redis.  Set by the runner."""

    @property
    def limit(self) -> float | None:
        """Seconds; None is without limit."""
        return self.type.time_limit if self.type is not None else None


class Slice:
    """Claims that one runner works through in their order."""

    def __init__(self, attempts: Sequence[Attempt]) -> None:
        self.attempts = attempts
        self._todo = deque(attempts)
        self.ended = False
        """The runner has finished with it."""
        self.changed = threading.Event()
        """Set when it has ended, and when the service stops, to wake the worker."""

    def next(self) -> Attempt | None:
        """Remove and return the next attempt to run; None when none is left."""
        try:
            return self._todo.popleft()
        except IndexError:
            return None

    def take_back(self) -> list[Attempt]:
        """Remove and return the attempts that have not begun, in their order; the runner gets no more of them.

        They are taken from the end, because the runner may take one meanwhile and must get the most urgent of the rest.
        """
        rest: deque[Attempt] = deque()
        with suppress(IndexError):
            while True:
                rest.appendleft(self._todo.pop())
        return list(rest)

    def end(self) -> None:
        self.ended = True
        self.changed.set()
