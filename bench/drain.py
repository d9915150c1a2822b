"""Drain: how fast one scheduler process prints what is due."""

from __future__ import annotations

from contextlib import closing
from statistics import median

from bench.console import FileConsole
from bench.delivery import check_each_once, claim_and_settle, drain, logged_lateness
from bench.messages import mark_of
from bench.service import Service, folder, private_redis
from bench.table import Figure, Row


def measure(quick: bool) -> Row:
    """Three drains, the middle one counts; the bare loop before and after them, on the same Redis settings."""
    count, rounds = (2_000, 1) if quick else (50_000, 3)
    with folder() as path:
        with private_redis(path / "bare") as store:
            bare = [claim_and_settle(store, count)]
        with closing(FileConsole(path / "console.txt")) as console:
            with Service(path / "service", console, role="worker") as service:
                runs = [drain(service, console, count, n * count, n * count) for n in range(rounds)]
                logged_lateness(service, 0, rounds * count)
            check_each_once((mark_of(text).number for text in console.texts()), range(rounds * count))
        with private_redis(path / "bare") as store:
            bare.append(claim_and_settle(store, count))
    rate, base = median(run.per_second for run in runs), sum(bare) / len(bare)
    return Row(
        f"{rate:,.0f}/s",
        f"{base:,.0f}/s",
        rate / base,
        ">= 0.80 of the bare claim+settle loop",
        rate >= 0.8 * base,
        f"{count:,} messages of 50 bytes, all due, one scheduler process with 10 workers, private Redis with its "
        f"append-only file, console redirected to a file, one log line each; from the resume until all are printed and "
        f"settled; {', '.join(f'{run.per_second:,.0f}' for run in runs)}/s, the middle one counts. {runs[-1].cpu}.",
    )


FIGURES = (Figure("drain", measure),)
