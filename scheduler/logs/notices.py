"""Reports that would otherwise repeat: an outage of Redis, and an error that occurs again and again."""

from __future__ import annotations

import threading
from typing import Final

from scheduler.clock import Clock
from scheduler.logs.sinks import ServiceLog

REMIND_SECONDS: Final = 60.0
"""Seconds after which a continuing failure is logged again."""


class Seldom:
    """Logs an error that may occur many times a second once a minute.  For one thread."""

    def __init__(self, log: ServiceLog, clock: Clock) -> None:
        self._log = log
        self._clock = clock
        self._next = clock.monotonic()

    def error(self, message: str, *, exception: BaseException | None = None) -> None:
        now = self._clock.monotonic()
        if now >= self._next:
            self._next = now + REMIND_SECONDS
            self._log.error(message, exception=exception)


class Outage:
    """Says that Redis or a database is away, once for all threads of a process: when it goes, every minute, when it is back.

    The threads notice at different moments and by different calls.  The outage ends when every task that failed has
    succeeded again: in a cluster with a part away, the tasks that succeed must not end it each time.  Thread-safe.
    """

    def __init__(self, log: ServiceLog, clock: Clock, of: str = "Redis") -> None:
        """``of``: the name in the log of what is away."""
        self._log = log
        self._clock = clock
        self._of = of
        self._lock = threading.Lock()
        self._failing: set[str] = set()
        self._began = 0.0
        self._remind_at = 0.0

    def away(self, task: str, error: Exception) -> None:
        """Note that ``task`` got no answer, and will be tried again."""
        with self._lock:
            now = self._clock.monotonic()
            if not self._failing:
                self._began = self._remind_at = now
            if now >= self._remind_at:
                self._remind_at = now + REMIND_SECONDS
                since = f" for {now - self._began:.0f} s" if self._failing else ""
                self._log.error(f"cannot {task}{since}, trying on: {error}")
            self._failing.add(task)

    def over(self, task: str) -> None:
        """Note that ``task`` succeeded, or will not be tried again."""
        if task not in self._failing:  # without the lock: this is asked many times a second
            return
        with self._lock:
            self._failing.discard(task)
            if not self._failing:
                # Logged as an error although it is good news: the end belongs into the same file as the beginning.
                self._log.error(f"{self._of} answers again, after {self._clock.monotonic() - self._began:.1f} s")
