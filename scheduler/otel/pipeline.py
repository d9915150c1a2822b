"""What collects and exports in one process: the SDK's provider of traces, and the export of this process's figures.

Endpoint, headers, sampler, sizes of queues and the name of the service are the SDK's own variables (``OTEL_…``), which
it reads by itself.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping
from typing import Any, Final

from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import OTELResourceDetector, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

from scheduler import __version__
from scheduler.clock import Clock
from scheduler.logs.notices import REMIND_SECONDS
from scheduler.logs.sinks import ServiceLog
from scheduler.otel.metrics import MetricsExport
from scheduler.otel.sampling import Following
from scheduler.otel.tracing import Tracing

SCOPE: Final = "message_scheduler"
CLOSE_SECONDS: Final = 3.0
"""How long a stop waits at most for what was not exported yet."""


class Pipeline:
    """Traces from the start on, metrics from ``export_metrics`` on, both until ``close``."""

    def __init__(
        self, process: str, log: ServiceLog, clock: Clock, *, traces: bool, metrics_seconds: float | None
    ) -> None:
        """``metrics_seconds``: between two exports; None: metrics are not exported."""
        self._clock = clock
        self._log = log
        self._complaints = _Complaints(log, clock)
        logging.getLogger("opentelemetry").addHandler(self._complaints)
        self._resource = _resource(process)
        self._metrics_seconds = metrics_seconds
        self._provider: TracerProvider | None = None
        self._metrics: MetricsExport | None = None
        self.tracing: Tracing | None = None
        """None: traces are not exported."""
        self._closing = threading.Event()
        # A daemon: the SDK waits for up to 30 s for a collector that hangs, and the process ends without it.  Started
        # now: where the process is at its end already, Python starts no threads.
        self._ending = threading.Thread(target=self._end, name="otel-end", daemon=True)
        self._ending.start()
        if traces:
            self._provider = TracerProvider(resource=self._resource, shutdown_on_exit=False)
            self._provider.sampler = Following(self._provider.sampler)
            self._provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
            self.tracing = Tracing(self._provider.get_tracer(SCOPE, __version__), clock)
            # For handlers of jobs, so that their spans go where the attempt's go.
            if isinstance(trace.get_tracer_provider(), trace.ProxyTracerProvider):
                trace.set_tracer_provider(self._provider)

    def export_metrics(self, report: Callable[[], Mapping[str, Any]]) -> None:
        """Begin to export figures.  ``report``: what the next heartbeat would say; called from another thread."""
        if self._metrics_seconds is None:
            return
        durations = self.tracing.durations if self.tracing else list
        self._metrics = MetricsExport(
            OTLPMetricExporter(),
            self._resource,
            report,
            durations,
            every=self._metrics_seconds,
            clock=self._clock,
            log=self._log,
        )
        self._metrics.start()

    def close(self) -> None:
        """Export what is left, for ``CLOSE_SECONDS`` at most, and end.  Safe to call twice."""
        self._closing.set()
        self._ending.join(CLOSE_SECONDS)

    def _end(self) -> None:
        self._closing.wait()
        if self._metrics:
            self._metrics.stop()
        if self._provider:
            self._provider.shutdown()
        if self._metrics:
            self._metrics.join()
        # Until here the SDK may complain, and without a handler it would do so on stderr.
        logging.getLogger("opentelemetry").removeHandler(self._complaints)


class _Complaints(logging.Handler):
    """Takes what the SDK logs, of each part one line a minute: a collector that is away fails every export."""

    def __init__(self, log: ServiceLog, clock: Clock) -> None:
        super().__init__(logging.WARNING)
        self._log = log
        self._clock = clock
        self._next: dict[str, float] = {}

    def emit(self, record: logging.LogRecord) -> None:
        """See ``logging.Handler``, which calls it under a lock."""
        now = self._clock.monotonic()
        if now >= self._next.get(record.name, now):
            self._next[record.name] = now + REMIND_SECONDS
            self._log.warning(f"OpenTelemetry, which delivery does not wait for: {record.getMessage()}")


def _resource(process: str) -> Resource:
    """Return what tells this process from others; what ``OTEL_RESOURCE_ATTRIBUTES`` says wins."""
    own = {"service.name": "message-scheduler", "service.version": __version__, "service.instance.id": process}
    return Resource.create({**own, **OTELResourceDetector().detect().attributes})
