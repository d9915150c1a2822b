"""Find lanes with due messages that no living server delivers.

Messages of a job type without a handler on any living server, or of a lane that ``Scheduler.Serves`` leaves out
everywhere, wait in Redis until a server comes that serves them.  That is no failure, but the operator has to know.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

from scheduler.logs.sinks import ServiceLog
from scheduler.store import Counts, LaneCounts, MessageStore

MOST_SHOWN = 100
"""Lanes in an answer: a page that shows them has no use for more."""
MOST_NAMED = 10
"""Lanes that get a sentence each."""
SILENT_BEATS = 3
"""A process that missed 3 heartbeats is not alive."""

_EVERY_SECONDS = 10.0

Report = Mapping[str, Any]
"""The last report of a process, as ``store.servers()`` gives it."""


class ShownLane(NamedTuple):
    """A lane in which something waits."""

    name: str
    counts: LaneCounts
    served: bool
    """Whether a living server delivers it."""

    def due_for_ms(self, redis_ms: int) -> int | None:
        """Return for how long (ms) the first due message has been due; None when none is due."""
        oldest = self.counts.oldest_due_at
        return max(0, redis_ms - oldest) if oldest is not None else None


def shown_lanes(counts: Counts, living: Iterable[Report]) -> list[ShownLane]:
    """Return all lanes with waiting messages: those with due messages and no server first, then by due messages."""
    reports = list(living)
    lanes = [ShownLane(name, lane, is_served(name, reports)) for name, lane in counts.lanes.items()]
    return sorted(lanes, key=lambda lane: (lane.served or not lane.counts.due, -lane.counts.due, lane.name))


def is_served(lane: str, living: Iterable[Report]) -> bool:
    """Return whether one of these processes delivers this lane.  A report without ``lanes`` serves all."""
    return any(
        report.get("role") == "scheduler"
        and not report.get("stopping")
        and (report.get("lanes") is None or lane in report["lanes"])
        for report in living
    )


def warnings(counts: Counts, living: Iterable[Report]) -> list[str]:
    """Return a sentence for each lane with due messages and no server, 11 at most."""
    waiting = [lane for lane in shown_lanes(counts, living) if lane.counts.due and not lane.served]
    found = [_sentence(lane, counts.redis_ms) for lane in waiting[:MOST_NAMED]]
    if len(waiting) > MOST_NAMED:
        found.append(f"{len(waiting) - MOST_NAMED} more lanes are served by no server.")
    return found


def _sentence(lane: ShownLane, redis_ms: int) -> str:
    due = lane.counts.due
    messages = "1 message is due" if due == 1 else f"{due} messages are due"
    missing = "has a handler for it and serves it" if lane.name.startswith("job:") else "serves it"
    age = (lane.due_for_ms(redis_ms) or 0) / 1000
    return f"{messages} in the lane {lane.name}, the first for {age:.0f} s, and no living server {missing}."


class ServedWatch:
    """Logs lanes with due messages and no server.  A ``scheduler.delivery.maintenance.Task``."""

    name = "look for lanes that nobody serves"

    def __init__(
        self,
        store: MessageStore,
        log: ServiceLog,
        *,
        heartbeat_seconds: float,
        instead: Callable[[str], str | None] = lambda _: None,
    ) -> None:
        """``instead`` returns the lane of this server that takes over the messages of another lane
        (``Jobs.Fallback``), or None.
        """
        self._store = store
        self._instead = instead
        self._log = log
        self._silent_ms = SILENT_BEATS * heartbeat_seconds * 1000
        self._seen: set[str] = set()
        self._said: set[str] = set()

    def tick(self) -> float:
        """Look once; return the seconds until the next time.

        Only a lane that is found twice in a row counts: its server may just be restarting.
        """
        counts = self._store.counts()
        # Mostly nothing is due: an idle service stays below five commands a second.
        reports = self._store.servers() if any(lane.due for lane in counts.lanes.values()) else {}
        living = [report for report in reports.values() if report["age_ms"] <= self._silent_ms]
        waiting = {lane.name: lane for lane in shown_lanes(counts, living) if lane.counts.due and not lane.served}
        again = self._seen & waiting.keys()
        for name in sorted(again):
            if (lane := self._instead(name)) is not None:
                moved = self._store.adopt(name, lane)
                self._log.info(f"No living server serves the lane {name}: {moved} messages of it were moved to {lane}.")
                del waiting[name]
        for name in sorted((again & waiting.keys()) - self._said)[:MOST_NAMED]:
            self._said.add(name)
            text = _sentence(waiting[name], counts.redis_ms)
            self._log.warning(f"{text} See the runbook, Messages that nobody serves.")
        self._seen = set(waiting)
        self._said &= self._seen
        return _EVERY_SECONDS
