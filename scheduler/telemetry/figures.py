"""Measure what a process does, and merge the figures of all processes.

Each process keeps plain numbers and reports them with its heartbeat (``store.beat``).  The process that answers
``/metrics`` or ``/v1/stats`` reads the reports of all.  The multi-process mode of prometheus-client is not used: it
shares files between processes, and its two histograms cost 5 µs per message instead of 1 (docs/why.md).  exposition.py
converts the reports for Prometheus.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple, get_args

from scheduler.clock import Clock
from scheduler.message import Outcome, OutcomeKind
from scheduler.telemetry.histograms import BOUNDS_MS, Histogram, Spread, together

SLOT_MS = 10_000
SLOTS = 90
"""The history: 90 slots of 10 s are 15 minutes."""

RECENT = 6
"""Slots of the last minute, over which current throughput and lateness are measured."""

NAMED_DESTINATIONS = 100
"""Destinations that a process counts by name; the rest is ``other``, so that senders cannot create endless series."""
SHOWN_DESTINATIONS = 20
"""Destinations in a report of the last minute: those with the most messages put off."""

_ENDS = {"ack": "delivered", "dead": "dead"}

Labels = tuple[tuple[str, str], ...]
Key = tuple[str, Labels]


class Released(NamedTuple):
    """Messages that were released for the same cause."""

    n: int
    since: int
    """ms: the earliest due_at of them, before they were put off."""

    def and_more(self, n: int, since: int) -> Released:
        return Released(self.n + n, min(self.since, since))


class Cause(NamedTuple):
    """Why messages were released."""

    channel: str
    destination: str
    """``host:port`` of a webhook, else empty."""
    put_off: bool
    """True: due again later, because the destination was full.  False: due at once, as this server stops or is slow."""


class _Slot:
    """Ten seconds of history."""

    def __init__(self, at: int) -> None:
        self.at = at
        self.accepted = 0
        self.delivered = 0
        self.failed = 0
        self.lateness = Spread()
        self.held_back: dict[str, Released] = {}

    def encode(self) -> list[Any]:
        """Return ``[at_ms, accepted, delivered, failed, {bucket: count}]``, without empty buckets."""
        return [self.at, self.accepted, self.delivered, self.failed, self.lateness.encode()]


class Telemetry:
    """The figures of one process.  Thread-safe."""

    def __init__(self, clock: Clock, now_ms: Callable[[], float] | None = None) -> None:
        """``now_ms``: Redis's clock, so that the slots of all servers begin at the same moments."""
        self._now_ms = now_ms or clock.now_ms
        self._lock = threading.Lock()
        self._counters: dict[Key, int] = {}
        self._histograms: dict[Key, Histogram] = {}
        self._slots: deque[_Slot] = deque(maxlen=SLOTS)
        self._released: dict[Cause, Released] = {}
        self._destinations: set[str] = set()

    def start_at_zero(self, channels: Iterable[str], role: str) -> None:
        """Create the series of these channels with the value 0.  ``role``: ``scheduler`` or ``api``.

        The ``increase`` of Prometheus misses the first event of a series that begins with it.
        """
        for channel in channels:
            if role == "api":
                self.count("scheduler_accepted", 0, channel=channel)
                continue
            for outcome in get_args(OutcomeKind):
                self.count("scheduler_attempts", 0, channel=channel, outcome=outcome)
            with self._lock:
                self._histogram("scheduler_lateness_seconds", channel)
                self._histogram("scheduler_delivery_seconds", channel)
                self._histogram("scheduler_flow_wait_seconds", channel)
        if role == "scheduler":
            for name in ("scheduler_locks_lost", "scheduler_archived", "scheduler_archive_refused"):
                self.count(name, 0)
            for where in ("scheduled", "dead"):
                self.count("scheduler_reaped", 0, to=where)
            for which in ("done", "dead"):
                self.count("scheduler_trimmed", 0, set=which)
            for outcome in ("made", "caught_up", "delivered", "dead"):
                self.count("scheduler_schedule_runs", 0, outcome=outcome)
            self.count("scheduler_schedule_faults", 0)

    def count(self, name: str, n: int = 1, /, **labels: str) -> None:
        """Add to a counter of ``exposition.COUNTERS``."""
        with self._lock:
            self._add((name, tuple(labels.items())), n)

    def _add(self, key: Key, n: int) -> None:
        self._counters[key] = self._counters.get(key, 0) + n

    def accepted(self, channel: str, n: int) -> None:
        """Count N accepted messages."""
        self.count("scheduler_accepted", n, channel=channel)
        with self._lock:
            self._slot().accepted += n

    def attempts(self, outcomes: Iterable[Outcome]) -> None:
        """Count attempts that ended."""
        with self._lock:
            slot = self._slot()
            for outcome in outcomes:
                channel = outcome.claim.channel
                self._add(("scheduler_attempts", (("channel", channel), ("outcome", outcome.kind))), 1)
                if outcome.kind == "release":
                    self._release(slot, outcome)
                    continue
                if outcome.claim.run is not None and outcome.kind in _ENDS:
                    self._add(("scheduler_schedule_runs", (("outcome", _ENDS[outcome.kind]),)), 1)
                if outcome.kind == "ack":
                    slot.delivered += 1
                else:
                    slot.failed += 1
                slot.lateness.observe(outcome.lateness_ms)
                self._histogram("scheduler_lateness_seconds", channel).observe(outcome.lateness_ms)
                self._histogram("scheduler_delivery_seconds", channel).observe(outcome.duration_ms)
                if outcome.claim.flow_wait_ms is not None:
                    self._histogram("scheduler_flow_wait_seconds", channel).observe(outcome.claim.flow_wait_ms)

    def _release(self, slot: _Slot, outcome: Outcome) -> None:
        since = outcome.claim.due_at
        destination = outcome.destination or ""
        cause = Cause(outcome.claim.channel, destination, outcome.delay_ms is not None)
        self._released[cause] = self._released.get(cause, Released(0, since)).and_more(1, since)
        if cause.put_off and destination:
            slot.held_back[destination] = slot.held_back.get(destination, Released(0, since)).and_more(1, since)
            if len(self._destinations) < NAMED_DESTINATIONS:
                self._destinations.add(destination)
            name = destination if destination in self._destinations else "other"
            self._add(("scheduler_held_back", (("channel", cause.channel), ("destination", name))), 1)

    def take_released(self) -> dict[Cause, Released]:
        """Return the releases since the last call."""
        with self._lock:
            taken, self._released = self._released, {}
        return taken

    def snapshot(self) -> dict[str, Any]:
        """Return all figures since the start, and the slots of the last minute, ready for JSON."""
        with self._lock:
            self._slot()
            recent = list(self._slots)[-RECENT - 1 :]
            return {
                "counters": [[name, labels, n] for (name, labels), n in self._counters.items()],
                "bounds": BOUNDS_MS,
                "histograms": [[name, labels, [*h.counts], h.total] for (name, labels), h in self._histograms.items()],
                "recent": [slot.encode() for slot in recent],
                "held_back": _most_held_back(slot.held_back for slot in recent if slot.at >= self._first_recent()),
            }

    def history(self) -> list[list[Any]]:
        """Return the complete slots of the last 15 minutes."""
        with self._lock:
            self._slot()
            return [slot.encode() for slot in list(self._slots)[:-1]]

    def _histogram(self, name: str, channel: str) -> Histogram:
        key = (name, (("channel", channel),))
        found = self._histograms.get(key)
        if found is None:
            found = self._histograms[key] = Histogram()
        return found

    def _slot(self) -> _Slot:
        at = int(self._now_ms()) // SLOT_MS * SLOT_MS
        if not self._slots or self._slots[-1].at != at:
            self._slots.append(_Slot(at))
        return self._slots[-1]

    def _first_recent(self) -> int:
        return (int(self._now_ms()) // SLOT_MS - RECENT) * SLOT_MS


def _add_up(parts: Iterable[tuple[str, int, int]]) -> dict[str, Released]:
    """Add up entries ``(destination, n, since)`` by destination."""
    total: dict[str, Released] = {}
    for destination, n, since in parts:
        total[destination] = total.get(destination, Released(0, since)).and_more(n, since)
    return total


def _most_held_back(slots: Iterable[Mapping[str, Released]]) -> list[tuple[str, int, int]]:
    total = _add_up((name, *released) for slot in slots for name, released in slot.items())
    most = sorted(total.items(), key=lambda item: -item[1].n)[:SHOWN_DESTINATIONS]
    return [(destination, *released) for destination, released in most]


class Point(NamedTuple):
    """Ten seconds of the whole service."""

    at: int
    accepted: int
    delivered: int
    failed: int
    lateness: Spread


def merge_slots(histories: Iterable[Iterable[list[Any]]]) -> list[Point]:
    """Add up the slots of many processes by time; oldest first."""
    points: dict[int, Point] = {}
    for history in histories:
        for at, accepted, delivered, failed, buckets, *_ in history:
            old = points.get(at) or Point(at, 0, 0, 0, Spread())
            old.lateness.add(buckets)
            points[at] = Point(
                at, old.accepted + accepted, old.delivered + delivered, old.failed + failed, old.lateness
            )
    return [points[at] for at in sorted(points)]


def _last_minute(snapshots: Mapping[str, Mapping[str, Any]], now_ms: int) -> list[Point]:
    first = (now_ms // SLOT_MS - RECENT) * SLOT_MS
    return [p for p in merge_slots(s.get("recent", ()) for s in snapshots.values()) if p.at >= first]


def ended_lately(snapshots: Mapping[str, Mapping[str, Any]], now_ms: int) -> int:
    """Return how many attempts ended within the last minute, over all processes."""
    return sum(p.delivered + p.failed for p in _last_minute(snapshots, now_ms))


def summary(snapshots: Mapping[str, Mapping[str, Any]], now_ms: int) -> dict[str, Any]:
    """Return throughput per second and lateness (ms) of the last minute, over all processes."""
    points = _last_minute(snapshots, now_ms)
    seconds = max(1.0, (now_ms - (now_ms // SLOT_MS - RECENT) * SLOT_MS) / 1000)
    lateness = together(point.lateness for point in points)
    return {
        "throughput": {
            "accepted_per_s": round(sum(p.accepted for p in points) / seconds, 2),
            "delivered_per_s": round(sum(p.delivered for p in points) / seconds, 2),
            "failed_per_s": round(sum(p.failed for p in points) / seconds, 2),
        },
        "lateness_ms": {"p50": lateness.quantile(0.5), "p99": lateness.quantile(0.99)},
    }


def destinations(snapshots: Mapping[str, Mapping[str, Any]], now_ms: int) -> list[dict[str, Any]]:
    """Return the destinations with messages put off within the last minute, over all processes, most first."""
    total = _add_up((*entry,) for snapshot in snapshots.values() for entry in snapshot.get("held_back", ()))
    most = sorted(total.items(), key=lambda item: -item[1].n)[:SHOWN_DESTINATIONS]
    return [
        {"destination": name, "put_off": released.n, "oldest_age_ms": max(0, now_ms - released.since)}
        for name, released in most
    ]


def history_points(histories: Iterable[Iterable[list[Any]]]) -> list[dict[str, Any]]:
    """Return these slots as ``{at, accepted, delivered, failed, p50, p99}``, oldest first, no empty slots."""
    return [
        {
            "at": p.at,
            "accepted": p.accepted,
            "delivered": p.delivered,
            "failed": p.failed,
            "p50": p.lateness.quantile(0.5),
            "p99": p.lateness.quantile(0.99),
        }
        for p in merge_slots(histories)
    ]


def last_minutes(points: Iterable[dict[str, Any]], now_ms: int) -> list[dict[str, Any]]:
    """Return those points that lie within the last 15 minutes."""
    return [point for point in points if point["at"] > now_ms - SLOTS * SLOT_MS]
