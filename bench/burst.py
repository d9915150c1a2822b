"""Burst: a hundred thousand messages at one millisecond."""

from __future__ import annotations

import json
import time
from contextlib import closing

from bench.console import PipeConsole
from bench.delivery import PATIENCE, check_each_once, drain, logged_lateness, numbers_of
from bench.load import Plan, Running
from bench.messages import FAR_MS, clock, fill
from bench.service import Service, folder, in_words, wait_quiet
from bench.table import Figure, Row, check, percentile

RATE = 100.0
"""API requests per second meanwhile."""
CLIENTS = 8
HEAD_START_MS = 2_000
"""The clients begin this long before the burst: starting their process takes up to a second on a busy machine."""
GRACE_MS = 50.0
"""What the message behind the queue may take beyond the queue: a batch that is being printed, and one of its own."""


def measure(quick: bool) -> Row:
    """The burst, with a message that is due a second later and clients at the API meanwhile."""
    count = 2_000 if quick else 100_000
    with folder() as path, closing(PipeConsole()) as console, Service(path / "service", console) as service:
        reference = drain(service, console, count // 2)
        printed = console.printed
        due = clock.now_ms() + HEAD_START_MS + 1_500 + count // 10
        fill(service.store, count, lambda _: due, printed)
        fill(service.store, 1, lambda _: due + 1_000, printed + count)
        wait_quiet(service.client)
        check(clock.now_ms() < due, "filling in took longer than expected")
        time.sleep(max(0.0, (due - HEAD_START_MS) / 1000 - time.time()))
        body = json.dumps({"time": due + FAR_MS, "message": "x"})
        before = service.cpu_seconds()
        api = Running(
            Plan(service.port, "/echoAtTime", body, CLIENTS, HEAD_START_MS / 1000 + 1.5 + count / 8_000, rate=RATE)
        )
        console.wait_for(printed + count + 1, PATIENCE)
        service.wait_settled(PATIENCE)
        load = api.result()
        cpu = in_words(before, service.cpu_seconds(), count)
        arrivals = console.arrivals()[printed:]
        logged = logged_lateness(service, printed, count + 1)
    check_each_once(numbers_of(arrivals), range(printed, printed + count + 1))
    check(logged.smallest >= 0, "a message was early")
    late = next(arrival for arrival in arrivals if arrival.mark.due_at == due + 1_000)
    burst = [arrival.at_ms for arrival in arrivals if arrival is not late]
    end = max(burst)
    rate = count / (end - due) * 1000
    ahead = sum(at > due + 1_000 for at in burst)
    lateness, queue = late.at_ms - due - 1_000, max(0.0, end - due - 1_000)
    answered = [took for at, took in load.latencies if due <= at <= max(end, due + 1_000)]
    p99 = percentile(answered, 0.99)
    return Row(
        f"{rate:,.0f}/s; 1 s later: {lateness:,.0f} ms late; API p99 {p99:.0f} ms",
        f"{reference.per_second:,.0f}/s",
        rate / reference.per_second,
        f">= 0.85 of the drain rate; late by the queue ahead (+ {GRACE_MS:g} ms); API p99 <= 50 ms",
        rate >= 0.85 * reference.per_second and lateness <= queue + GRACE_MS and p99 <= 50,
        f"{count:,} messages due at one millisecond, console a pipe, scheduler and API process; when the later message "
        f"was due {ahead:,} were ahead of it, the last of which was printed {queue:,.0f} ms later. POST /echoAtTime at "
        f"{RATE:g}/s over {CLIENTS} connections meanwhile: p50 {percentile(answered, 0.5):.1f}, "
        f"max {max(answered):.0f} ms, {len(answered)} requests. "
        f"Baseline: a drain of {count // 2:,} in the same service without clients. {cpu}.",
    )


FIGURES = (Figure("burst", measure),)
