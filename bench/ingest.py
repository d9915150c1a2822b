"""Ingest: how fast the API accepts messages, one by one and a thousand at a time."""

from __future__ import annotations

import json
from contextlib import closing
from pathlib import Path

from bench import trivial
from bench.console import FileConsole
from bench.load import Load, Plan, Running
from bench.messages import BATCH, FAR_MS, SIZE, clock, fill_far
from bench.service import Service, cpu_seconds, folder, in_words, private_redis
from bench.table import Figure, Row, check

CONNECTIONS = 32
BATCH_CONNECTIONS = 4


def single(quick: bool) -> Row:
    """``POST /echoAtTime`` by 32 clients; the same request to a route that does nothing before it."""
    body = json.dumps({"time": clock.now_ms() + FAR_MS, "message": "x" * SIZE})
    with trivial.running() as (port, process):
        before = cpu_seconds({"api": process.children()})
        bare = Running(_plan(port, trivial.PATH, body, quick)).result()
        bare_cpu = in_words(before, cpu_seconds({"api": process.children()}), bare.answers, "request")
    with folder() as path:
        load, cpu = _loaded(path, trivial.PATH, body, 1, CONNECTIONS, quick)
    return Row(
        f"{load.per_second:,.0f}/s",
        f"{bare.per_second:,.0f}/s",
        load.per_second / bare.per_second,
        ">= 4,000/s; >= 0.20 of a trivial Flask route",
        load.per_second >= 4_000 and load.per_second >= 0.2 * bare.per_second,
        f"POST /echoAtTime over {CONNECTIONS} kept connections, one API process, private Redis; generator, API and "
        f"Redis share the cores; p50 {load.p(0.5):.1f}, p99 {load.p(0.99):.1f} ms; generator "
        f"{load.cpu_seconds / load.answers * 1e6:.0f} µs per request. {cpu}; the trivial route's {bare_cpu}.",
    )


def batch(quick: bool) -> Row:
    """``POST /v1/messages/batch``; the store's own call, in process, after it."""
    one = {"message": "x" * SIZE, "time": clock.now_ms() + FAR_MS}
    body = json.dumps({"messages": [one] * BATCH})
    with folder() as path:
        load, cpu = _loaded(path, "/v1/messages/batch", body, BATCH, BATCH_CONNECTIONS, quick)
        bare = _bare_schedule(path, 5_000 if quick else 100_000)
    rate = load.per_second * BATCH
    return Row(
        f"{rate:,.0f}/s",
        f"{bare:,.0f}/s",
        rate / bare,
        ">= 40,000/s",
        rate >= 40_000,
        f"POST /v1/messages/batch of {BATCH:,} over {BATCH_CONNECTIONS} kept connections, one API process; p99 of a "
        f"batch {load.p(0.99):.0f} ms. Baseline: the store's schedule of {BATCH:,} in process, one thread. {cpu}.",
    )


def _plan(port: int, path: str, body: str, quick: bool, connections: int = CONNECTIONS) -> Plan:
    seconds, warm = (0.5, 0.1) if quick else (6.0, 1.0)
    return Plan(port, path, body, connections, seconds, warm)


def _loaded(path: Path, route: str, body: str, messages: int, connections: int, quick: bool) -> tuple[Load, str]:
    """What a service does with these requests, and its CPU time per message."""
    with closing(FileConsole(path / "console.txt")) as console, Service(path / "service", console) as service:
        before = service.cpu_seconds()
        load = Running(_plan(service.port, route, body, quick, connections)).result()
        stored = sum(service.store.counts().scheduled.values())
        cpu = in_words(before, service.cpu_seconds(), load.answers * messages)
    check(stored == load.answers * messages, f"{load.answers * messages:,} accepted, {stored:,} stored")
    return load, cpu


def _bare_schedule(path: Path, count: int) -> float:
    with private_redis(path / "bare") as store:
        began = clock.monotonic()
        fill_far(store, count)
        return count / (clock.monotonic() - began)


FIGURES = (Figure("single-ingest", single), Figure("batch-ingest", batch))
