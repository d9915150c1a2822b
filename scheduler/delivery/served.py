"""Which lanes of the service have a server that delivers what is due in them.

A job type without a handler on any living server, and what ``Scheduler.Serves`` leaves out everywhere, waits in Redis
until a server comes that serves it.  That is no failure, but somebody has to be told.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

from scheduler.logs.sinks import ServiceLog
from scheduler.store import Counts, LaneCounts, MessageStore

MOST_SHOWN = 100
"""Lanes that are told of one by one: a service with more job types than that needs a list of its own."""
MOST_NAMED = 10
"""Lanes that a sentence is said of."""
SILENT_BEATS = 3
"""A process that has left out so many heartbeats is not alive."""

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
        """For how long the first message that is due has been; None when none is."""
        oldest = self.counts.oldest_due_at
        return max(0, redis_ms - oldest) if oldest is not None else None


def shown_lanes(counts: Counts, living: Iterable[Report]) -> list[ShownLane]:
    """All lanes in which something waits: first those that are due and that nobody serves, then those with most due."""
    reports = list(living)
    lanes = [ShownLane(name, lane, is_served(name, reports)) for name, lane in counts.lanes.items()]
    return sorted(lanes, key=lambda lane: (lane.served or not lane.counts.due, -lane.counts.due, lane.name))


def is_served(lane: str, living: Iterable[Report]) -> bool:
    """Whether one of these processes delivers this lane.  One that does not say which it serves, serves all."""
    return any(
        report.get("role") == "scheduler"
        and not report.get("stopping")
        and (report.get("lanes") is None or lane in report["lanes"])
        for report in living
    )


def warnings(counts: Counts, living: Iterable[Report]) -> list[str]:
    """A sentence for each lane with messages that are due and that nobody serves, 11 at most."""
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
    """Says in the log what waits for a server that does not come.  A ``scheduler.delivery.maintenance.Task``."""

    name = "look for lanes that nobody serves"

    def __init__(
        self,
        store: MessageStore,
        log: ServiceLog,
        *,
        heartbeat_seconds: float,
        instead: Callable[[str], str | None] = lambda _: None,
    ) -> None:
        """``instead``: the lane of this server that takes what waits in another lane (``Jobs.Fallback``); None: none
        does.
        """
        self._store = store
        self._instead = instead
        self._log = log
        self._silent_ms = SILENT_BEATS * heartbeat_seconds * 1000
        self._seen: set[str] = set()
        self._said: set[str] = set()

    def tick(self) -> float:
        """Ask once; seconds until the next time.  Only what is found twice in a row counts: a server may restart."""
        counts = self._store.counts()
        living = [report for report in self._store.servers().values() if report["age_ms"] <= self._silent_ms]
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
