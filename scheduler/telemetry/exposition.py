"""Convert the reports of all processes to Prometheus metrics.

Every sample has the labels ``server`` (its name) and ``process`` (``scheduler`` or ``api``).  Both are the same after a
restart, so that a series continues; the API processes of a server are added up.  A process that stopped reporting keeps
its counters, and its progress age grows, until its report is deleted or another process replaces it: an alert needs a
series to watch.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric

from scheduler.telemetry.figures import Key, Labels
from scheduler.telemetry.histograms import BOUNDS_MS, Histogram

COUNTERS = {
    "scheduler_attempts": "Attempts that ended, by channel and outcome (ack, retry, dead, release).",
    "scheduler_held_back": "Times a message was put off because its destination was full, by destination.",
    "scheduler_locks_lost": "Attempts whose lock was lost before they ended: their outcome was not recorded.",
    "scheduler_reaped": "Messages taken back from servers that stopped answering, by where they went.",
    "scheduler_archived": "Finished messages written to the database of the history.",
    "scheduler_archive_refused": "Messages that the database could not hold as they are: kept without their payload.",
    "scheduler_trimmed": "Finished messages deleted by retention, by set.",
    "scheduler_accepted": "Messages accepted, by channel.",
    "scheduler_schedule_runs": "Runs of schedules, by what became of them (made, caught_up, delivered, dead).",
    "scheduler_schedule_faults": "Times that the next moment of a schedule could not be computed.",
    "scheduler_http_requests": "HTTP requests answered, by route, method and status.",
    "scheduler_redis_clock_steps": "Times that Redis's clock was set forward or back by more than a second.",
}
HISTOGRAMS = {
    "scheduler_lateness_seconds": "Begin of an attempt after its due moment, by channel.",
    "scheduler_delivery_seconds": "Duration of an attempt, by channel.",
    "scheduler_flow_wait_seconds": "The part of lateness for which a flow key kept a message back, by channel.",
}
GAUGES = {
    "scheduler_history_up": "1 while the database of the history answers this process.",
    "scheduler_in_flight": "Messages claimed by this process and not yet settled.",
    "scheduler_event_viewers": "Viewers of live events that this process serves.",
    "scheduler_log_lines_lost": "Log lines that this process could not write since its start.",
    "scheduler_clock_skew_seconds": "How far this server's clock is ahead of Redis's; below 0 behind it.",
}
PROGRESS = "scheduler_progress_age_seconds"
PROCESSES = "scheduler_processes"

Reports = Mapping[str, Mapping[str, Any]]
"""Process name → its last report (``store.servers()``)."""


class _Group(NamedTuple):
    """Processes that share one series."""

    labels: dict[str, str]
    reports: Sequence[Mapping[str, Any]]
    alive: bool


def families(reports: Reports, silent_ms: float) -> Iterator[Metric]:
    """``silent_ms``: a process that has not reported for longer is not alive."""
    yield from figures(reports, silent_ms)
    groups = _groups(reports, silent_ms)
    processes = GaugeMetricFamily(PROCESSES, "Processes that report, of all servers.", labels=["process"])
    for kind in ("scheduler", "api"):
        processes.add_metric([kind], sum(len(g.reports) for g in groups if g.alive and g.labels["process"] == kind))
    yield processes


def figures(reports: Reports, silent_ms: float) -> Iterator[Metric]:
    """Return what the processes measured; they need not be all that there are."""
    groups = _groups(reports, silent_ms)
    for name, text in COUNTERS.items():
        yield _counter(name, text, groups)
    for name, text in HISTOGRAMS.items():
        yield _histogram(name, text, groups)
    for name, text in GAUGES.items():
        yield _gauge(name, text, [group for group in groups if group.alive])
    yield _progress(groups)


def _groups(reports: Reports, silent_ms: float) -> list[_Group]:
    found: dict[tuple[str, str], list[Mapping[str, Any]]] = {}
    for name, report in sorted(reports.items()):
        found.setdefault((name.partition("/")[0], report.get("role", "scheduler")), []).append(report)
    groups = []
    for (server, process), members in found.items():
        living = [report for report in members if report.get("age_ms", 0) <= silent_ms]
        # When none of them is alive, show the latest: it had replaced the others.
        shown = living or [min(members, key=lambda report: report["age_ms"])]
        groups.append(_Group({"server": server, "process": process}, shown, bool(living)))
    return groups


def _labels(pairs: Sequence[Sequence[str]]) -> Labels:
    return tuple((name, value) for name, value in pairs)


def _counter(name: str, text: str, groups: Sequence[_Group]) -> Metric:
    family = CounterMetricFamily(name, text)
    for group in groups:
        total: dict[Key, int] = {}
        for report in group.reports:
            for counted, labels, n in report.get("counters", ()):
                if counted == name:
                    key = (name, _labels(labels))
                    total[key] = total.get(key, 0) + n
        for (_, own), n in total.items():
            family.add_sample(f"{name}_total", {**group.labels, **dict(own)}, n)
    return family


def _histogram(name: str, text: str, groups: Sequence[_Group]) -> Metric:
    family = HistogramMetricFamily(name, text)
    for group in groups:
        total: dict[Key, Histogram] = {}
        for report in group.reports:
            # A report without bounds comes from an older version, whose buckets are unknown.
            bounds = report.get("bounds", ())
            for measured, labels, counts, sum_ms in report.get("histograms", ()):
                if measured == name and len(counts) == len(bounds) + 1:
                    key = (name, _labels(labels))
                    total.setdefault(key, Histogram()).add(bounds, counts, sum_ms)
        for (_, own), histogram in total.items():
            for suffix, more, value in _samples(histogram):
                family.add_sample(name + suffix, {**group.labels, **dict(own), **more}, value)
    return family


def _samples(histogram: Histogram) -> Iterator[tuple[str, dict[str, str], float]]:
    seen = 0
    for bound, n in zip((*BOUNDS_MS, None), histogram.counts, strict=True):
        seen += n
        yield "_bucket", {"le": "+Inf" if bound is None else f"{bound / 1000:g}"}, seen
    yield "_count", {}, seen
    yield "_sum", {}, histogram.total / 1000


def _gauge(name: str, text: str, groups: Sequence[_Group]) -> Metric:
    family = GaugeMetricFamily(name, text, labels=["server", "process"])
    for group in groups:
        values = [report["gauges"][name] for report in group.reports if name in report.get("gauges", {})]
        if values:
            value = max(values, key=abs) if name == "scheduler_clock_skew_seconds" else sum(values)
            family.add_metric([*group.labels.values()], value)
    return family


def _progress(groups: Sequence[_Group]) -> Metric:
    text = "Time since a scheduler thread last finished a step; grows on while its process does not report."
    family = GaugeMetricFamily(PROGRESS, text, labels=["server", "process"])
    for group in groups:
        ages = [
            r["progress_age_ms"] + r.get("age_ms", 0) for r in group.reports if r.get("progress_age_ms") is not None
        ]
        if ages:
            family.add_metric([*group.labels.values()], max(ages) / 1000)
    return family
