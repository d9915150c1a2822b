"""The figures of one process as OTLP metrics: what ``/metrics`` has, from the same counts.

The SDK's instruments are not used.  They would count a second time what is counted already, and none of them takes a
histogram that is.  Sums and histograms are cumulative.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

from opentelemetry.sdk.metrics.export import (
    AggregationTemporality,
    Gauge,
    HistogramDataPoint,
    Metric,
    MetricExporter,
    MetricsData,
    NumberDataPoint,
    ResourceMetrics,
    ScopeMetrics,
    Sum,
)
from opentelemetry.sdk.metrics.export import Histogram as HistogramOfOtlp
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.util.instrumentation import InstrumentationScope

from scheduler import __version__
from scheduler.clock import Clock
from scheduler.logs.sinks import ServiceLog
from scheduler.otel.tracing import SYSTEM, Attributes
from scheduler.telemetry.exposition import COUNTERS, GAUGES, HISTOGRAMS, PROGRESS
from scheduler.telemetry.histograms import BOUNDS_MS


class _Named(NamedTuple):
    """A figure that the conventions have a name for."""

    name: str
    operation: str


CONVENTIONS: Final = {
    "scheduler_accepted": _Named("messaging.client.sent.messages", "send"),
    "scheduler_attempts": _Named("messaging.client.consumed.messages", "process"),
    "scheduler_delivery_seconds": _Named("messaging.process.duration", "process"),
}
OPERATION_DURATION: Final = "messaging.client.operation.duration"
_LABELS: Final = {"channel": "messaging.destination.name", "outcome": "scheduler.outcome"}
_BOUNDS: Final = [bound / 1000 for bound in BOUNDS_MS]
_CUMULATIVE: Final = AggregationTemporality.CUMULATIVE

Durations = Callable[[], Sequence[tuple[Attributes, Sequence[int], float]]]


class MetricsExport:
    """Exports every few seconds from ``start`` on, in a thread of its own, and once more at the end."""

    def __init__(
        self,
        exporter: MetricExporter,
        resource: Resource,
        report: Callable[[], Mapping[str, Any]],
        durations: Durations,
        *,
        every: float,
        clock: Clock,
        log: ServiceLog,
    ) -> None:
        """``report``: what the next heartbeat would say.  ``durations``: those of ``Tracing``.  ``every``: seconds."""
        self._exporter = exporter
        self._resource = resource
        self._report = report
        self._durations = durations
        self._every = every
        self._clock = clock
        self._log = log
        self._began = clock.now_ms() * 1_000_000
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run, name="otel-metrics", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Begin to end; return at once."""
        self._ending.set()

    def join(self) -> None:
        """Return when the last export has ended, which may take as long as the exporter tries."""
        self._thread.join()

    def _run(self) -> None:
        while not self._clock.wait(self._ending, self._every):
            self._export()
        self._export()
        self._exporter.shutdown()

    def _export(self) -> None:
        try:
            self._exporter.export(self.data())  # raises nothing, and logs what failed
        except Exception as error:  # noqa: BLE001 - a defect in one export must not end the others
            self._log.error(f"metrics could not be exported: {error}", exception=error)

    def data(self) -> MetricsData:
        """Return all figures at this moment."""
        span = _Span(self._began, self._clock.now_ms() * 1_000_000)
        metrics = [*_of_report(self._report(), span), *_of_operations(self._durations(), span)]
        scope = ScopeMetrics(InstrumentationScope(SYSTEM, __version__), metrics, "")
        return MetricsData([ResourceMetrics(self._resource, [scope], "")])


class _Span(NamedTuple):
    """The time that sums are of, ns since the epoch."""

    start: int
    now: int


def _of_report(report: Mapping[str, Any], time: _Span) -> Iterator[Metric]:
    for key, text in COUNTERS.items():
        points = [
            NumberDataPoint(_attributes(key, labels), time.start, time.now, n)
            for counted, labels, n in report["counters"]
            if counted == key
        ]
        yield Metric(_name(key), text, _unit(key), Sum(points, _CUMULATIVE, is_monotonic=True))
    for key, text in HISTOGRAMS.items():
        measured = [
            _point(_attributes(key, labels), counts, sum_ms, time)
            for name, labels, counts, sum_ms in report["histograms"]
            if name == key
        ]
        yield Metric(_name(key), text, "s", HistogramOfOtlp(measured, _CUMULATIVE))
    gauges = {name: report.get("gauges", {}).get(name) for name in GAUGES}
    age_ms = report.get("progress_age_ms")
    gauges[PROGRESS] = None if age_ms is None else age_ms / 1000
    for key, value in gauges.items():
        if value is not None:
            text = GAUGES.get(key, "Time since the scheduler thread last finished a step.")
            yield Metric(_name(key), text, _unit(key), Gauge([NumberDataPoint({}, time.start, time.now, value)]))


def _of_operations(durations: Sequence[tuple[Attributes, Sequence[int], float]], time: _Span) -> Iterator[Metric]:
    points = [_point(attributes, counts, sum_ms, time) for attributes, counts, sum_ms in durations]
    if points:
        text = "Duration of a call that accepts messages (send), or that claims a batch (claim)."
        yield Metric(OPERATION_DURATION, text, "s", HistogramOfOtlp(points, _CUMULATIVE))


def _point(attributes: Attributes, counts: Sequence[int], sum_ms: float, time: _Span) -> HistogramDataPoint:
    unknown: Any = None  # least and greatest value: None leaves them out
    return HistogramDataPoint(
        attributes, time.start, time.now, sum(counts), sum_ms / 1000, counts, _BOUNDS, unknown, unknown
    )


def _name(key: str) -> str:
    """Return the name by the conventions, or one whose form in Prometheus is that of ``/metrics``."""
    named = CONVENTIONS.get(key)
    return named.name if named else key.replace("scheduler_", "scheduler.", 1).removesuffix("_seconds")


def _unit(key: str) -> str:
    if key in CONVENTIONS:
        return "{message}"
    return "s" if key.endswith("_seconds") else ""


def _attributes(key: str, labels: Sequence[tuple[str, str]]) -> Attributes:
    named = CONVENTIONS.get(key)
    if named is None:
        return {**dict(labels)}
    own: Attributes = {"messaging.system": SYSTEM, "messaging.operation.name": named.operation}
    return own | {_LABELS[name]: value for name, value in labels}
