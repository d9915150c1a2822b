"""A collector in this process: speaks OTLP over HTTP (protobuf), and keeps what it is sent."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import KeyValue
from opentelemetry.proto.metrics.v1.metrics_pb2 import Metric
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from tests.support.waiting import wait_for


class Seen(NamedTuple):
    """A span as it was sent."""

    name: str
    kind: str
    """``PRODUCER``, ``CONSUMER``, ``CLIENT``, ``INTERNAL``."""
    trace: str
    id: str
    parent: str
    """Empty: it is the root of its trace."""
    links: list[tuple[str, str]]
    """Trace and span of each."""
    attributes: dict[str, Any]
    error: str | None
    """The text of a span that failed, else None."""
    instance: str
    """The process that sent it (``service.instance.id``)."""
    service: str

    def sent(self, traceparent: str) -> bool:
        """Whether the header names this span, as one that is recorded."""
        _, trace, id, flags = traceparent.split("-")
        return (trace, id, int(flags, 16) & 1) == (self.trace, self.id, 1)


class Collector:
    """Listens from ``with`` on."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._spans: list[Seen] = []
        self._metrics: dict[str, dict[str, Metric]] = {}
        self.held: threading.Event | None = None
        """While it is not set, no request is answered; None: all are."""

    def __enter__(self) -> Collector:
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), name="collector")
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self.held:
            self.held.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def environment(self) -> dict[str, str]:
        """The variables that make a process export to it, soon."""
        return {
            "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{self._server.server_port}",
            "OTEL_BSP_SCHEDULE_DELAY": "50",
            "OTEL_METRIC_EXPORT_INTERVAL": "50",
        }

    @property
    def spans(self) -> list[Seen]:
        with self._lock:
            return list(self._spans)

    def named(self, name: str, count: int = 1) -> list[Seen]:
        """The spans of this name, when there are so many."""

        def found() -> list[Seen] | None:
            spans = [span for span in self.spans if span.name == name]
            return spans if len(spans) >= count else None

        return wait_for(f"{count} spans {name!r}", found)

    def metrics(self, instance: str) -> dict[str, Metric]:
        """The last metrics of a process, by name."""
        with self._lock:
            return dict(self._metrics.get(instance, {}))

    def _took(self, path: str, body: bytes) -> None:
        with self._lock:
            if path == "/v1/traces":
                for group in ExportTraceServiceRequest.FromString(body).resource_spans:
                    resource = _plain(group.resource.attributes)
                    self._spans += [_seen(span, resource) for scope in group.scope_spans for span in scope.spans]
            elif path == "/v1/metrics":
                for measured in ExportMetricsServiceRequest.FromString(body).resource_metrics:
                    instance = _plain(measured.resource.attributes)["service.instance.id"]
                    self._metrics[instance] = {m.name: m for scope in measured.scope_metrics for m in scope.metrics}

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        collector = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            timeout = 15

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                if collector.held:
                    collector.held.wait()
                collector._took(self.path, body)
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name in the base class
                """Nobody reads it."""

        return Handler


def values(metric: Metric) -> dict[tuple[tuple[str, Any], ...], float]:
    """Attributes, sorted by name → value; of a histogram the count."""
    kind = metric.WhichOneof("data")
    points = getattr(metric, str(kind)).data_points
    return {
        tuple(sorted(_plain(point.attributes).items())): point.count if kind == "histogram" else _number(point)
        for point in points
    }


def _number(point: Any) -> float:
    return float(getattr(point, point.WhichOneof("value")))


def _plain(attributes: Any) -> Mapping[str, Any]:
    return {pair.key: _value(pair) for pair in attributes}


def _value(pair: KeyValue) -> Any:
    return getattr(pair.value, str(pair.value.WhichOneof("value")))


def _seen(span: Span, resource: Mapping[str, Any]) -> Seen:
    return Seen(
        name=span.name,
        kind=Span.SpanKind.Name(span.kind).removeprefix("SPAN_KIND_"),
        trace=span.trace_id.hex(),
        id=span.span_id.hex(),
        parent=span.parent_span_id.hex(),
        links=[(link.trace_id.hex(), link.span_id.hex()) for link in span.links],
        attributes=dict(_plain(span.attributes)),
        error=span.status.message if span.status.code == Status.STATUS_CODE_ERROR else None,
        instance=resource["service.instance.id"],
        service=resource["service.name"],
    )
