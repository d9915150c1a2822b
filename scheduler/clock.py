"""Read the time and wait.  All other modules get a ``Clock``, so that tests control the time."""

from __future__ import annotations

import threading
import time
from typing import Protocol


class Clock(Protocol):
    """Time as the service sees it."""

    def now_ms(self) -> int:
        """Milliseconds since the epoch, UTC, by this machine's wall clock.  Never decides whether a message is due."""

    def monotonic(self) -> float:
        """Seconds on a clock that never jumps; only differences mean anything."""

    def wait(self, event: threading.Event, seconds: float) -> bool:
        """Wait for the event, at most this long; return whether it is set."""


class SystemClock:
    """The machine's own clock."""

    def now_ms(self) -> int:
        return time.time_ns() // 1_000_000

    def monotonic(self) -> float:
        return time.monotonic()

    def wait(self, event: threading.Event, seconds: float) -> bool:
        return event.wait(seconds)


class RedisTime:
    """Redis's clock between two calls: the last reading, carried on by this machine's monotonic clock."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._offset = float(clock.now_ms()) - clock.monotonic() * 1000
        self.known = False
        """False until the first ``synchronise``; until then this is the machine's own wall clock."""

    def synchronise(self, redis_ms: float) -> None:
        """Take over the time (ms) that Redis has just told."""
        self._offset = redis_ms - self._clock.monotonic() * 1000
        self.known = True

    def now_ms(self) -> float:
        """Return Redis's time (ms, with fractions), to measure lateness; never decides whether a message is due."""
        return self._clock.monotonic() * 1000 + self._offset
