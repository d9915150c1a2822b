"""Schedules of every second, while one of two servers is killed every three: each moment becomes one message."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from scheduler.clock import SystemClock
from scheduler.config.reading import Settings
from scheduler.message import NewMessage
from scheduler.redis_server.connections import connect
from scheduler.schedule import Definition
from scheduler.schedules import changing
from scheduler.store import MessageStore, store_for
from scheduler.store.partitions import run_id
from tests.support.redis_server import RedisServer
from tests.support.service import Service, attempts

SCHEDULES = 50
KILL_SECONDS = 3.0
DRAIN_SECONDS = 30.0
PARTITIONS = 2
SECOND = 1000
_ENVIRONMENT = {
    "REDIS__PARTITIONS": str(PARTITIONS),
    "SCHEDULER__LOCKSECONDS": "2",
    "SCHEDULER__REAPSECONDS": "0.5",
    "REDIS__SOCKETTIMEOUTSECONDS": "2",
    "LOGS__CONSOLEATTEMPTS": "false",
}


@dataclass
class Result:
    """What became of each schedule and second."""

    seconds: float
    kills: int = 0
    moments: int = 0
    """Schedules times seconds."""
    delivered: int = 0
    skipped: int = 0
    """Told as skipped: an earlier run had not ended, or the moment was given up."""
    repeated: int = 0
    """Delivered again after a kill, under a higher attempt."""
    offences: list[str] = field(default_factory=list)

    def table(self) -> str:
        rows = {
            "schedules of every second": str(SCHEDULES),
            "`kill -9` of one of two servers": f"{self.kills}, in {self.seconds:g} s",
            "moments": str(self.moments),
            "delivered": str(self.delivered),
            "told as skipped": str(self.skipped),
            "delivered once more, under a higher attempt": str(self.repeated),
            "**lost, or made twice**": f"**{len(self.offences)}**",
        }
        return "\n".join(["| | |", "|---|---|", *(f"| {name} | {value} |" for name, value in rows.items())])


def run(folder: Path, seconds: float, say: Callable[[str], object]) -> Result:
    """``folder``: empty, with a short path.  ``seconds``: for which servers are killed."""
    result = Result(seconds)
    with RedisServer(folder, "--appendonly", "yes", "--appendfsync", "no") as redis:
        store = _store(redis.url)
        servers = [
            Service(folder / f"s{n}", redis_url=redis.url, role="worker", env=_ENVIRONMENT | {"SERVER__NAME": f"s{n}"})
            for n in range(2)
        ]
        try:
            for server in servers:
                server.start()
            # From a whole second on that has not come yet, the same for all.
            first = (store.counts().redis_ms // SECOND + 3) * SECOND
            for n in range(SCHEDULES):
                template = NewMessage(id="", payload=f'"{n}"', due_at=0)
                asked = Definition(
                    template=template, every_ms=SECOND, start=first, overlap="skip" if n % 5 == 0 else "allow"
                )
                changing.create(store, f"c{n}", asked, paused=False, now_ms=first - SECOND)
            _strike(servers, seconds, result, say)
            last = (store.counts().redis_ms // SECOND - 1) * SECOND
            time.sleep(2 * SECOND / 1000)
            for n in range(SCHEDULES):
                changing.pause(store, f"c{n}", None)
            _drain(store)
        finally:
            for server in servers:
                if server._process is not None and server.process.poll() is None:
                    server.stop()
        logs = [line for server in servers for line in server.log()]
        _judge(store, range(first, last + 1, SECOND), attempts(logs), result)
        store.close()
    return result


def _strike(servers: list[Service], seconds: float, result: Result, say: Callable[[str], object]) -> None:
    begun = time.monotonic()
    while (since := time.monotonic() - begun) < seconds:
        victim = servers[result.kills % 2]
        victim.kill()
        result.kills += 1
        say(f"{since:6.1f} s  kill s{(result.kills - 1) % 2}")
        # The other one goes on alone until this one is back: two are never dead at a time.
        victim.start()
        time.sleep(max(0.0, KILL_SECONDS - (time.monotonic() - begun - since)))


def _store(url: str) -> MessageStore:
    settings = Settings.model_validate({"redis": {"partitions": PARTITIONS}, "retention": {"max_count": 1_000_000}})
    store = store_for(settings, connect(url), SystemClock())
    store.open()
    return store


def _drain(store: MessageStore) -> None:
    deadline = time.monotonic() + DRAIN_SECONDS
    while time.monotonic() < deadline:
        counts = store.counts()
        if not sum(counts.scheduled.values()) and not counts.processing:
            return
        time.sleep(0.1)


def _judge(store: MessageStore, moments: range, logged: dict[str, list[int]], result: Result) -> None:
    for n in range(SCHEDULES):
        id = f"c{n}"
        given_up = store.schedule_with(id).counters["missed"]
        missing = 0
        for moment in moments:
            message_id = run_id(id, moment, PARTITIONS)
            result.moments += 1
            found = _status(store, message_id)
            if found is None:
                missing += 1
            elif found == "delivered":
                result.delivered += 1
            elif found == "cancelled":
                result.skipped += 1
            else:
                result.offences.append(f"{message_id} is {found}")
            tried = logged.get(message_id, [])
            result.repeated += max(0, len(tried) - 1)
            if len(set(tried)) < len(tried):
                result.offences.append(f"{message_id} was delivered twice under one attempt: {tried}")
        result.skipped += missing
        if missing > given_up:
            result.offences.append(f"{id}: {missing} moments have no message, {given_up} are told as given up")


def _status(store: MessageStore, id: str) -> str | None:
    keys = store.partitions[store.partition_of(id)]
    fields = store.plain("HMGET", keys["msg"] + id, "c", "s")
    return None if fields[0] is None else str(fields[1] or "scheduled")
