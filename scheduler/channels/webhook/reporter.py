"""Report outcomes from a separate thread: settling may wait for Redis, and transfers must not."""

from __future__ import annotations

import contextlib
import queue
import threading
from collections import defaultdict
from collections.abc import Callable, Sequence

from scheduler.channels.base import Report
from scheduler.logs.sinks import ServiceLog
from scheduler.message import Outcome


class Reporter:
    """Reports outcomes in groups; outcomes that arrive while one group is settled form the next group."""

    def __init__(self, log: ServiceLog, afterwards: Callable[[], None] | None = None) -> None:
        """``afterwards`` is called after each group: for what else is to be told to Redis."""
        self._log = log
        self._afterwards = afterwards
        self._queue: queue.SimpleQueue[tuple[Report, Sequence[Outcome]] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="webhook-reports", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def put(self, report: Report, outcomes: Sequence[Outcome]) -> None:
        """Queue outcomes for the next group.  May be called from any thread; never waits."""
        self._queue.put((report, outcomes))

    def stop(self, timeout: float) -> None:
        """Report the rest; wait at most ``timeout`` seconds."""
        self._queue.put(None)
        self._thread.join(timeout)

    def _run(self) -> None:
        while self._report_group():
            pass

    def _report_group(self) -> bool:
        """Wait for outcomes and report all that are queued; return False after ``stop``."""
        entries = [self._queue.get()]
        with contextlib.suppress(queue.Empty):
            while True:
                entries.append(self._queue.get_nowait())
        groups: defaultdict[Report, list[Outcome]] = defaultdict(list)
        for entry in entries:
            if entry is not None:
                groups[entry[0]] += entry[1]
        for report, outcomes in groups.items():
            try:
                report(outcomes)
            except Exception as error:  # noqa: BLE001 - later groups must still be reported
                self._log.error(f"{len(outcomes)} webhook outcomes could not be reported: {error}", exception=error)
        if self._afterwards:
            try:
                self._afterwards()
            except Exception as error:  # noqa: BLE001 - outcomes must still be reported
                self._log.error(f"the breakers of destinations could not be told: {error}", exception=error)
        return None not in entries
