"""Lateness: how long after its moment a message is printed."""

from __future__ import annotations

import time
from contextlib import closing

from bench.console import PipeConsole
from bench.delivery import Lateness, logged_lateness, on_time
from bench.service import Service, folder, in_words
from bench.table import Figure, Row

PER_SECOND = 500


def measure(quick: bool) -> Row:
    """A message every 2 ms; before it, how late this machine wakes a thread that only sleeps."""
    seconds = 1.0 if quick else 20.0
    timer = _bare_timer(seconds / 4)
    with folder() as path, closing(PipeConsole()) as console, Service(path / "service", console) as service:
        before = service.cpu_seconds()
        late = on_time(service, console, PER_SECOND, seconds)
        count = round(PER_SECOND * seconds)
        cpu = in_words(before, service.cpu_seconds(), count)
        logged = logged_lateness(service, 0, count)
    return Row(
        str(late),
        str(timer),
        None,
        "p50 <= 1, p99 <= 3 ms, none early",
        late.p50 <= 1 and late.p99 <= 3,
        f"{count:,} messages, one every {1000 // PER_SECOND} ms, scheduler and API process running; stdout is a pipe, "
        "lateness is when its reader had the line, minus the moment, on the one clock of this machine; earliest "
        f"{late.smallest:.2f} ms after its moment. By the service's own log (begin of the attempt): {logged}. "
        f"Baseline: a thread that only sleeps until each moment. {cpu}.",
    )


def _bare_timer(seconds: float) -> Lateness:
    begin = time.time() + 0.01
    late: list[float] = []
    for n in range(round(PER_SECOND * seconds)):
        moment = begin + n / PER_SECOND
        time.sleep(max(0.0, moment - time.time()))
        late.append((time.time() - moment) * 1000)
    return Lateness.of(late)


FIGURES = (Figure("lateness", measure),)
