"""Schedules in tests: a store, a clock that the test sets, and a planner that works when the test says so."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from scheduler.logs.sinks import adapt
from scheduler.message import Claim, Message, NewMessage, Outcome, OutcomeKind, made_by
from scheduler.recurrence import CatchUp
from scheduler.schedule import Definition, Schedule
from scheduler.schedules import changing
from scheduler.schedules.planner import Planner
from scheduler.store import MessageStore
from scheduler.store.partitions import run_id
from scheduler.telemetry.figures import Telemetry
from tests.support.clock import FakeClock
from tests.support.logger import RecordingLogger
from tests.support.store import NOW, Ticks, take

MINUTE = 60_000
LOCK_MS = 30_000
CATCH_ALL = CatchUp("all", 3_600_000, 100)


def definition(**asked: Any) -> Definition:
    """Every minute from NOW + 60 s on, unless ``asked`` says otherwise; the payload is 1."""
    if not {"cron", "every_ms"} & set(asked):
        asked["every_ms"] = MINUTE
    template = NewMessage(id="", payload=asked.pop("payload", "1"), due_at=0, **asked.pop("template", {}))
    return Definition(template=template, **asked)


class Planned:
    """What the service does with schedules, step by step."""

    def __init__(self, store: MessageStore, ticks: Ticks) -> None:
        self.store = store
        self.ticks = ticks
        self.clock = FakeClock()
        self.log = RecordingLogger()
        self.telemetry = Telemetry(self.clock)
        self.planner = Planner(store, clock=self.clock, log=adapt(self.log), telemetry=self.telemetry)

    def create(self, id: str = "s", *, paused: bool = False, **asked: Any) -> Schedule:
        return changing.create(self.store, id, definition(**asked), paused=paused, now_ms=self.ticks.now)

    def put(self, id: str = "s", *, paused: bool | None = None, **asked: Any) -> tuple[Schedule, bool]:
        return changing.put(self.store, id, definition(**asked), paused=paused, now_ms=self.ticks.now)

    def get(self, id: str = "s") -> Schedule:
        return self.store.schedule_with(id)

    def at(self, offset_ms: int) -> None:
        """It is so many ms after NOW."""
        self.ticks.now = NOW + offset_ms

    def plan(self) -> float:
        """Plan until nothing is due; seconds until the next time."""
        while (seconds := self.planner.tick()) == 0:
            pass
        return seconds

    def claim(self, limit: int = 1000) -> list[Claim]:
        """What is due, claimed."""
        return take(self.store, limit, LOCK_MS).claims

    def settle(self, claims: Sequence[Claim], kind: OutcomeKind = "ack", delay_ms: int | None = None) -> None:
        assert all(self.store.settle([Outcome(claim, kind, delay_ms=delay_ms) for claim in claims]))

    def deliver(self) -> list[tuple[int, str]]:
        """Claim and acknowledge; of each run its moment, in ms after NOW, and its origin."""
        claims = self.claim()
        self.settle(claims)
        return [origin_of(claim) for claim in claims]

    def pass_minutes(self, *minutes: int) -> list[tuple[int, str]]:
        """At each of these minutes after NOW plan and deliver; all runs."""
        runs = []
        for minute in minutes:
            self.at(minute * MINUTE)
            self.plan()
            runs += self.deliver()
        return runs

    def waiting(self) -> list[Message]:
        """The messages that are scheduled."""
        page = self.store.page(limit=500)
        return [message for message in page.messages if message.status == "scheduled"]


def origin_of(claim: Claim) -> tuple[int, str]:
    """Of a run its moment, in ms after NOW (-1: it has none), and its origin."""
    assert claim.run is not None
    made = made_by(claim.id, claim.run)
    return (-1 if made.moment is None else made.moment - NOW, made.origin)


__all__ = ["CATCH_ALL", "MINUTE", "Planned", "definition", "origin_of", "replace"]


def id_of(store: MessageStore, offset_ms: int, schedule: str = "s") -> str:
    return run_id(schedule, NOW + offset_ms, len(store.partitions))
