"""Flow keys: what limits cost, what they do to others, and whether they hold."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from statistics import median

from bench.console import FileConsole, PipeConsole
from bench.delivery import PATIENCE, Drained, drain, on_time
from bench.memory import used_memory
from bench.messages import FAR_MS, clock, fill
from bench.service import Service, folder, private_redis
from bench.table import Figure, Row, check
from scheduler.flow import Flow, FlowLimits, Rate
from scheduler.message import Status
from scheduler.store import MessageStore

KEYS = 1_000


def measure_drain(quick: bool) -> Row:
    """Drains without and with keys take turns, on the same service; the middle one of each counts."""
    count, rounds = (2_000, 1) if quick else (50_000, 3)
    plain, keyed = [], []
    with (
        folder() as path,
        closing(FileConsole(path / "console.txt")) as console,
        Service(path / "service", console, role="worker") as service,
    ):
        for n in range(rounds):
            at = 2 * n * count
            plain.append(drain(service, console, count, at, at))
            keyed.append(drain(service, console, count, at + count, at + count, flows=_of_keys(KEYS, FlowLimits(10))))
    rate, base = (median(run.per_second for run in runs) for runs in (keyed, plain))
    return Row(
        f"{rate:,.0f}/s",
        f"{base:,.0f}/s",
        rate / base,
        ">= 0.7 of the drain without keys",
        rate >= 0.7 * base,
        f"{count:,} messages over {KEYS:,} keys of concurrency 10, as in the row drain; between them the same without "
        f"keys: {_rates(plain)}; with keys: {_rates(keyed)}; the middle one counts. {keyed[-1].cpu}.",
    )


def _of_keys(keys: int, limits: FlowLimits) -> list[Flow]:
    return [Flow(f"tenant-{n}", limits) for n in range(keys)]


def _rates(runs: list[Drained]) -> str:
    return ", ".join(f"{run.per_second:,.0f}/s" for run in runs)


def measure_beside(quick: bool) -> Row:
    """A job holds the only slot of a key at which many wait; messages without a key are due beside."""
    waiting, seconds = (2_000, 1.0) if quick else (100_000, 20.0)
    with (
        folder() as path,
        closing(PipeConsole()) as console,
        Service(
            path / "service", console, role="worker", JOBS__MODULES="bench.handlers", SCHEDULER__GRACESECONDS="0"
        ) as service,
    ):
        alone = on_time(service, console, 500, seconds)
        flow = [Flow("busy", FlowLimits(1))]
        fill(service.store, waiting, lambda _: 1, 80_000_000, flows=flow, channel="job", type="sleeps")
        _rewrite_file(service.store)
        late = on_time(service, console, 500, seconds, first=1_000_000, beside=True)
        left = service.store.flow("busy")
    check(left.in_flight == 1, f"{left.in_flight} jobs are in flight at a key of concurrency 1")
    check(left.waiting >= waiting - 20, f"only {left.waiting:,} of {waiting:,} messages wait")
    return Row(
        f"p99 {late.p99:.2f} ms",
        f"p99 {alone.p99:.2f} ms",
        late.p99 / alone.p99,
        "p99 <= 1.5 x of without",
        # Where 500 messages a second alone have 2 ms, that is 3 ms.
        late.p99 <= 1.5 * alone.p99,
        f"{waiting:,} jobs are due at one key of concurrency 1, whose slot a job of 8 s holds; beside them 500 "
        f"messages a second without a key, for {seconds:g} s: {late}. Baseline: the same before they were there: "
        f"{alone}. Between the two Redis has rewritten its file, which it does at 64 MB: it had 55 MB, and would have "
        "begun in the midst of some runs.",
    )


def _rewrite_file(store: MessageStore) -> None:
    store.client.bgrewriteaof()
    _wait(lambda: not store.client.info("persistence")["aof_rewrite_in_progress"], PATIENCE)


def measure_ordered(quick: bool) -> Row:
    """One key goes at the pace of claim, delivery and settling in turns; a hundred keys share these."""
    count = 500 if quick else 5_000
    ordered = FlowLimits(ordered=True)
    with (
        folder() as path,
        closing(FileConsole(path / "console.txt")) as console,
        Service(path / "service", console, role="worker") as service,
    ):
        one = drain(service, console, count, flows=_of_keys(1, ordered))
        hundred = drain(service, console, 4 * count, count, count, flows=_of_keys(100, ordered))
        printed = [int(text[:8]) for text in console.texts()]
    check(printed[:count] == list(range(count)), "one key was not delivered in order")
    for key in range(100):
        numbers = [n for n in printed[count:] if (n - count) % 100 == key]
        check(numbers == sorted(numbers), f"key {key} of a hundred was not delivered in order")
    return Row(
        f"{one.per_second:,.0f}/s",
        f"{hundred.per_second:,.0f}/s",
        None,
        "as measured",
        True,
        f"{count:,} messages of one ordered key, all due, to the console; beside it {4 * count:,} of 100 ordered keys. "
        "A message of an ordered key begins when the one before has ended: two calls of Redis (settle, claim) and two "
        f"changes of thread for each, which the other keys share. {one.cpu}; with 100 keys {hundred.cpu}.",
    )


def measure_memory(quick: bool) -> Row:
    """The same messages without keys, over many keys, and at one key, each on an empty Redis."""
    count = 5_000 if quick else 100_000
    begin = clock.now_ms() + FAR_MS
    sizes = []
    for keys in (0, KEYS, 1):
        with folder() as path, private_redis(path / "data") as store:
            empty = used_memory(store)
            fill(store, count, lambda i: begin + i, flows=_of_keys(keys, FlowLimits(10)))
            store.client.delete(store.partitions[0]["events"])
            # Redis frees a long stream beside its other work.
            _wait(lambda: not store.client.info("memory")["lazyfree_pending_objects"], PATIENCE)
            sizes.append((used_memory(store) - empty) / count)
    plain, spread, together = sizes
    return Row(
        f"{spread - plain:.0f} and {together - plain:.0f} bytes more",
        f"{plain:.0f} bytes",
        max(spread, together) / plain,
        "<= 60 bytes more per message",
        max(spread, together) - plain <= 60,
        f"used_memory per message, {count:,} pending over {KEYS:,} keys and at one key, minus the same without keys "
        "(baseline). More is the name of the key in the message and a place in the key's queue.",
    )


def measure_rate(quick: bool) -> Row:
    """Two services share a key of 100 a second; each message says by Redis's clock when its attempt began."""
    seconds = 3 if quick else 30
    wanted = 100 * seconds
    with folder() as path, ExitStack() as opened:
        consoles = [opened.enter_context(closing(FileConsole(path / f"console{n}.txt"))) for n in range(2)]
        first = opened.enter_context(Service(path / "first", consoles[0], role="worker"))
        opened.enter_context(Service(path / "second", consoles[1], role="worker", redis_url=first.redis_url))
        store = first.store
        store.pause()
        fill(store, wanted + 1000, lambda _: 1, flows=[Flow("quota", FlowLimits(rate=Rate(100, 1000)))])
        store.resume()
        # A window more than is looked at, so that the last one is whole.
        _wait(lambda: store.counts().finished > wanted + 100, seconds + PATIENCE)
        store.pause()
        begun = sorted(_begun(store))
        shares = [len(console.texts()) for console in consoles]
    inside = [at for at in begun if at < begun[0] + 1000 * seconds]
    windows = Counter((at - begun[0]) // 1000 for at in inside)
    most = max(windows.values())
    return Row(
        f"{most} at most, {len(inside):,} in all",
        "",
        None,
        f"<= 100 in each window, {wanted:,} +- 1 in all",
        most <= 100 and abs(len(inside) - wanted) <= 1,
        f"100 per second on one key, two services on one Redis that printed {' and '.join(map(str, shares))}, "
        f"{seconds} s from the first attempt: {min(windows.values())} to {most} attempts in each of {len(windows)} "
        "windows, by the moments at which Redis gave them out.",
    )


def _wait(ready: Callable[[], bool], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not ready():
        check(time.monotonic() < deadline, f"not within {seconds:g} s")
        time.sleep(0.05)


def _begun(store: MessageStore) -> Iterator[int]:
    cursor: str | None = None
    while True:
        page = store.page(status=Status.DELIVERED, limit=500, cursor=cursor)
        yield from (message.started_at for message in page.messages if message.started_at is not None)
        cursor = page.next_cursor
        if cursor is None:
            return


FIGURES = (
    Figure("flow: drain", measure_drain),
    Figure("flow: others beside a key", measure_beside),
    Figure("flow: ordered", measure_ordered),
    Figure("flow: memory", measure_memory),
    Figure("flow: rate", measure_rate),
)
