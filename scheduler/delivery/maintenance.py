"""The thread that repeats tasks (renew, reap, trim, report).  Each task says how soon it wants to run again."""

from __future__ import annotations

import heapq
import threading
from collections.abc import Sequence
from typing import Protocol

from scheduler.clock import Clock
from scheduler.errors import StoreUnavailable
from scheduler.logs.notices import Outage
from scheduler.logs.sinks import ServiceLog


class Task(Protocol):
    """Something to repeat, in a rhythm of its own."""

    name: str

    def tick(self) -> float:
        """Do it once; return the seconds until the next time."""


class Maintenance:
    """One thread for these tasks: the one that is due first runs first.  Without tasks there is no thread."""

    def __init__(
        self,
        tasks: Sequence[Task],
        clock: Clock,
        log: ServiceLog,
        name: str = "maintenance",
        *,
        again_seconds: float = 1.0,
        outage: Outage | None = None,
    ) -> None:
        """``name``: of the thread.  ``again_seconds``: how long after a failure a task is tried again.
        ``outage``: reports a Redis that is away, once for all threads of a process; None: one of its own.
        """
        self._tasks = tasks
        self._clock = clock
        self._log = log
        self._name = name
        self._again_seconds = again_seconds
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None
        self._outage = outage or Outage(log, clock)

    def start(self) -> None:
        if self._tasks:
            self._thread = threading.Thread(target=self._loop, name=self._name, daemon=True)
            self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        if self._thread is not None:
            self._thread.join()

    def run(self, task: Task) -> float:
        """Run one task once; return the seconds until its next turn.  One that failed is tried again soon."""
        try:
            seconds = task.tick()
        except StoreUnavailable as error:
            self._outage.away(task.name, error)
            return self._again_seconds
        except Exception as error:  # noqa: BLE001 - a defect in one task must not end the others
            self._log.error(f"{task.name} failed: {error}", exception=error)
            return self._again_seconds
        self._outage.over(task.name)
        return seconds

    def _loop(self) -> None:
        agenda = [(self._clock.monotonic(), i) for i in range(len(self._tasks))]
        while not self._stopping.is_set():
            when, i = heapq.heappop(agenda)
            wait = when - self._clock.monotonic()
            if wait > 0 and self._clock.wait(self._stopping, wait):
                return
            seconds = self.run(self._tasks[i])
            heapq.heappush(agenda, (self._clock.monotonic() + seconds, i))
