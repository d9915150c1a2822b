"""Lateness: how long after its moment a message is printed."""

from __future__ import annotations

import time
from contextlib import closing

from bench.console import PipeConsole
from bench.delivery import LEAD_MS, Lateness, logged_lateness, on_time
from bench.messages import clock, fill
from bench.service import Service, folder, in_words, private_redis
from bench.table import Figure, Row
from scheduler.message import Outcome
from scheduler.store import MessageStore
from tests.support.store import take

PER_SECOND = 500


def measure(quick: bool) -> Row:
    """A message every 2 ms; before it, a thread that sleeps until each moment and claims the message itself."""
    seconds = 1.0 if quick else 20.0
    with folder() as path, private_redis(path / "bare") as store:
        bare = _bare_loop(store, seconds / 4)
    with folder() as path, closing(PipeConsole()) as console, Service(path / "service", console) as service:
        before = service.cpu_seconds()
        late = on_time(service, console, PER_SECOND, seconds)
        count = round(PER_SECOND * seconds)
        cpu = in_words(before, service.cpu_seconds(), count)
        logged = logged_lateness(service, 0, count)
    return Row(
        str(late),
        str(bare),
        late.p99 / bare.p99,
        "p50 and p99 <= 4 x the bare loop's, none early",
        late.p50 <= 4 * bare.p50 and late.p99 <= 4 * bare.p99,
        f"{count:,} messages, one every {1000 // PER_SECOND} ms, scheduler and API process running; stdout is a pipe, "
        "lateness is when its reader had the line, minus the moment, on the one clock of this machine; earliest "
        f"{late.smallest:.2f} ms after its moment. By the service's own log (begin of the attempt): {logged}. "
        "Baseline: a thread that sleeps until each moment, claims the message that is due then and settles it; until "
        f"it has the claim. {cpu}.",
    )


def _bare_loop(store: MessageStore, seconds: float) -> Lateness:
    count, step = round(PER_SECOND * seconds), 1000 // PER_SECOND
    begin = clock.now_ms() + LEAD_MS
    fill(store, count, lambda n: begin + n * step)
    late: list[float] = []
    for n in range(count):
        moment = begin + n * step
        time.sleep(max(0.0, moment / 1000 - time.time()))
        while not (claims := take(store, 1, 5000, "bare").claims):
            pass  # by Redis's clock it is not due yet
        late.append(time.time() * 1000 - moment)
        store.settle([Outcome(claims[0], "ack")])
    return Lateness.of(late)


FIGURES = (Figure("lateness", measure),)
