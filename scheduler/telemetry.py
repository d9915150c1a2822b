"""What a process measures of itself, and how the figures of all processes are put together.

Each process keeps plain numbers and reports them with its heartbeat (``store.beat``); whoever answers ``/metrics`` or
``/v1/stats`` reads the reports of all.  Not prometheus-client's own multi-process mode: its files would be one more
thing that processes share beside Redis, and two memory-mapped histograms cost 5 µs per message where these cost 1
(measured; docs/why.md).  prometheus-client writes the exposition.
"""

from __future__ import annotations

import threading
from bisect import bisect_left
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric

from scheduler.clock import Clock
from scheduler.message import Outcome

BOUNDS_MS = (0.1, 0.25, 0.5, 1, 2, 3, 5, 10, 20, 50, 100, 250, 500, 1000, 2500, 5000, 10000, 30000, 60000, 600000)
"""Upper bounds of the histograms' buckets, ms; one more is without bound."""

SLOT_MS = 10_000
SLOTS = 90
"""The history: 90 slots of 10 s are 15 minutes."""

RECENT = 6
"""Slots that "now" means in throughput and lateness: the last minute."""

COUNTERS = {
    "scheduler_attempts": "Attempts that ended, by channel and outcome (ack, retry, dead, release).",
    "scheduler_locks_lost": "Attempts whose lock was lost before they ended: their outcome was not recorded.",
    "scheduler_reaped": "Messages taken back from servers that stopped answering, by where they went.",
    "scheduler_trimmed": "Finished messages forgotten by retention, by set.",
    "scheduler_accepted": "Messages accepted, by channel.",
    "scheduler_http_requests": "HTTP requests answered, by route, method and status.",
}
HISTOGRAMS = {
    "scheduler_lateness_seconds": "Begin of an attempt after its due moment, by channel.",
    "scheduler_delivery_seconds": "Duration of an attempt, by channel.",
}
GAUGES = {
    "scheduler_in_flight": "Messages claimed by this process and not yet settled.",
    "scheduler_progress_age_seconds": "Time since this process's scheduler thread last finished a step.",
    "scheduler_event_viewers": "Viewers of live events that this process serves.",
}

Labels = tuple[tuple[str, str], ...]


class Histogram:
    """Counts per bucket of ``BOUNDS_MS``, and the sum of all values in ms."""

    __slots__ = ("counts", "total")

    def __init__(self, counts: list[int] | None = None, total: float = 0.0) -> None:
        self.counts = counts or [0] * (len(BOUNDS_MS) + 1)
        self.total = total

    def observe(self, value: float) -> None:
        self.counts[bisect_left(BOUNDS_MS, value)] += 1
        self.total += value

    def add(self, counts: Iterable[int], total: float) -> None:
        self.counts = [a + b for a, b in zip(self.counts, counts, strict=True)]
        self.total += total

    def quantile(self, q: float) -> float | None:
        """The value in ms below which a share ``q`` lies, interpolated within its bucket; None without any value."""
        rank = q * sum(self.counts)
        if rank == 0:
            return None
        seen = 0
        for i, n in enumerate(self.counts):
            if n and seen + n >= rank:
                low = BOUNDS_MS[i - 1] if i else 0.0
                high = BOUNDS_MS[i] if i < len(BOUNDS_MS) else BOUNDS_MS[-1]
                return round(low + (high - low) * (rank - seen) / n, 3)
            seen += n
        return float(BOUNDS_MS[-1])


class _Slot:
    """Ten seconds of history."""

    def __init__(self, at: int) -> None:
        self.at = at
        self.accepted = 0
        self.delivered = 0
        self.failed = 0
        self.lateness = Histogram()

    def encode(self) -> list[Any]:
        """``[at_ms, accepted, delivered, failed, {bucket: count}]``: most buckets are empty."""
        buckets = {str(i): n for i, n in enumerate(self.lateness.counts) if n}
        return [self.at, self.accepted, self.delivered, self.failed, buckets]


class Telemetry:
    """The figures of one process.  Thread-safe."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._counters: dict[tuple[str, Labels], int] = {}
        self._histograms: dict[tuple[str, Labels], Histogram] = {}
        self._slots: deque[_Slot] = deque(maxlen=SLOTS)

    def count(self, name: str, n: int = 1, /, **labels: str) -> None:
        """Add to a counter of ``COUNTERS``."""
        key = (name, tuple(labels.items()))
        with self._lock:
            self._counters[key] = self._counters.get(key, 0) + n

    def accepted(self, channel: str, n: int) -> None:
        """So many messages were accepted."""
        self.count("scheduler_accepted", n, channel=channel)
        with self._lock:
            self._slot().accepted += n

    def attempts(self, outcomes: Iterable[Outcome]) -> None:
        """These attempts ended."""
        with self._lock:
            slot = self._slot()
            for outcome in outcomes:
                channel = outcome.claim.channel
                key = ("scheduler_attempts", (("channel", channel), ("outcome", outcome.kind)))
                self._counters[key] = self._counters.get(key, 0) + 1
                if outcome.kind == "release":
                    continue
                if outcome.kind == "ack":
                    slot.delivered += 1
                else:
                    slot.failed += 1
                slot.lateness.observe(outcome.lateness_ms)
                self._histogram("scheduler_lateness_seconds", channel).observe(outcome.lateness_ms)
                self._histogram("scheduler_delivery_seconds", channel).observe(outcome.duration_ms)

    def snapshot(self) -> dict[str, Any]:
        """Everything since the start, and the slots of the last minute; JSON-able."""
        with self._lock:
            self._slot()
            return {
                "counters": [[name, labels, n] for (name, labels), n in self._counters.items()],
                "histograms": [[name, labels, h.counts, h.total] for (name, labels), h in self._histograms.items()],
                "recent": [slot.encode() for slot in list(self._slots)[-RECENT - 1 :]],
            }

    def history(self) -> list[list[Any]]:
        """The slots of the last 15 minutes that are complete."""
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
        at = self._clock.now_ms() // SLOT_MS * SLOT_MS
        if not self._slots or self._slots[-1].at != at:
            self._slots.append(_Slot(at))
        return self._slots[-1]


class Point(NamedTuple):
    """Ten seconds of the whole service."""

    at: int
    accepted: int
    delivered: int
    failed: int
    lateness: Histogram


def merge_slots(histories: Iterable[Iterable[list[Any]]]) -> list[Point]:
    """The slots of many processes, added up by time, oldest first."""
    points: dict[int, Point] = {}
    for history in histories:
        for at, accepted, delivered, failed, buckets in history:
            old = points.get(at) or Point(at, 0, 0, 0, Histogram())
            for bucket, n in buckets.items():
                old.lateness.counts[int(bucket)] += n
            points[at] = Point(
                at, old.accepted + accepted, old.delivered + delivered, old.failed + failed, old.lateness
            )
    return [points[at] for at in sorted(points)]


def summary(snapshots: Mapping[str, Mapping[str, Any]], now_ms: int) -> dict[str, Any]:
    """Throughput per second and lateness (ms) of the last minute, over all processes."""
    first = (now_ms // SLOT_MS - RECENT) * SLOT_MS
    points = [p for p in merge_slots(s.get("recent", ()) for s in snapshots.values()) if p.at >= first]
    seconds = max(1.0, (now_ms - first) / 1000)
    lateness = Histogram()
    for point in points:
        lateness.add(point.lateness.counts, 0)
    return {
        "throughput": {
            "accepted_per_s": round(sum(p.accepted for p in points) / seconds, 2),
            "delivered_per_s": round(sum(p.delivered for p in points) / seconds, 2),
            "failed_per_s": round(sum(p.failed for p in points) / seconds, 2),
        },
        "lateness_ms": {"p50": lateness.quantile(0.5), "p99": lateness.quantile(0.99)},
    }


def history_points(histories: Iterable[Iterable[list[Any]]], now_ms: int) -> list[dict[str, Any]]:
    """The last 15 minutes as ``{at, accepted, delivered, failed, p50, p99}``, oldest first; quiet slots are left
    out.
    """
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
        if p.at > now_ms - SLOTS * SLOT_MS
    ]


def families(snapshots: Mapping[str, Mapping[str, Any]]) -> Iterator[Metric]:
    """The processes' reports as Prometheus metrics; every sample says which process it is of."""
    for name, text in COUNTERS.items():
        yield _counter(name, text, snapshots)
    for name, text in HISTOGRAMS.items():
        yield _histogram(name, text, snapshots)
    for name, text in GAUGES.items():
        gauge = GaugeMetricFamily(name, text, labels=["process"])
        for process, snapshot in snapshots.items():
            if name in snapshot.get("gauges", {}):
                gauge.add_metric([process], snapshot["gauges"][name])
        yield gauge


def _counter(name: str, text: str, snapshots: Mapping[str, Mapping[str, Any]]) -> Metric:
    family = CounterMetricFamily(name, text)
    for process, snapshot in snapshots.items():
        for counted, labels, n in snapshot.get("counters", ()):
            if counted == name:
                family.add_sample(f"{name}_total", {"process": process, **dict(labels)}, n)
    return family


def _histogram(name: str, text: str, snapshots: Mapping[str, Mapping[str, Any]]) -> Metric:
    family = HistogramMetricFamily(name, text)
    for process, snapshot in snapshots.items():
        for measured, labels, counts, total in snapshot.get("histograms", ()):
            if measured == name:
                for suffix, more, value in _samples(counts, total):
                    family.add_sample(name + suffix, {"process": process, **dict(labels), **more}, value)
    return family


def _samples(counts: list[int], total_ms: float) -> Iterator[tuple[str, dict[str, str], float]]:
    seen = 0
    for bound, n in zip((*BOUNDS_MS, None), counts, strict=True):
        seen += n
        yield "_bucket", {"le": "+Inf" if bound is None else f"{bound / 1000:g}"}, seen
    yield "_count", {}, seen
    yield "_sum", {}, total_ms / 1000
