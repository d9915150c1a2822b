"""Delivering what is due, as several rows do it: as fast as it goes, and each message at its own millisecond."""

from __future__ import annotations

import re
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from statistics import median
from typing import NamedTuple

from bench.console import Arrival, PipeConsole, ReadableConsole
from bench.messages import clock, fill
from bench.service import Service, in_words, wait_quiet
from bench.table import check, percentile
from scheduler.flow import Flow
from scheduler.message import Outcome
from scheduler.store import MessageStore
from tests.support.store import take

LEAD_MS = 500
"""Between the end of filling and the first moment."""
PATIENCE = 120.0
"""Seconds after which what was not printed counts as lost."""


class Drained(NamedTuple):
    per_second: float
    cpu: str


def drain(
    service: Service,
    console: ReadableConsole,
    count: int,
    first: int = 0,
    printed: int = 0,
    flows: Sequence[Flow] = (),
) -> Drained:
    """Print ``count`` messages that are all due; ``printed``: lines there are already.

    Paused while they are filled in; timed from the resume to the moment when all are printed and settled in Redis.
    """
    service.store.pause()
    now = clock.now_ms()
    fill(service.store, count, lambda _: now, first, flows=flows)
    wait_quiet(service.client)
    before, began = service.cpu_seconds(), time.perf_counter()
    service.store.resume()
    console.wait_for(printed + count, PATIENCE)
    service.wait_settled(PATIENCE)
    seconds = time.perf_counter() - began
    return Drained(count / seconds, in_words(before, service.cpu_seconds(), count))


def claim_and_settle(store: MessageStore, count: int) -> float:
    """Messages per second of the bare loop, one thread: claim 100, settle 100, deliver nothing."""
    now = clock.now_ms()
    fill(store, count, lambda _: now)
    wait_quiet(store.client)
    done = 0
    began = time.perf_counter()
    while claims := take(store, 100, 5000, "bare").claims:
        done += sum(store.settle([Outcome(claim, "ack") for claim in claims]))
    seconds = time.perf_counter() - began
    check(done == count, f"the bare loop settled {done:,} of {count:,}")
    return count / seconds


class Lateness(NamedTuple):
    """Of messages that were due at known moments, in ms."""

    p50: float
    p99: float
    largest: float
    smallest: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Lateness:
        return cls(percentile(values, 0.5), percentile(values, 0.99), max(values), min(values))

    @classmethod
    def middle(cls, turns: Sequence[Lateness]) -> Lateness:
        """Of several turns: the middle percentiles, and the extremes of all."""
        return cls(
            median(turn.p50 for turn in turns),
            median(turn.p99 for turn in turns),
            max(turn.largest for turn in turns),
            min(turn.smallest for turn in turns),
        )

    def __str__(self) -> str:
        return f"p50 {self.p50:.2f}, p99 {self.p99:.2f}, max {self.largest:.1f} ms"


def on_time(
    service: Service, console: PipeConsole, per_second: int, seconds: float, first: int = 0, *, beside: bool = False
) -> Lateness:
    """Print ``per_second`` messages a second, each due at a millisecond of its own.  ``beside``: others stay due.

    Lateness is when our end of the pipe had read the line, minus the moment it was due.  Raises ``Broken`` for a
    message that is lost, repeated or early, also by the service's own log.
    """
    count, step = round(per_second * seconds), 1000 // per_second
    printed = console.printed
    begin = clock.now_ms() + LEAD_MS + count // 10
    fill(service.store, count, lambda i: begin + i * step, first)
    check(clock.now_ms() < begin, "filling in took longer than expected")
    console.wait_for(printed + count, seconds + PATIENCE)
    if not beside:
        service.wait_settled(PATIENCE)
    arrivals = console.arrivals()[printed:]
    check_each_once((arrival.mark.number for arrival in arrivals), range(first, first + count))
    late = Lateness.of([arrival.at_ms - arrival.mark.due_at for arrival in arrivals])
    logged = logged_lateness(service, first, count)
    check(late.smallest >= 0, f"a message was {-late.smallest:.3f} ms early")
    check(logged.smallest >= 0, f"a message was {-logged.smallest:.3f} ms early by the log")
    return late


def logged_lateness(service: Service, first: int, count: int) -> Lateness:
    """The begin of the attempts after their moments, as the service's log has it.  Raises ``Broken`` for a line too
    few or too many.
    """
    found = re.findall(r" ack id=\S+ .* lateness_ms=(-?[\d.]+) .* message=(\d{8}) ", service.log_text())
    mine = [(float(late), int(number)) for late, number in found if first <= int(number) < first + count]
    check_each_once((number for _, number in mine), range(first, first + count))
    return Lateness.of([late for late, _ in mine])


def check_each_once(numbers: Iterable[int], wanted: range) -> None:
    """Raises ``Broken`` unless each number is there exactly once."""
    seen = Counter(numbers)
    lost = [number for number in wanted if number not in seen]
    twice = [number for number, times in seen.items() if times > 1]
    strange = [number for number in seen if number not in wanted]
    check(not lost, f"{len(lost):,} of {len(wanted):,} messages were lost: {lost[:5]}")
    check(not twice, f"{len(twice):,} messages were delivered more than once: {twice[:5]}")
    check(not strange, f"{len(strange):,} messages were delivered that nobody had scheduled: {strange[:5]}")


def numbers_of(arrivals: Iterable[Arrival]) -> list[int]:
    return [arrival.mark.number for arrival in arrivals]
