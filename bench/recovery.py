"""Recovery: how long the messages of a killed server wait."""

from __future__ import annotations

import time
from contextlib import closing
from pathlib import Path

from bench.console import DeafConsole, PipeConsole
from bench.messages import clock, fill
from bench.service import Service, folder
from bench.table import Figure, Row, check
from scheduler.message import Status

MESSAGES = 1_000
PHASES = (2.0, 2.7, 3.4)
"""Seconds for which the doomed server holds its messages before it is killed: locks are renewed every 1.7 s, so that
each round meets another age of theirs."""
PATIENCE = 60.0


def measure(quick: bool) -> Row:
    """The slowest of three kills."""
    settings = (
        {
            "SCHEDULER__LOCKSECONDS": "0.5",
            "SCHEDULER__REAPSECONDS": "0.2",
            "REDIS__SOCKETTIMEOUTSECONDS": "0.5",
        }
        if quick
        else {}
    )
    waits, held = [], []
    with (
        folder() as path,
        closing(PipeConsole()) as console,
        Service(path / "survivor", console, role="worker", **settings) as survivor,
    ):
        for n, phase in enumerate((0.0,) if quick else PHASES):
            wait, count = _kill_one(survivor, console, path / f"doomed-{n}", phase, n * MESSAGES, settings)
            waits.append(wait)
            held.append(count)
        # What the doomed one held and printed in part comes again; nothing may be missing.
        numbers = {arrival.mark.number for arrival in console.arrivals()}
    check(len(numbers) == MESSAGES * len(waits), f"{MESSAGES * len(waits) - len(numbers)} messages were lost")
    return Row(
        f"{max(waits):.1f} s",
        "",
        None,
        "<= 8 s",
        max(waits) <= 8,
        f"kill -9 of one of two servers{'' if quick else ', default settings'}, while it held "
        f"{', '.join(map(str, held))} messages that it could not print (its stdout was a full pipe), its locks renewed "
        "meanwhile; until the other one had printed the last of them: "
        f"{', '.join(f'{wait:.1f}' for wait in waits)} s; the slowest counts.",
    )


def _kill_one(
    survivor: Service, console: PipeConsole, path: Path, phase: float, first: int, settings: dict[str, str]
) -> tuple[float, int]:
    """Seconds until the messages of the killed server ran, and how many it had."""
    with (
        closing(DeafConsole()) as deaf,
        Service(path, deaf, role="worker", redis_url=survivor.redis_url, **settings) as doomed,
    ):
        now = clock.now_ms()
        # Both servers are awake and claim in turns; the doomed one hangs on its first slice.
        fill(survivor.store, MESSAGES, lambda _: now, first)
        _wait_until_only_the_doomed_holds(survivor)
        time.sleep(phase)
        held = _held(survivor)
        doomed.kill()
        killed_at = time.time() * 1000
    check(bool(held), "the doomed server held nothing")
    deadline = time.monotonic() + PATIENCE
    while True:
        at = {arrival.mark.number: arrival.at_ms for arrival in console.arrivals() if arrival.mark.number in held}
        if len(at) == len(held):
            return (max(at.values()) - killed_at) / 1000, len(held)
        check(time.monotonic() < deadline, f"{len(held) - len(at)} messages did not run again in {PATIENCE:g} s")
        time.sleep(0.05)


def _wait_until_only_the_doomed_holds(survivor: Service) -> None:
    """Wait until nothing is due and what is in flight stays the same."""
    deadline = time.monotonic() + PATIENCE
    before: set[int] = set()
    while True:
        time.sleep(0.2)
        now = _held(survivor)
        if now and now == before and not survivor.store.counts().due:
            return
        check(time.monotonic() < deadline, "the doomed server never got hold of a message")
        before = now


def _held(survivor: Service) -> set[int]:
    messages = survivor.store.page(status=Status.PROCESSING, limit=500).messages
    return {int(message.payload[1:9]) for message in messages}


FIGURES = (Figure("recovery", measure),)
