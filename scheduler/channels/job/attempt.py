"""One attempt of one job, and a slice of them: what the thread that runs it and the worker that watches it share.

Every field is written by one side only, and each claim is reported by the worker alone; so there is no lock, and an
exception that is thrown into the running thread at any line can leave nothing half-done that matters.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Sequence
from contextlib import suppress

from scheduler.jobs import JobType
from scheduler.message import Claim, Outcome


class Attempt:
    """A claim on its way through a handler."""

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
        """Redis said that the lock is another's.  Set by the runner."""

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
        """The runner has let go of it."""
        self.changed = threading.Event()
        """Set when it has ended, and when the worker must look up for another reason."""

    def next(self) -> Attempt | None:
        """The next one to run, which is the caller's from now on."""
        try:
            return self._todo.popleft()
        except IndexError:
            return None

    def take_back(self) -> list[Attempt]:
        """Those that were not begun, in their order; the runner gets no more.

        Taken from the end: the runner may take its next one meanwhile, and must get the most urgent of those left.
        """
        rest: deque[Attempt] = deque()
        with suppress(IndexError):
            while True:
                rest.appendleft(self._todo.pop())
        return list(rest)

    def end(self) -> None:
        self.ended = True
        self.changed.set()
