"""Schedules: many at one second, some at every second, and what they cost while they wait."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from contextlib import closing
from statistics import median

from bench.console import Arrival, FileConsole, PipeConsole
from bench.delivery import Lateness, on_time
from bench.idle import Monitor
from bench.memory import used_memory
from bench.messages import FAR_MS, clock, fill, text_of
from bench.service import Service, folder, in_words, private_redis, wait_quiet
from bench.table import Figure, Row, check, percentile
from scheduler.message import NewMessage, Priority
from scheduler.schedule import Definition
from scheduler.schedules import changing
from scheduler.store import MessageStore

SECOND_MS = 1000
HOUR_MS = 3_600_000
SINGLES_PER_SECOND = 100
SINGLES = 4 * SINGLES_PER_SECOND
PLAIN = 10_000_000
"""The numbers of messages without a schedule begin here."""
TURNS = 5
PROBE = 20
SLOWER = 2.5
"""How much longer than at first creating them may take."""


def add(store: MessageStore, count: int, *, every_ms: int, start: int, step_ms: int = 0) -> None:
    """Create so many schedules, each ``step_ms`` behind the one before, with a payload of 50 bytes."""
    for n in range(count):
        begin = start + n * step_ms
        template = NewMessage(id="", payload=f'"{text_of(n, begin)}"', due_at=0)
        asked = Definition(template=template, every_ms=every_ms, start=begin)
        changing.create(store, None, asked, paused=False, now_ms=clock.now_ms())


def second_after(store: MessageStore, count: int) -> int:
    """A whole second (ms) by which so many schedules can be created, on a busy machine too."""
    began = time.perf_counter()
    add(store, PROBE, every_ms=HOUR_MS, start=clock.now_ms() + FAR_MS)
    each = (time.perf_counter() - began) / PROBE
    for schedule in store.schedules(limit=PROBE).schedules:
        changing.delete(store, schedule.id)
    return int((clock.now_ms() + count * each * SLOWER * 1000) // SECOND_MS + 4) * SECOND_MS


def same_second(quick: bool) -> Row:
    """All at one second, and single messages beside; in turns with as many messages without schedules."""
    count, turns, every_ms = (300 if quick else 10_000), (1 if quick else TURNS), 30 * SECOND_MS
    runs, plain, planned = [], [], 0
    with folder() as path, closing(PipeConsole()) as console, Service(path / "service", console) as service:
        moment = second_after(service.store, count)
        add(service.store, count, every_ms=every_ms, start=moment)
        for turn in range(turns):
            at = moment + turn * every_ms
            check(clock.now_ms() < at - 500, "what should come before this moment took too long")
            printed = console.printed
            _singles(service.store, at, count)
            console.wait_for(printed + count + SINGLES, 60)
            planned = max(planned, _planned_after(service.store, at, count))
            runs.append(_at_moment(console.arrivals()[printed:], at, 0, count))
            first, printed = PLAIN + turn * (count + SINGLES), console.printed
            at = clock.now_ms() + count // 5 + 3 * SECOND_MS
            fill(service.store, count, lambda _, at=at: at, first=first)  # type: ignore[misc]
            check(clock.now_ms() < at - 500, "the plain messages were not stored before their moment")
            _singles(service.store, at, first + count)
            console.wait_for(printed + count + SINGLES, 60)
            plain.append(_at_moment(console.arrivals()[printed:], at, first, count))
    (last, p50, p99), (bare_last, _, bare_p99) = _middle(runs), _middle(plain)
    return Row(
        f"{last:.0f} ms, p99 {p99:.1f} ms",
        f"{bare_last:.0f} ms, p99 {bare_p99:.1f} ms",
        last / bare_last,
        "the runs <= 2 x, the others' p99 <= 1.5 x of messages without schedules",
        # Where 20,000 messages a second are drained, 2 x is 1 s.
        last <= 2 * bare_last and p99 <= 1.5 * bare_p99,
        f"{turns} turns, the middle of each figure counts: {count:,} schedules with the same second, all delivered "
        f"{last:.0f} ms after it and planned on {planned} ms after it at most; beside them {SINGLES_PER_SECOND}/s of "
        f"single messages of priority high in the same lane, for 4 s: p50 {p50:.2f} ms late. Baseline, in turns with "
        f"it: {count:,} messages of one moment, and the same beside.",
    )


def _planned_after(store: MessageStore, moment: int, count: int) -> int:
    """Wait until the next message of each schedule stands in its lane; for how long that took (ms)."""
    deadline = time.monotonic() + 10
    while store.counts().due or sum(store.counts().scheduled.values()) < count:
        check(time.monotonic() < deadline, "the next messages were not all made within 10 s")
        time.sleep(0.01)
    return clock.now_ms() - moment


def _middle(turns: Sequence[tuple[float, list[float]]]) -> tuple[float, float, float]:
    """Of several turns the middle of each figure: when the last run came, and p50 and p99 of the others' lateness."""
    return (
        median(last for last, _ in turns),
        median(percentile(late, 0.5) for _, late in turns),
        median(percentile(late, 0.99) for _, late in turns),
    )


def _singles(store: MessageStore, moment: int, first: int) -> None:
    """Single messages from 2 s before the moment to 2 s after it."""
    begin = max(moment - 2 * SECOND_MS, clock.now_ms() + 100)
    fill(store, SINGLES, lambda n: begin + n * (SECOND_MS // SINGLES_PER_SECOND), first=first, priority=Priority.HIGH)


def _at_moment(arrivals: Sequence[Arrival], moment: int, first: int, count: int) -> tuple[float, list[float]]:
    """After how many ms the last of ``count`` messages of one moment arrived, and how late each single one was."""
    runs = [arrival.at_ms - moment for arrival in arrivals if first <= arrival.mark.number < first + count]
    check(len(runs) == count, f"{len(runs):,} of {count:,} were delivered")
    check(min(runs) >= 0, f"one was {-min(runs):.1f} ms early")
    return max(runs), [each.at_ms - each.mark.due_at for each in arrivals if each.mark.number >= first + count]


def every_second(quick: bool) -> Row:
    """Lateness of runs, by the reader of stdout; in turns with that of as many messages without schedules."""
    count, seconds, turns = (50, 2, 1) if quick else (500, 6, TURNS)
    runs, plain, cpu = [], [], ""
    with folder() as path, closing(PipeConsole()) as console, Service(path / "service", console) as service:
        for turn in range(turns):
            plain.append(on_time(service, console, count, seconds, PLAIN + turn * count * seconds))
            late, cpu = _every_second(service, console, count, seconds)
            runs.append(late)
    mine, base = Lateness.middle(runs), Lateness.middle(plain)
    return Row(
        str(mine),
        str(base),
        mine.p99 / base.p99,
        "p50 and p99 <= 1.5 x of messages without schedules, none early",
        mine.p50 <= 1.5 * base.p50 and mine.p99 <= 1.5 * base.p99,
        f"{turns} turns, the middle percentiles count: {count} schedules of every second, {SECOND_MS // count} ms "
        f"apart, for {seconds} s, each second each of them once; stdout is a pipe, lateness is when its reader had the "
        f"line, minus the moment. Baseline, in turns with it: as many messages a second without schedules. {cpu}.",
    )


def _every_second(service: Service, console: PipeConsole, count: int, seconds: int) -> tuple[Lateness, str]:
    """Lateness of so many schedules for so many seconds, and the CPU time of a run.  They are deleted then."""
    printed = console.printed
    start = second_after(service.store, count)
    add(service.store, count, every_ms=SECOND_MS, start=start, step_ms=SECOND_MS // count)
    check(clock.now_ms() < start, "the schedules were not created before their first moment")
    before = service.cpu_seconds()
    console.wait_for(printed + count * seconds, seconds + 30)
    cpu = in_words(before, service.cpu_seconds(), count * seconds, "run")
    while schedules := service.store.schedules(limit=count).schedules:
        for schedule in schedules:
            changing.delete(service.store, schedule.id)
    service.wait_settled(60)
    arrivals = [each for each in console.arrivals()[printed:] if _second(each) < seconds]
    made = Counter((arrival.mark.number, _second(arrival)) for arrival in arrivals)
    check(len(made) == count * seconds, f"{len(made):,} of {count * seconds:,} schedules and seconds have a run")
    check(max(made.values()) == 1, "a schedule ran twice in one second")
    return Lateness.of([_late(arrival) for arrival in arrivals]), cpu


def _late(arrival: Arrival) -> float:
    """Behind the last moment before it arrived: one that is early by a little is late by nearly a second here."""
    return (arrival.at_ms - arrival.mark.due_at) % SECOND_MS


def _second(arrival: Arrival) -> int:
    return int(arrival.at_ms - arrival.mark.due_at) // SECOND_MS


def memory(quick: bool) -> Row:
    """Redis's used_memory with the schedules minus without."""
    count = 2_000 if quick else 100_000
    with folder() as path, private_redis(path / "data") as store:
        empty = used_memory(store)
        add(store, count, every_ms=HOUR_MS, start=clock.now_ms() + FAR_MS)
        check(store.schedule_counts().active == count, f"not all of the {count:,} schedules are active")
        whole = (used_memory(store) - empty) / count
        events = int(store.plain("MEMORY", "USAGE", store.partitions[0]["events"], "SAMPLES", 0)) / count
    each = whole - events
    return Row(
        f"{each:.0f} bytes",
        "",
        None,
        "<= 700 bytes",
        each <= 700,
        f"used_memory per schedule with its pending message, payload of 50 bytes, {count:,} schedules, without buffers "
        "and without the event stream.",
    )


def idle(quick: bool) -> Row:
    """CPU and commands while many schedules wait."""
    count, seconds = (1_000, 2.0) if quick else (100_000, 20.0)
    with (
        folder() as path,
        closing(FileConsole(path / "console.txt")) as console,
        Service(path / "service", console) as service,
    ):
        add(service.store, count, every_ms=HOUR_MS, start=clock.now_ms() + HOUR_MS)
        wait_quiet(service.client)
        time.sleep(min(2.0, seconds))
        cpu = service.cpu_seconds()
        with Monitor(service.redis_url) as monitor:
            time.sleep(seconds)
        sent = monitor.from_clients / seconds
        cores = {role: (used - cpu[role]) / seconds for role, used in service.cpu_seconds().items()}
    share = sum(cores.values())
    return Row(
        f"{share:.2%} of a core, {sent:.1f} commands/s",
        "",
        None,
        "< 1 % of a core; <= 5 commands/s",
        share < 0.01 and sent <= 5,
        f"{count:,} schedules, the next moment an hour away, {seconds:g} s, all processes together ("
        f"{', '.join(f'{role} {value:.2%}' for role, value in cores.items())}); clients' commands, by MONITOR.",
    )


FIGURES = (
    Figure("schedules at one second", same_second),
    Figure("schedules of every second", every_second),
    Figure("memory of schedules", memory),
    Figure("idle with schedules", idle),
)
