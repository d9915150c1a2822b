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
TURNS = 5


def measure(quick: bool) -> Row:
    """A message every 2 ms; in turns with it, a thread that sleeps until each moment and claims the message itself."""
    turns, seconds = (1, 1.0) if quick else (TURNS, 4.0)
    count = round(PER_SECOND * seconds)
    bare, late = [], []
    with (
        folder() as path,
        private_redis(path / "bare") as store,
        closing(PipeConsole()) as console,
        Service(path / "service", console) as service,
    ):
        before = service.cpu_seconds()
        for turn in range(turns):
            bare.append(_bare_loop(store, seconds / 2))
            late.append(on_time(service, console, PER_SECOND, seconds, turn * count))
        cpu = in_words(before, service.cpu_seconds(), turns * count)
        logged = logged_lateness(service, 0, turns * count)
    mine, base = Lateness.middle(late), Lateness.middle(bare)
    return Row(
        str(mine),
        str(base),
        mine.p99 / base.p99,
        "p50 and p99 <= 4 x the bare loop's, none early",
        mine.p50 <= 4 * base.p50 and mine.p99 <= 4 * base.p99,
        f"{turns} turns of {count:,} messages, one every {1000 // PER_SECOND} ms, the middle percentiles count; "
        "scheduler and API process running; stdout is a pipe, lateness is when its reader had the line, minus the "
        f"moment, on the one clock of this machine; earliest {mine.smallest:.2f} ms after its moment. By the service's "
        f"own log (begin of the attempt): {logged}. Baseline, in turns with it: a thread that sleeps until each "
        f"moment, claims the message that is due then and settles it; until it has the claim. {cpu}.",
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
