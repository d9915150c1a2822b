"""Scale: whether a million messages that wait make those that are due any slower; ten million, on request."""

from __future__ import annotations

import os
import signal
import time
from contextlib import closing, suppress
from pathlib import Path
from statistics import median
from typing import NamedTuple

from bench.console import PipeConsole
from bench.delivery import Drained, drain, on_time
from bench.messages import clock, fill, fill_far
from bench.service import Service, folder, wait_quiet
from bench.table import Figure, Row, check


class Server(NamedTuple):
    """One of the two servers, and what it came to in each round."""

    service: Service
    console: PipeConsole
    drains: list[Drained]
    p50: list[float]
    """ms"""
    p99: list[float]

    @property
    def rate(self) -> float:
        """messages/s"""
        return median(drained.per_second for drained in self.drains)

    @property
    def in_words(self) -> str:
        rates = ", ".join(f"{drained.per_second:,.0f}" for drained in self.drains)
        return f"{rates}/s ({self.drains[-1].cpu})"


def measure(quick: bool) -> Row:
    """Two servers, each with a Redis of its own, one of them full; measured in turns, the middle of five counts."""
    pending, count, seconds, rounds = (20_000, 1_000, 0.5, 1) if quick else (1_000_000, 20_000, 4.0, 5)
    with (
        folder() as path,
        closing(PipeConsole()) as one,
        closing(PipeConsole()) as other,
        Service(path / "empty", one, role="worker") as empty_service,
        Service(path / "full", other, role="worker") as full_service,
    ):
        fill_far(full_service.store, pending)
        wait_quiet(full_service.client)
        empty, full = Server(empty_service, one, [], [], []), Server(full_service, other, [], [], [])
        for turn in range(rounds):
            # The first of a pair has the colder caches: they change places.
            for server in (empty, full) if turn % 2 else (full, empty):
                _round(server, turn, count, seconds)
        left = sum(full_service.store.counts().scheduled.values())
    check(left == pending, f"{left:,} of {pending:,} far messages are left")
    drained = full.rate / empty.rate
    p50, p99 = median(full.p50) / median(empty.p50), median(full.p99) / median(empty.p99)
    return Row(
        f"drain {full.rate:,.0f}/s; p50 {median(full.p50):.2f}, p99 {median(full.p99):.2f} ms",
        f"drain {empty.rate:,.0f}/s; p50 {median(empty.p50):.2f}, p99 {median(empty.p99):.2f} ms",
        drained,
        "drain >= 0.85, p50 and p99 <= 1.15 of the empty store's",
        drained >= 0.85 and p50 <= 1.15 and p99 <= 1.15,
        f"{pending:,} messages pending, 30 days ahead, against none, in two services measured in turns ({rounds} each, "
        f"the middle one counts): a drain of {count:,}, and {seconds:g} s of 500 messages/s each at its own moment. "
        f"Lateness against the empty store's: p50 {p50:.2f}, p99 {p99:.2f}. "
        f"Drains: {full.in_words}; of the empty store {empty.in_words}.",
    )


def _round(server: Server, turn: int, count: int, seconds: float) -> None:
    late_count = round(500 * seconds)
    first = turn * (count + late_count)
    server.drains.append(drain(server.service, server.console, count, first, first))
    late = on_time(server.service, server.console, 500, seconds, first + count)
    server.p50.append(late.p50)
    server.p99.append(late.p99)


def ten_million(quick: bool) -> Row:
    """``make bench SCALE=10m``: as ``scale`` with ten times as many; and a start after ``kill -9`` of everything."""
    pending, count, seconds, rounds = (20_000, 1_000, 0.5, 1) if quick else (10_000_000, 20_000, 4.0, 5)
    with (
        folder() as path,
        closing(PipeConsole()) as one,
        closing(PipeConsole()) as other,
    ):
        with (
            Service(path / "empty", one, role="worker") as empty_service,
            Service(path / "full", other, role="worker") as full_service,
        ):
            used = full_service.store.redis_info()["used_memory"]
            fill_far(full_service.store, pending)
            wait_quiet(full_service.client)
            each = (full_service.store.redis_info()["used_memory"] - used) / pending
            empty, full = Server(empty_service, one, [], [], []), Server(full_service, other, [], [], [])
            for turn in range(rounds):
                for server in (empty, full) if turn % 2 else (full, empty):
                    _round(server, turn, count, seconds)
            rewrite = _while_rewriting(full, rounds * (count + round(500 * seconds)), seconds)
            _kill_everything(full_service)
        again, said = _start_again(path / "full", pending)
    drained = full.rate / empty.rate
    p99 = median(full.p99) / median(empty.p99)
    return Row(
        f"drain {full.rate:,.0f}/s, p99 {median(full.p99):.2f} ms, delivers again after {again:.0f} s",
        f"drain {empty.rate:,.0f}/s, p99 {median(empty.p99):.2f} ms",
        drained,
        "drain >= 0.95 and p99 <= 1.1 of the empty store's; delivers again within 30 s",
        drained >= 0.95 and p99 <= 1.1 and again <= 30,
        f"{pending:,} messages pending, {each:.0f} bytes each, against none, in two services measured in turns "
        f"({rounds} each, the middle one counts); lateness against the empty store's: p99 {p99:.2f}. While the file "
        f"was rewritten: {rewrite}. Then kill -9 of the service and its Redis, and a start; the console said {said}.",
    )


def _while_rewriting(full: Server, first: int, seconds: float) -> str:
    before = int(full.service.client.info("persistence")["aof_last_rewrite_time_sec"])
    full.service.client.bgrewriteaof()
    late = on_time(full.service, full.console, 500, seconds, first)
    wait_quiet(full.service.client)
    info = full.service.client.info()
    took = max(before, int(info["aof_last_rewrite_time_sec"]))
    return f"{late}, a pause of {int(info['latest_fork_usec']) / 1000:.0f} ms at its beginning, {took} s in all"


def _kill_everything(service: Service) -> None:
    for members in service.processes().values():
        for process in members:
            with suppress(ProcessLookupError):
                os.kill(process.pid, signal.SIGKILL)
    service.kill()


def _start_again(path: Path, pending: int) -> tuple[float, str]:
    """Seconds until a message that is due is delivered, and how often the console said how far Redis was."""
    with closing(PipeConsole()) as console:
        began = time.monotonic()
        with Service(path, console, role="worker") as service:
            fill(service.store, 1, lambda _: clock.now_ms())
            console.wait_for(1, 60)
            seconds = time.monotonic() - began
            left = sum(service.store.counts().scheduled.values())
            said = service.said().count("Redis is loading its data:")
    check(left == pending, f"{left:,} of {pending:,} far messages are left")
    return seconds, f"{said} times how far Redis was"


FIGURES = (Figure("scale", measure), Figure("scale-10m", ten_million, on_request=True))
