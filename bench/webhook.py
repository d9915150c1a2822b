"""Webhooks: what the channel delivers, next to urllib3 in 10 threads against the same endpoint in the same run.

``python -m bench.webhook`` prints these figures alone.  The channel is driven directly, by a stand-in for dispatcher
and store that hands out what is due and takes back what is released; so the figures are the channel's own.
"""

from __future__ import annotations

import heapq
import logging
import multiprocessing
import statistics
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass

import psutil
import urllib3

from bench.table import Figure, Row, check, markdown, percentile
from scheduler.channels.webhook import WebhookChannel, WebhookTarget
from scheduler.clock import SystemClock
from scheduler.config.sections.webhook import WebhookSettings
from scheduler.delivery.lanes import Lane, Lanes
from scheduler.logs.sinks import adapt
from scheduler.message import Claim, Outcome, Priority
from tests.support.endpoint import BlackHole, EndpointProcess

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
PAYLOAD = '{"order": 4711, "state": "paid", "note": "a message of some hundred bytes, as they usually are"}'


@dataclass(frozen=True)
class Run:
    """What one drive of the channel came to."""

    seconds: float
    kinds: Counter[str]
    lateness_ms: dict[str, list[float]]
    """Per target, of the deliveries that succeeded."""


class Driver:
    """Stands in for dispatcher and store: claims in batches of 100 by due moment, as long as the channel has room."""

    def __init__(self, channel: WebhookChannel) -> None:
        self._channel = channel
        (spec,) = channel.lanes()
        lane = Lane(spec, batch=100, size=lambda: 100, shares=False)
        self._lanes = Lanes([lane], threads=1, monotonic=time.monotonic)
        self._clock = SystemClock()
        self._due: list[tuple[int, int, str]] = []
        self._changed = threading.Condition()
        self._left = 0
        self._kinds: Counter[str] = Counter()
        self._lateness: dict[str, list[float]] = {}

    def run(self, messages: Iterable[tuple[int, str]], seconds: float = 60.0) -> Run:
        """Deliver (milliseconds from now, target) until all are finished or so many seconds have passed."""
        began_ms = self._clock.now_ms()
        self._due = [(began_ms + offset, number, target) for number, (offset, target) in enumerate(messages)]
        heapq.heapify(self._due)
        self._left = len(self._due)
        self._lateness = {target: [] for _, _, target in self._due}
        began = time.perf_counter()
        while self._left and time.perf_counter() - began < seconds:
            with self._changed:
                claims = self._claim(sum(budget.most for budget in self._lanes.wanted().budgets))
                if not claims:
                    self._changed.wait(0.002)
                    continue
            self._lanes.slices("webhook", claims)
            self._channel.deliver(claims, self._report)
            self._lanes.slice_ended("webhook")
        return Run(time.perf_counter() - began, self._kinds, self._lateness)

    def _claim(self, room: int) -> list[Claim]:
        now = self._clock.now_ms()
        claims: list[Claim] = []
        while self._due and len(claims) < room and self._due[0][0] <= now:
            due_at, number, target = heapq.heappop(self._due)
            claims.append(
                Claim(
                    f"{number:016d}", "t", 1, due_at, "webhook", PAYLOAD, target, None, None, Priority.NORMAL, due_at,
                    0, "webhook",
                )
            )  # fmt: skip
        return claims

    def _report(self, outcomes: Sequence[Outcome]) -> None:
        given_back = sum(outcome.kind == "release" for outcome in outcomes)
        self._lanes.reported("webhook", len(outcomes) - given_back, given_back)
        with self._changed:
            for outcome in outcomes:
                self._kinds[outcome.kind] += 1
                claim = outcome.claim
                assert claim.target is not None
                if outcome.kind == "release":
                    again = self._clock.now_ms() + (outcome.delay_ms or 0)
                    heapq.heappush(self._due, (again, int(claim.id), claim.target))
                    continue
                self._left -= 1
                if outcome.kind == "ack":
                    self._lateness[claim.target].append(outcome.lateness_ms)
            self._changed.notify()


def drive(
    messages: Iterable[tuple[int, str]], seconds: float = 60.0, per_host: int = 100, connect_timeout: float = 10.0
) -> Run:
    """Run a channel of its own over the messages."""
    settings = WebhookSettings(
        allow_private_networks=True,
        secrets=SECRET,
        max_in_flight_per_host=per_host,
        connect_timeout_seconds=connect_timeout,
    )
    clock = SystemClock()
    channel = WebhookChannel(settings, clock=clock, now_ms=clock.now_ms, log=adapt(logging.getLogger()))
    channel.start()
    try:
        return Driver(channel).run(messages, seconds)
    finally:
        channel.stop(0)


def target(url: str) -> str:
    return WebhookTarget(url=url).encode()


def baseline(url: str, count: int, threads: int = 10) -> float:
    """Deliveries per second of urllib3 with kept connections, unsigned."""
    pool = urllib3.PoolManager(maxsize=threads)
    turns = iter(range(count))

    def work() -> None:
        for _ in turns:
            pool.request("POST", url, body=PAYLOAD.encode(), headers={"Content-Type": "application/json"})

    workers = [threading.Thread(target=work) for _ in range(threads)]
    began = time.perf_counter()
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    return count / (time.perf_counter() - began)


def fast_endpoint(quick: bool) -> Row:
    """Signed messages to an endpoint that answers at once."""
    rounds, count, others_count = (1, 1_000, 200) if quick else (3, 20_000, 3_000)
    rates, others, cpu = [], [], []
    with EndpointProcess() as endpoint:
        # Turn and turn about: whatever else the machine is doing hits both.
        for _ in range(rounds):
            used = time.process_time()
            run = drive([(0, target(endpoint.url()))] * count)
            cpu.append((time.process_time() - used) / count)
            check(run.kinds["ack"] == count, f"not delivered once each: {run.kinds}")
            rates.append(count / run.seconds)
            others.append(baseline(endpoint.url(), others_count))
    rate, other = statistics.median(rates), statistics.median(others)
    return Row(
        f"{rate:,.0f}/s",
        f"{other:,.0f}/s",
        rate / other,
        ">= 3 x urllib3",
        rate >= 3 * other,
        f"{rounds} x {count:,} signed messages to an endpoint in another process, dispatcher and store stood in for; "
        f"baseline: urllib3 in 10 threads, unsigned; medians. CPU {statistics.median(cpu) * 1e6:.0f} us per message.",
    )


def slow_endpoint(quick: bool) -> Row:
    """1,000 in flight to an endpoint that takes 200 ms."""
    count = 1_000 if quick else 15_000
    with EndpointProcess() as endpoint:
        url = endpoint.url("/slow/200")
        run = drive([(0, target(url))] * count, per_host=1000)
        other = baseline(url, 20 if quick else 200)
    check(run.kinds["ack"] == count, f"not delivered once each: {run.kinds}")
    rate = count / run.seconds
    return Row(
        f"{rate:,.0f}/s",
        f"{other:,.0f}/s",
        rate / other,
        ">= 3,000/s",
        rate >= 3_000,
        f"{count:,} messages, 1,000 in flight allowed to one host, the opening of 1,000 connections included; "
        "baseline: urllib3 in 10 threads.",
    )


def dead_address(quick: bool) -> Row:
    """1,000 messages to an address that never answers, while 200/s go to a good one."""
    count = 200 if quick else 3_000
    with EndpointProcess() as endpoint, BlackHole() as hole:
        good = target(endpoint.url())
        messages = [(0, target(hole.url()))] * 1000 + [(5 * n, good) for n in range(count)]
        run = drive(messages, seconds=count / 200 + 1)
    late = run.lateness_ms[good]
    check(len(late) == count, f"{len(late)} of {count} good ones were delivered")
    p99 = percentile(late, 0.99)
    return Row(
        f"p99 {p99:.0f} ms",
        "",
        None,
        "p99 <= 20 ms",
        p99 <= 20,
        f"Lateness of {count:,} messages at 200/s to a good endpoint, beside 1,000 to an address that does not answer "
        f"(connect timeout 10 s); p50 {percentile(late, 0.5):.1f}, max {max(late):.0f} ms; of the others "
        f"{run.kinds['retry']:,} attempts failed and {run.kinds['release']:,} were given back.",
    )


def endless_bodies(quick: bool) -> Row:
    """1,000 in flight to an endpoint that streams 100 MB bodies."""
    count = 1_000 if quick else 5_000
    with (
        EndpointProcess() as endpoint,
        ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as fresh,
    ):
        url = endpoint.url("/stream/100000000")
        delivered, peak = fresh.submit(_peak_memory, url, count).result()
    check(delivered == count, f"{delivered} of {count} delivered")
    return Row(
        f"{peak / 1e6:.0f} MB",
        "",
        None,
        "<= 200 MB",
        peak <= 200e6,
        f"Peak resident memory of a process that delivers {count:,} messages, 1,000 in flight, to an endpoint that "
        "answers each with 100 MB; a response is cut after 64 KiB.",
    )


def _peak_memory(url: str, count: int) -> tuple[int, int]:
    """Messages delivered, and the most bytes that this process had resident meanwhile."""
    process = psutil.Process()
    peak = 0
    done = threading.Event()

    def watch() -> None:
        nonlocal peak
        while not done.wait(0.01):
            peak = max(peak, process.memory_info().rss)

    watcher = threading.Thread(target=watch)
    watcher.start()
    run = drive([(0, target(url))] * count, per_host=1000)
    done.set()
    watcher.join()
    return run.kinds["ack"], peak


FIGURES = (
    Figure("webhook-fast", fast_endpoint),
    Figure("webhook-slow", slow_endpoint),
    Figure("webhook-dead", dead_address),
    Figure("webhook-memory", endless_bodies),
)


def main() -> int:
    """Print the table of these figures alone; exit code 1 when one was not reached."""
    rows = [(figure.name, figure.measure(False)) for figure in FIGURES]
    print(markdown(rows))
    return 0 if all(row.reached for _, row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
