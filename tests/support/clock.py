"""A clock that stands still until a test moves it."""

from __future__ import annotations

import threading

START_MS = 1_800_000_000_000
"""2027-01-15T08:00:00Z, an arbitrary fixed moment."""


class FakeClock:
    """A ``scheduler.clock.Clock`` whose time passes only through ``advance``.

    ``wait`` blocks until its event is set or the time it asked for has been advanced; ``waits`` lists the seconds of
    every wait that began, and ``wait_for_sleeper`` lets a test advance only after a thread really sleeps.
    """

    def __init__(self, now_ms: int = START_MS) -> None:
        self._start_ms = now_ms
        self._elapsed = 0.0
        self._changed = threading.Condition()
        self._sleepers = 0
        self.waits: list[float] = []

    def now_ms(self) -> int:
        return self._start_ms + round(self._elapsed * 1000)

    def monotonic(self) -> float:
        return self._elapsed

    def wait(self, event: threading.Event, seconds: float) -> bool:
        with self._changed:
            self.waits.append(seconds)
            until = self._elapsed + seconds
            self._sleepers += 1
            self._changed.notify_all()
            # The event belongs to the code under test and cannot notify us, hence the short naps.
            while not event.is_set() and self._elapsed < until:
                self._changed.wait(0.002)
            self._sleepers -= 1
        return event.is_set()

    def advance(self, seconds: float) -> None:
        """Let so much time pass and wake every sleeper whose time has come."""
        with self._changed:
            self._elapsed += seconds
            self._changed.notify_all()

    def wait_for_sleeper(self, count: int = 1, timeout: float = 10.0) -> None:
        """Block until so many threads sleep in ``wait``; AssertionError after ``timeout`` seconds."""
        with self._changed:
            assert self._changed.wait_for(lambda: self._sleepers >= count, timeout), (
                f"{self._sleepers} of {count} sleep"
            )
