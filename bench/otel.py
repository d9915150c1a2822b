"""What OpenTelemetry costs: drains without it, with a tenth of the traces and with all of them, in turns."""

from __future__ import annotations

import time
from contextlib import ExitStack, closing
from pathlib import Path
from statistics import median
from typing import NamedTuple

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from bench.console import FileConsole
from bench.delivery import PATIENCE, drain
from bench.service import Service, folder
from bench.table import Figure, Row, check
from tests.support.collector import Collector

_ALL = {
    "OPEN_TELEMETRY__ENABLED": "true",
    # Otherwise the SDK drops most spans of a drain, and drops cost less.
    "OTEL_BSP_MAX_QUEUE_SIZE": "200000",
}
_KINDS = {
    "off": {},
    "a tenth": _ALL | {"OTEL_TRACES_SAMPLER": "parentbased_traceidratio", "OTEL_TRACES_SAMPLER_ARG": "0.1"},
    "all": _ALL,
}


class _Counting(Collector):
    """A collector that only counts spans."""

    count = 0

    def _took(self, path: str, body: bytes) -> None:
        if path == "/v1/traces":
            groups = ExportTraceServiceRequest.FromString(body).resource_spans
            self.count += sum(len(scope.spans) for group in groups for scope in group.scope_spans)


class _Run(NamedTuple):
    per_second: float
    cpu_us: float
    """Of the scheduler process per message, until its last span was exported."""


def measure(quick: bool) -> Row:
    """The middle drain of each kind counts."""
    count, rounds = (1_000, 1) if quick else (20_000, 3)
    runs: dict[str, list[_Run]] = {kind: [] for kind in _KINDS}
    with folder() as path, ExitStack() as stack:
        running = {kind: stack.enter_context(_Running(path / kind.replace(" ", "-"), kind)) for kind in _KINDS}
        for n in range(rounds):
            for kind, each in running.items():
                runs[kind].append(each.drain(count, n))
    rate = {kind: median(run.per_second for run in found) for kind, found in runs.items()}
    cpu = {kind: median(run.cpu_us for run in found) for kind, found in runs.items()}
    added = cpu["all"] - cpu["off"]
    return Row(
        f"{added:.0f} µs of CPU per message",
        f"{cpu['off']:.0f} µs",
        added / cpu["off"],
        "<= 150 µs",
        added <= 150,
        f"{rounds} drains of {count:,} messages to the console each, in turns, the middle one counts; CPU of the "
        f"scheduler process until its last span has reached a collector on this machine. One span per message and one "
        f"per batch. Without it {rate['off']:,.0f}/s; a tenth of the traces {rate['a tenth']:,.0f}/s and "
        f"{cpu['a tenth'] - cpu['off']:.0f} µs more; all {rate['all']:,.0f}/s.",
    )


class _Running:
    """A worker with a collector of its own."""

    def __init__(self, folder: Path, kind: str) -> None:
        self._stack = ExitStack()
        self._kind = kind
        self._collector = _Counting()
        self._stack.enter_context(self._collector)
        self._console = self._stack.enter_context(closing(FileConsole(folder.with_suffix(".txt"))))
        variables = self._collector.environment | _KINDS[kind]
        self._service = self._stack.enter_context(Service(folder, self._console, role="worker", **variables))

    def __enter__(self) -> _Running:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def drain(self, count: int, n: int) -> _Run:
        before, had = self._service.cpu_seconds()["scheduler"], self._collector.count
        done = drain(self._service, self._console, count, n * count, n * count)
        deadline = time.monotonic() + PATIENCE
        while self._kind == "all" and self._collector.count < had + count:
            check(time.monotonic() < deadline, f"{self._collector.count - had} of {count} spans after {PATIENCE:g} s")
            time.sleep(0.01)
        return _Run(done.per_second, (self._service.cpu_seconds()["scheduler"] - before) / count * 1e6)


FIGURES = (Figure("otel", measure),)
