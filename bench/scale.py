"""Scale: whether a million messages that wait make those that are due any slower."""

from __future__ import annotations

from contextlib import closing
from statistics import median
from typing import NamedTuple

from bench.console import PipeConsole
from bench.delivery import Drained, drain, on_time
from bench.messages import fill_far
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


FIGURES = (Figure("scale", measure),)
