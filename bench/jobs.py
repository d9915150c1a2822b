"""Jobs: how fast one scheduler process runs handlers that do nothing."""

from __future__ import annotations

import re
import time
from contextlib import closing
from statistics import median

from bench.console import FileConsole
from bench.delivery import PATIENCE, Drained, claim_and_settle
from bench.messages import BATCH, text_of
from bench.service import Service, folder, in_words, private_redis, wait_quiet
from bench.table import Figure, Row, check
from scheduler.message import NOW, NewMessage

_RUN = re.compile(r" ack id=(\w+) channel=job type=empty attempt=(\d+) ")


def drain(service: Service, count: int) -> Drained:
    """Run ``count`` jobs that are all due, from the resume until all are settled."""
    store = service.store
    store.pause()
    for first in range(0, count, BATCH):
        ids = store.new_ids(min(BATCH, count - first))
        store.schedule(
            [NewMessage(id=id, payload=f'"{text_of(0, 0)}"', due_at=NOW, channel="job", type="empty") for id in ids]
        )
    wait_quiet(service.client)
    before, began = service.cpu_seconds(), time.perf_counter()
    store.resume()
    service.wait_settled(PATIENCE)
    seconds = time.perf_counter() - began
    return Drained(count / seconds, in_words(before, service.cpu_seconds(), count, "job"))


def check_each_once(service: Service, count: int) -> None:
    """Raises ``Broken`` unless the service's log has each of ``count`` jobs once, at its first attempt."""
    runs = _RUN.findall(service.log_text())
    check(len(runs) == len({id for id, _ in runs}) == count, f"{len(runs):,} runs logged of {count:,} jobs")
    check(all(attempt == "1" for _, attempt in runs), "a job was run twice")


def measure(quick: bool) -> Row:
    """Three drains, the middle one counts; the bare loop before and after them, on the same Redis settings."""
    count, rounds = (2_000, 1) if quick else (50_000, 3)
    with folder() as path:
        with private_redis(path / "bare") as store:
            bare = [claim_and_settle(store, count)]
        with (
            closing(FileConsole(path / "console.txt")) as console,
            Service(path / "service", console, role="worker", JOBS__MODULES="bench.handlers") as service,
        ):
            runs = [drain(service, count) for _ in range(rounds)]
            check_each_once(service, rounds * count)
        with private_redis(path / "bare") as store:
            bare.append(claim_and_settle(store, count))
    rate, base = median(run.per_second for run in runs), sum(bare) / len(bare)
    return Row(
        f"{rate:,.0f}/s",
        f"{base:,.0f}/s",
        rate / base,
        ">= 0.75 of the bare claim+settle loop",
        rate >= 0.75 * base,
        f"{count:,} jobs with an empty handler and a payload of 50 bytes, all due, one scheduler process with 10 "
        f"workers, private Redis with its append-only file, one log line each; from the resume until all are settled; "
        f"{', '.join(f'{run.per_second:,.0f}' for run in runs)}/s, the middle one counts. {runs[-1].cpu}.",
    )


FIGURES = (Figure("jobs", measure),)
