"""Live events: what a thousand viewers get, how late, and what they cost delivery."""

from __future__ import annotations

import time
from contextlib import closing

from bench.console import FileConsole
from bench.delivery import drain
from bench.messages import clock, fill
from bench.service import Service, folder
from bench.table import Figure, Row, check
from bench.viewers import Plan, Seen, Watching

PER_SECOND = 1_000
"""Events; a message that is delivered makes three."""
STEP_SECONDS = 0.1


def measure(quick: bool) -> Row:
    """A stream of messages before viewers, then drains with and without them by turns."""
    viewers, seconds, count, rounds = (50, 2.0, 2_000, 1) if quick else (1_000, 10.0, 20_000, 2)
    with folder() as path, closing(FileConsole(path / "console.txt")) as console:
        quiet = {"EVENTS__MAX_VIEWERS": str(viewers), "EVENTS__PING_SECONDS": "3600"}
        with Service(path / "service", console, role="worker", **quiet) as service:
            plan = Plan(_events_port(service), viewers, min(10, viewers))
            printed = 0
            with_viewers, alone = 0.0, 0.0
            seen, share = _stream(service, plan, seconds)
            printed += seen.events // 3
            for _ in range(rounds):
                alone += drain(service, console, count, 0, printed).per_second / rounds
                printed += count
                watching = Watching(plan)
                with_viewers += drain(service, console, count, 0, printed).per_second / rounds
                printed += count
                flooded = watching.leave()
    ratio = with_viewers / alone
    return Row(
        f"p50 {seen.p50:.0f}, p99 {seen.p99:.0f} ms",
        "",
        None,
        "every viewer gets all; p99 <= 500 ms; drain with viewers >= 0.75 of the drain without",
        seen.p99 <= 500 and ratio >= 0.75,
        f"{viewers:,} viewers, {seen.events:,} events within {seconds:g} s ({seen.events / seconds:,.0f}/s), each to "
        f"each viewer, in {seen.frames} frames; delay from Redis's time of the event to its arrival, longest "
        f"{seen.largest:.0f} ms. CPU of a core: scheduler {share:.0%} with delivery itself, the viewers' own process "
        f"{seen.cpu_seconds / seconds:.0%}. Then {count:,} due messages: drain {with_viewers:,.0f}/s with all viewers "
        f"watching, {alone:,.0f}/s with none (ratio {ratio:.2f}; both on the same cores as the viewers); of that flood "
        f"each viewer got {flooded.events:,} events and was told of {flooded.gaps} gaps.",
    )


def _stream(service: Service, plan: Plan, seconds: float) -> tuple[Seen, float]:
    """``PER_SECOND`` events a second; what the viewers saw, and the scheduler's CPU as a share of a core."""
    watching = Watching(plan)
    messages = round(PER_SECOND * STEP_SECONDS / 3)
    steps = round(seconds / STEP_SECONDS)
    cpu, began = service.cpu_seconds()["scheduler"], time.perf_counter()
    for step in range(steps):
        time.sleep(max(0.0, began + step * STEP_SECONDS - time.perf_counter()))
        fill(service.store, messages, lambda _: clock.now_ms(), step * messages)
    service.wait_settled(30)
    share = (service.cpu_seconds()["scheduler"] - cpu) / (time.perf_counter() - began)
    seen = watching.leave()
    expected = 3 * messages * steps
    check(seen.gaps == 0 and seen.events == expected, f"a viewer got {seen.events:,} of {expected:,} events")
    check(seen.fewest_bytes == seen.most_bytes, f"viewers got from {seen.fewest_bytes:,} to {seen.most_bytes:,} bytes")
    return seen, share


def _events_port(service: Service) -> int:
    """Where the service shows its events, as its heartbeat says."""
    while True:
        ports = [server.get("events_port") for server in service.store.servers().values()]
        if ports and ports[0]:
            return int(ports[0])
        time.sleep(0.02)


FIGURES = (Figure("events", measure),)
