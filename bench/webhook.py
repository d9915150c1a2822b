"""What the webhook channel delivers, next to urllib3 in 10 threads against the same endpoint in the same run.

``python -m bench.webhook`` prints the table.  The channel is driven directly, by a stand-in for dispatcher and store
that hands out what is due and takes back what is released; so the figures are the channel's own.
"""

from __future__ import annotations

import argparse
import heapq
import logging
import statistics
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import psutil
import urllib3

from scheduler.channels.webhook import WebhookChannel, WebhookTarget
from scheduler.clock import SystemClock
from scheduler.logs import adapt
from scheduler.message import Claim, Outcome, Priority
from scheduler.settings import WebhookSettings
from tests.support.endpoint import BlackHole, EndpointProcess

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
PAYLOAD = '{"order": 4711, "state": "paid", "note": "a message of some hundred bytes, as they usually are"}'


class Row(NamedTuple):
    """One line of the table."""

    what: str
    reached: str
    wanted: str
    met: bool


@dataclass(frozen=True)
class Run:
    """What one drive of the channel came to."""

    seconds: float
    kinds: Counter[str]
    lateness_ms: dict[str, list[float]]
    """Per target, of the deliveries that succeeded."""

    def percentile(self, target: str, share: float) -> float:
        values = sorted(self.lateness_ms[target])
        return values[min(len(values) - 1, int(len(values) * share))]


class Driver:
    """Stands in for dispatcher and store: claims in batches of 100 by due moment, as long as the channel has room."""

    def __init__(self, channel: WebhookChannel) -> None:
        self._channel = channel
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
                claims = self._claim(min(100, self._channel.capacity))
                if not claims:
                    self._changed.wait(0.002)
                    continue
            self._channel.deliver(claims, self._report)
        return Run(time.perf_counter() - began, self._kinds, self._lateness)

    def _claim(self, room: int) -> list[Claim]:
        now = self._clock.now_ms()
        claims: list[Claim] = []
        while self._due and len(claims) < room and self._due[0][0] <= now:
            due_at, number, target = heapq.heappop(self._due)
            claims.append(
                Claim(
                    f"{number:016d}", "t", 1, due_at, "webhook", PAYLOAD, target, None, None, Priority.NORMAL, due_at, 0
                )
            )
        return claims

    def _report(self, outcomes: Sequence[Outcome]) -> None:
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


def fast_endpoint() -> Row:
    """Signed messages to an endpoint that answers at once."""
    rates, others = [], []
    with EndpointProcess() as endpoint:
        # Turn and turn about: whatever else the machine is doing hits both.
        for _ in range(3):
            run = drive([(0, target(endpoint.url()))] * 20_000)
            rates.append(run.kinds["ack"] / run.seconds)
            others.append(baseline(endpoint.url(), 3_000))
    rate, other = statistics.median(rates), statistics.median(others)
    return Row(
        "fast endpoint, signed, one process",
        f"{rate:,.0f}/s, {rate / other:.1f}x urllib3 ({other:,.0f}/s)",
        ">= 6,000/s, >= 3x",
        rate >= 6_000 and rate >= 3 * other,
    )


def slow_endpoint() -> Row:
    """1,000 in flight to an endpoint that takes 200 ms."""
    with EndpointProcess() as endpoint:
        url = endpoint.url("/slow/200")
        run = drive([(0, target(url))] * 15_000, per_host=1000)
        other = baseline(url, 100)
    rate = run.kinds["ack"] / run.seconds
    return Row(
        "endpoint that takes 200 ms, 1,000 in flight",
        f"{rate:,.0f}/s (urllib3: {other:,.0f}/s)",
        ">= 3,000/s",
        rate >= 3_000,
    )


def dead_address() -> Row:
    """1,000 messages to an address that never answers, while 200/s go to a good one."""
    with EndpointProcess() as endpoint, BlackHole() as hole:
        good = target(endpoint.url())
        messages = [(0, target(hole.url()))] * 1000 + [(5 * n, good) for n in range(3_000)]
        run = drive(messages, seconds=16)
    late = run.percentile(good, 0.99)
    delivered = len(run.lateness_ms[good])
    return Row(
        "200/s beside 1,000 messages to a dead address",
        f"p99 lateness {late:.0f} ms of {delivered:,}",
        "<= 20 ms",
        late <= 20 and delivered == 3_000,
    )


def endless_bodies() -> Row:
    """1,000 in flight to an endpoint that streams 100 MB bodies."""
    process = psutil.Process()
    peak = 0
    done = threading.Event()

    def watch() -> None:
        nonlocal peak
        while not done.wait(0.02):
            peak = max(peak, process.memory_info().rss)

    watcher = threading.Thread(target=watch)
    watcher.start()
    with EndpointProcess() as endpoint:
        url = endpoint.url("/stream/100000000")
        run = drive([(0, target(url))] * 5_000, per_host=1000)
    done.set()
    watcher.join()
    megabytes = peak / 1e6
    return Row(
        "memory with 1,000 in flight to 100 MB bodies",
        f"{megabytes:.0f} MB, {run.kinds['ack']:,} delivered",
        "<= 200 MB",
        megabytes <= 200 and run.kinds["ack"] == 5_000,
    )


# Memory first: what a process has once used it seldom gives back.
FIGURES: tuple[Callable[[], Row], ...] = (endless_bodies, fast_endpoint, slow_endpoint, dead_address)


def main() -> int:
    """Print the table; exit code 1 when a figure was not reached."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("figure", nargs="*", help=", ".join(figure.__name__ for figure in FIGURES))
    chosen = parser.parse_args().figure
    rows = [figure() for figure in FIGURES if not chosen or figure.__name__ in chosen]
    for row in rows:
        print(f"{'ok ' if row.met else 'NOT'}  {row.what:<48} {row.reached:<44} {row.wanted}")
    return 0 if all(row.met for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
