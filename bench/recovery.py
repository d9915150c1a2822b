"""Recovery: how long the messages of a killed server wait."""

from __future__ import annotations

import time
from contextlib import closing
from pathlib import Path

from bench.console import PipeConsole
from bench.messages import clock, fill
from bench.service import Service, folder
from bench.table import Figure, Row, check
from scheduler.message import Status

MESSAGES = 1_000
PHASES = (2.0, 2.7, 3.4)
"""Seconds for which the doomed server holds its messages before it is killed: locks are renewed every 1.7 s, so that
each round meets another age of theirs."""
PATIENCE = 60.0
WORKERS = 100
"""Jobs that the doomed server holds at once, at most."""


def measure(quick: bool) -> Row:
    """The slowest of three kills."""
    locks = {"SCHEDULER__LOCKSECONDS": "0.5", "REDIS__SOCKETTIMEOUTSECONDS": "0.5", "SCHEDULER__REAPSECONDS": "0.2"}
    settings = locks if quick else {}
    waits, held = [], []
    with (
        folder() as path,
        closing(PipeConsole()) as console,
        Service(path / "survivor", console, role="worker", JOBS__MODULES="bench.passing", **settings) as survivor,
    ):
        for n, phase in enumerate((0.0,) if quick else PHASES):
            wait, count = _kill_one(survivor, console, path / f"doomed-{n}", phase, n * MESSAGES, settings)
            waits.append(wait)
            held.append(count)
        finished = survivor.store.counts().finished
    check(finished == MESSAGES * len(waits), f"{MESSAGES * len(waits) - finished} messages were lost")
    return Row(
        f"{max(waits):.1f} s",
        "",
        None,
        "<= 8 s",
        max(waits) <= 8,
        f"kill -9 of one of two servers{'' if quick else ', default settings'}, while it held "
        f"{', '.join(map(str, held))} jobs whose handlers did not end, their locks renewed "
        "meanwhile; until the other one had carried out the last of them: "
        f"{', '.join(f'{wait:.1f}' for wait in waits)} s; the slowest counts.",
    )


def _kill_one(
    survivor: Service, console: PipeConsole, path: Path, phase: float, first: int, settings: dict[str, str]
) -> tuple[float, int]:
    """Seconds until the messages of the killed server ran, and how many it had."""
    doing = {"JOBS__MODULES": "bench.holding", "JOBS__WORKERS": str(WORKERS)}
    with Service(path, console, role="worker", redis_url=survivor.redis_url, **doing, **settings) as doomed:
        now = clock.now_ms()
        # Both servers are awake and claim in turns; the doomed one keeps what it takes.
        fill(survivor.store, MESSAGES, lambda _: now, first, channel="job", type="mark")
        _wait_until_only_the_doomed_holds(survivor)
        time.sleep(phase)
        held = _held(survivor)
        doomed.kill()
        killed_at = time.time() * 1000
    check(bool(held), "the doomed server held nothing")
    deadline = time.monotonic() + PATIENCE
    while True:
        finished = [at for id in held if (at := survivor.store.get(id).finished_at) is not None]
        if len(finished) == len(held):
            return (max(finished) - killed_at) / 1000, len(held)
        check(time.monotonic() < deadline, f"{len(held) - len(finished)} messages did not run again in {PATIENCE:g} s")
        time.sleep(0.05)


def _wait_until_only_the_doomed_holds(survivor: Service) -> None:
    """Wait until nothing is due and what is in flight stays the same."""
    deadline = time.monotonic() + PATIENCE
    before: set[str] = set()
    while True:
        time.sleep(0.2)
        now = _held(survivor)
        if now and now == before and not survivor.store.counts().due:
            return
        check(time.monotonic() < deadline, "the doomed server never got hold of a message")
        before = now


def _held(survivor: Service) -> set[str]:
    return {message.id for message in survivor.store.page(status=Status.PROCESSING, limit=500).messages}


FIGURES = (Figure("recovery", measure),)
