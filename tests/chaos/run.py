"""One chaos run: load, faults, drain, verdict."""

from __future__ import annotations

import sqlite3
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from scheduler.clock import SystemClock
from scheduler.config.reading import Settings
from scheduler.message import Message
from scheduler.redis_server.connections import connect
from scheduler.store import MessageStore, store_for
from scheduler.store.keys import PartitionKeys
from tests.chaos import faults, ledger
from tests.chaos.check import Stored, Verdict, judge
from tests.chaos.ledger import Accepted, Delivery, Fault
from tests.chaos.limits import Keyed, Step
from tests.chaos.producers import Producer
from tests.chaos.servers import PARTITIONS, World, errors_of
from tests.support.flow_rules import number_of
from tests.support.service import Service
from tests.support.topologies import Sentinels

DRAIN_SECONDS = 60.0
FORGOTTEN_SECONDS = 10.0
"""Longer than a window of a flow key lasts, and than a server waits for its end."""
LEAD_SECONDS = 2.0
"""Undisturbed load before the first fault."""
PRODUCERS = 2


@dataclass
class Result:
    """A run, and what is worth knowing of it."""

    kinds: Sequence[faults.Kind]
    """Which could have struck."""
    seed: int
    seconds: float
    verdict: Verdict
    struck: Counter[str]
    """Fault → how often."""
    skipped: list[str]
    answers: Counter[int]
    """HTTP status → how often."""
    unconfirmed: int
    drain_seconds: float
    complaints: Counter[str]
    """Lines that the servers wrote on stderr as errors → how often."""


def run(
    folder: Path,
    seed: int,
    seconds: float,
    rate: float,
    say: Callable[[str], object],
    names: tuple[str, ...] = (),
    sentinels: Sentinels | None = None,
    most: int | None = None,
    *,
    flows: bool = False,
) -> Result:
    """``folder``: empty, with a short path; gets the ledgers.  ``seconds``: for which faults strike, ``most``: so many
    of them.  ``sentinels``: see ``World``; the faults are those of a Redis that is watched then.  ``flows``: some
    messages have flow keys.
    """
    kinds = faults.SENTINEL_KINDS if sentinels else faults.KINDS
    with World(folder, sentinels) as world:
        producers = [
            Producer(
                f"p{n}", seed, rate / PRODUCERS, world.servers, world.receiver, world.ledgers["accepted"], flows=flows
            )
            for n in range(PRODUCERS)
        ]
        for producer in producers:
            producer.start()
        try:
            struck, skipped = _strike(world, islice(faults.plan(seed, kinds, names), most), seconds, say)
        finally:
            for producer in producers:
                producer.stop()
        with closing(_store(world)) as store:
            begun = time.monotonic()
            _drain(store)
            drained = time.monotonic() - begun
            stored = _stored(store, _archived(store, world.history), _keyed(store) if flows else None)
        complaints = sum((Counter(errors_of(server)) for server in world.servers), Counter())
        with ThreadPoolExecutor() as pool:
            list(pool.map(_stop, world.servers))
    unconfirmed = [label for producer in producers for label in producer.unconfirmed]
    return Result(
        kinds,
        seed,
        seconds,
        judge(*_read(folder), stored, unconfirmed),
        struck,
        skipped,
        sum((producer.answers for producer in producers), Counter()),
        len(unconfirmed),
        drained,
        complaints,
    )


def _strike(
    world: World, plan: Iterator[faults.Step], seconds: float, say: Callable[[str], object]
) -> tuple[Counter[str], list[str]]:
    """One fault after the other until the time is over; how often each struck, and what could not."""
    struck: Counter[str] = Counter()
    skipped: set[str] = set()
    begun = time.monotonic()
    time.sleep(LEAD_SECONDS)
    for number, step in enumerate(plan):
        if number:
            time.sleep(faults.GAP_SECONDS)
        left = seconds - (time.monotonic() - begun)
        if left <= 0:
            break
        if step.kind.name == "disk-full" and not world.has_disk:
            skipped.add("disk-full: a small file system needs root and the right to mount")
            continue
        if step.kind.seconds > left:
            break
        fault = faults.inject(world, step)
        world.ledgers["faults"].add(fault)
        struck[fault.kind] += 1
        say(f"{time.monotonic() - begun:6.1f} s  {fault.kind} {fault.target}")
    return struck, sorted(skipped)


def _store(world: World) -> MessageStore:
    settings = Settings.model_validate({"redis": {"partitions": PARTITIONS}})
    return store_for(settings, connect(world.url), SystemClock())


def _drain(store: MessageStore) -> None:
    """Until nothing waits and nothing is in flight, or the time is over: then the verdict says what is left."""
    deadline = time.monotonic() + DRAIN_SECONDS
    while time.monotonic() < deadline:
        counts = store.counts()
        if not sum(counts.scheduled.values()) and not counts.processing:
            return
        time.sleep(0.2)


def _archived(store: MessageStore, history: Path) -> dict[str, list[int]]:
    """What is in the history, once the outbox is empty or the time is over."""
    deadline = time.monotonic() + DRAIN_SECONDS
    while store.outbox_figures().messages and time.monotonic() < deadline:
        time.sleep(0.2)
    found: dict[str, list[int]] = {}
    with closing(sqlite3.connect(history)) as database:
        for id, finish in database.execute("SELECT id, finished_at FROM history"):
            found.setdefault(id, []).append(finish)
    return found


def _keyed(store: MessageStore) -> Keyed:
    """Return what the events and the messages say of flow keys, once those that nothing uses should be gone."""
    deadline = time.monotonic() + FORGOTTEN_SECONDS
    while (left := store.flows().flows) and time.monotonic() < deadline:
        time.sleep(0.1)
    steps: list[Step] = []
    place: dict[str, tuple[int, int]] = {}
    for keys in store.partitions:
        entries: Any = store.client.xrange(keys["events"])
        for _, entry in entries:
            for line in entry["e"].splitlines():
                name, id, _, attempt, *_ = line.split(" ")
                steps.append(Step(int(entry["at"]), name, id, int(attempt)))
        for key in store.client.scan_iter(keys["msg"] + "*", count=1000):
            mark, *moments = store.client.hmget(key, "F", "m", "b", "d")
            if mark is not None:
                # The moment that was asked for, wherever a retry or back-pressure has left it.
                moment = next(int(moment) for moment in moments if moment is not None)
                place[key.removeprefix(keys["msg"])] = (moment, number_of(str(mark)))
    return Keyed(place, steps, [flow.key for flow in left])


def _stored(store: MessageStore, history: dict[str, list[int]], keyed: Keyed | None) -> Stored:
    """Every message, and every set that holds its id."""
    messages: dict[str, Message] = {}
    places: dict[str, list[str]] = {}
    for partition in range(PARTITIONS):
        keys = PartitionKeys(partition)
        due = [
            key
            for pattern in (keys["due"] + "*", keys["flow"] + "due:*")
            for key in store.client.scan_iter(pattern, count=1000)
        ]
        for key, place in [*((key, "due") for key in due), *((keys[name], name) for name in ("locks", "dead", "done"))]:
            for id in store.client.zrange(key, 0, -1):
                places.setdefault(str(id), []).append(place)
        for key in store.client.scan_iter(keys["msg"] + "*", count=1000):
            id = key.removeprefix(keys["msg"])
            messages[id] = store.get(id)
    return Stored(messages, places, history, keyed)


def _stop(server: Service) -> None:
    code = server.stop()
    assert code == 0, f"a server ended with code {code}: {server.stderr.texts()[-20:]}"


def _read(folder: Path) -> tuple[Sequence[Accepted], Sequence[Delivery], Sequence[Fault]]:
    accepted = [Accepted(**entry) for entry in ledger.read(folder / "accepted.jsonl")]
    deliveries = [
        Delivery(**entry) for name in ("echo", "webhook", "job") for entry in ledger.read(folder / f"{name}.jsonl")
    ]
    deliveries.sort(key=lambda delivery: delivery.at_ms)
    return accepted, deliveries, [Fault(**entry) for entry in ledger.read(folder / "faults.jsonl")]
