"""Lanes: what is on time beside jobs that hold all threads for jobs, and a backlog of more of them."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from contextlib import closing
from typing import Any, NamedTuple

from bench.console import PipeConsole
from bench.delivery import LEAD_MS, PATIENCE, Lateness
from bench.messages import clock, fill
from bench.service import Service, folder, in_words
from bench.table import Figure, Row, check
from tests.support.endpoint import EndpointProcess

SLOW_JOBS = 10
"""As many as one server runs at once (Jobs.Workers)."""
BACKLOG = 1_000


class Flow(NamedTuple):
    """What has to stay on time."""

    name: str
    per_second: int
    times: float
    """The lateness of 99 in a hundred, at most: so many times of what it is without the slow jobs.  Where that is 3 ms,
    these are 5 ms for echo and webhooks and 10 ms for a job.
    """
    fields: dict[str, Any]
    """Of its messages."""
    line: str
    """How the log names it."""


def flows(url: str) -> list[Flow]:
    return [
        Flow("echo", 500, 5 / 3, {}, "channel=echo"),
        Flow("webhooks", 200, 5 / 3, {"channel": "webhook", "target": f'{{"url":"{url}"}}'}, "channel=webhook"),
        Flow("another job type", 20, 10 / 3, {"channel": "job", "type": "empty"}, "channel=job type=empty"),
    ]


def measure(quick: bool) -> Row:
    """Echo, webhooks and jobs of another type, each at its own moment: alone, and while ten jobs of 8 s run."""
    seconds = 1.0 if quick else 20.0
    with (
        folder() as path,
        closing(PipeConsole()) as console,
        EndpointProcess() as endpoint,
        Service(
            path / "service",
            console,
            role="worker",
            JOBS__MODULES="bench.handlers",
            WEBHOOK__ALLOWEDNETWORKS="127.0.0.0/8",
            SCHEDULER__GRACESECONDS="0",
        ) as service,
    ):
        beside = flows(endpoint.url())
        alone = _lateness(service, beside, seconds)
        fill(service.store, SLOW_JOBS + BACKLOG, lambda _: 0, channel="job", type="sleeps")
        _wait(lambda: service.store.counts().processing >= SLOW_JOBS, "the slow jobs do not run")
        before = service.cpu_seconds()
        found = _lateness(service, beside, seconds)
        cpu = in_words(before, service.cpu_seconds(), round(sum(flow.per_second for flow in beside) * seconds))
        left = service.store.counts().lanes["job:sleeps"].due
    check(left >= BACKLOG - 5 * SLOW_JOBS, f"of the backlog only {left} jobs are left")
    rates = ", ".join(f"{flow.per_second}/s of {flow.name}" for flow in beside)
    return Row(
        _p99(found),
        _p99(alone),
        max(found[flow.name].p99 / alone[flow.name].p99 for flow in beside),
        ", ".join(f"{flow.name} <= {flow.times:.2f}" for flow in beside) + " x of without the slow jobs",
        all(found[flow.name].p99 <= flow.times * alone[flow.name].p99 for flow in beside),
        f"{SLOW_JOBS} jobs of 8 s run, which is all that one server runs of a type, and {BACKLOG:,} more of them are "
        f"due. Beside them, for {seconds:g} s: {rates}. By the service's log (begin of the attempt): "
        f"{'; '.join(f'{name} {one}' for name, one in found.items())}. Baseline: the same service before. {cpu}.",
    )


def _p99(found: dict[str, Lateness]) -> str:
    return ", ".join(f"{name} p99 {one.p99:.1f} ms" for name, one in found.items())


def _lateness(service: Service, beside: list[Flow], seconds: float) -> dict[str, Lateness]:
    found = {name: Lateness.of(values) for name, values in _late(service, beside, seconds).items()}
    check(all(one.smallest >= 0 for one in found.values()), f"a message was early: {found.values()}")
    return found


def _late(service: Service, beside: list[Flow], seconds: float) -> dict[str, list[float]]:
    """Lateness of each message of each flow, ms.  Raises ``Broken`` when one is lost or delivered twice."""
    counts = {flow.name: round(flow.per_second * seconds) for flow in beside}
    read = len(service.log_text())
    begin = clock.now_ms() + LEAD_MS + sum(counts.values()) // 10
    for flow in beside:
        step = 1000 // flow.per_second
        fill(service.store, counts[flow.name], lambda i, step=step: begin + i * step, **flow.fields)  # type: ignore[misc]
    check(clock.now_ms() < begin, "filling in took longer than expected")
    found: dict[str, list[float]] = {}

    def all_logged() -> bool:
        text = service.log_text()[read:]
        for flow in beside:
            lines = re.findall(rf" ack id=\S+ {flow.line} .*?lateness_ms=(-?[\d.]+) ", text)
            found[flow.name] = [float(late) for late in lines]
        return all(len(found[name]) >= count for name, count in counts.items())

    time.sleep(seconds)
    _wait(all_logged, "not all that was due beside the slow jobs was delivered")
    for name, count in counts.items():
        check(len(found[name]) == count, f"{name}: {len(found[name])} deliveries of {count} messages")
    return found


def _wait(done: Callable[[], bool], otherwise: str) -> None:
    deadline = time.monotonic() + PATIENCE
    while not done():
        check(time.monotonic() < deadline, otherwise)
        time.sleep(0.05)


FIGURES = (Figure("beside slow jobs", measure),)
