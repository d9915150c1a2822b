"""The planner's rhythm: how long it sleeps, what wakes it, and that neither Redis nor one bad schedule ends it."""

from __future__ import annotations

import threading
from typing import Any

import fakeredis
import pytest

from scheduler.errors import StoreUnavailable
from scheduler.logs.sinks import adapt
from scheduler.schedule import Planned as Moved
from scheduler.schedules.planner import (
    BATCH,
    BEHIND_SECONDS,
    GENTLE_BATCH,
    GENTLE_MS,
    NEAR_MS,
    PATIENT_SECONDS,
    POLITE,
    POLL_SECONDS,
    SHORT_POLL_SECONDS,
    SOON_MS,
    Planner,
)
from tests.support.schedules import MINUTE, Planned
from tests.support.store import NOW, Ticks, store_on
from tests.support.waiting import wait_for


@pytest.fixture
def plans() -> Planned:
    ticks = Ticks()
    store = store_on(fakeredis.FakeRedis(decode_responses=True), ticks, partitions=2)
    store.open()
    return Planned(store, ticks)


def test_it_sleeps_until_just_behind_the_next_moment(plans: Planned) -> None:
    assert plans.planner.tick() == POLL_SECONDS, "there is no schedule"
    plans.create()
    assert plans.planner.tick() == POLL_SECONDS, "a poll, in case a wake-up was lost"
    plans.at(MINUTE - 300)
    assert plans.planner.tick() == pytest.approx(0.3 + BEHIND_SECONDS)


def test_a_batch_is_followed_by_the_next_after_a_pause_of_its_length(
    plans: Planned, monkeypatch: pytest.MonkeyPatch
) -> None:
    plans.store.partitions = plans.store.partitions[:1]
    for n in range(BATCH + 5):
        plans.create(f"s{n}")
    plans.at(MINUTE)
    move_on = plans.store.move_on

    def slowly(partition: int, planned: Any) -> Any:
        plans.clock.advance(0.003)
        return move_on(partition, planned)

    monkeypatch.setattr(plans.store, "move_on", slowly)
    assert plans.planner.tick() == pytest.approx(0.003)
    assert plans.planner.tick() == POLL_SECONDS
    assert plans.store.schedule_counts().overdue == 0
    assert len(plans.claim()) == BATCH + 5


@pytest.mark.parametrize(
    ("every_ms", "until", "pause"),
    [
        (MINUTE, MINUTE + GENTLE_MS, PATIENT_SECONDS),
        (NEAR_MS, MINUTE + GENTLE_MS, POLITE * 0.001),
        (1000, MINUTE + 1000 - SOON_MS, POLITE * 0.001),
    ],
    ids=["far: until it is late", "near: until it is late", "until the next message is due soon"],
)
def test_it_is_gentle_while_messages_are_delivered(
    plans: Planned, monkeypatch: pytest.MonkeyPatch, every_ms: int, until: int, pause: float
) -> None:
    plans.store.partitions = plans.store.partitions[:1]
    for n in range(3 * GENTLE_BATCH + BATCH + 5):
        plans.create(f"s{n}", every_ms=every_ms, start=NOW + MINUTE)
    sizes = []
    move_on = plans.store.move_on

    def slowly(partition: int, planned: Any) -> Any:
        plans.clock.advance(0.001)
        sizes.append(len(planned))
        return move_on(partition, planned)

    monkeypatch.setattr(plans.store, "move_on", slowly)
    monkeypatch.setattr(plans.planner, "_busy", lambda: True)
    plans.at(MINUTE + 1)
    assert plans.planner.tick() == pytest.approx(pause)
    plans.at(until)
    assert plans.planner.tick() == pytest.approx(pause)
    plans.at(until + 1)
    plans.planner.tick()
    assert plans.planner.tick() == pytest.approx(0.001)
    plans.planner.tick()
    assert sizes == [GENTLE_BATCH, GENTLE_BATCH, GENTLE_BATCH, BATCH, 5], "that one is the last gentle batch"


def test_while_redis_is_away_it_tries_on(plans: Planned, monkeypatch: pytest.MonkeyPatch) -> None:
    def away(*_: Any) -> Any:
        raise StoreUnavailable("Redis does not answer: connection refused")

    with monkeypatch.context() as patched:
        patched.setattr(plans.store, "due_plans", away)
        assert plans.planner.tick() == 0.25
    plans.planner.tick()
    assert [plans.log.count(text) for text in ("cannot plan, trying on", "Redis answers again")] == [1, 1]


def test_a_schedule_that_cannot_be_computed_holds_up_no_other(plans: Planned, monkeypatch: pytest.MonkeyPatch) -> None:
    plans.create("bad")
    plans.create("good")
    of = Moved.of

    def failing(due: Any, now_ms: int) -> Any:
        if due.id == "bad":
            raise ZeroDivisionError("a defect")
        return of(due, now_ms)

    monkeypatch.setattr(Moved, "of", failing)
    plans.at(MINUTE)
    plans.plan()
    assert plans.get("good").next_run == NOW + 2 * MINUTE
    assert plans.get("bad").next_run == NOW + MINUTE
    assert plans.log.count("the next moment of schedule bad cannot be computed: a defect") == 1
    assert ["scheduler_schedule_faults", [], 1] in [
        [name, list(labels), n] for name, labels, n in plans.telemetry.snapshot()["counters"]
    ]


def test_more_of_them_than_a_batch_hold_up_no_other(plans: Planned, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("scheduler.schedules.planner.BATCH", 3)
    plans.store.partitions = plans.store.partitions[:1]
    for n in range(4):
        plans.create(f"bad{n}")
    plans.at(1000)
    plans.create("good")
    of = Moved.of

    def failing(due: Any, now_ms: int) -> Any:
        if due.id != "good":
            raise ZeroDivisionError("a defect")
        return of(due, now_ms)

    due_plans, read = plans.store.due_plans, []

    def noted(*asked: Any) -> Any:
        read.append(len((found := due_plans(*asked)).plans))
        return found

    monkeypatch.setattr(Moved, "of", failing)
    monkeypatch.setattr(plans.store, "due_plans", noted)
    for minute in (1, 2):
        plans.at(minute * MINUTE + 1000)
        assert plans.plan() > 0, "it sleeps in between"
        assert plans.get("good").next_run == NOW + (minute + 1) * MINUTE + 1000
    assert max(read) == 3, "no call reads more than a batch, however many there are"


@pytest.mark.parametrize(("reap_seconds", "longest"), [(1.0, POLL_SECONDS), (30.0, SHORT_POLL_SECONDS)])
def test_where_the_reaper_comes_too_late_for_a_lost_wake_up_it_looks_itself(
    plans: Planned, reap_seconds: float, longest: float
) -> None:
    planner = Planner(
        plans.store, clock=plans.clock, log=adapt(plans.log), telemetry=plans.telemetry, reap_seconds=reap_seconds
    )
    assert planner.tick() == longest


def test_the_thread_is_woken_and_stopped(plans: Planned) -> None:
    ticked = threading.Event()
    tick = plans.planner.tick

    def noted() -> float:
        ticked.set()
        return tick()

    plans.planner.tick = noted  # type: ignore[method-assign]
    plans.planner.start()
    plans.clock.wait_for_sleeper()
    ticked.clear()
    plans.planner.wake()
    wait_for("another step", ticked.is_set)
    plans.planner.stop()
    assert not any(thread.name == "planner" for thread in threading.enumerate())


def test_a_defect_in_a_step_does_not_end_the_thread(plans: Planned, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plans.planner, "tick", lambda: 1 / 0)
    plans.planner.start()
    plans.log.wait_for("a step of the planner failed: division by zero")
    plans.clock.wait_for_sleeper()
    plans.planner.stop()


def test_what_was_made_and_missed_is_counted(plans: Planned) -> None:
    plans.create()
    plans.pass_minutes(1, 2)
    plans.at(10 * MINUTE)
    plans.plan()
    counted = {labels[0][1]: n for name, labels, n in plans.telemetry.snapshot()["counters"] if name.endswith("_runs")}
    assert counted == {"made": 3, "caught_up": 1}
    assert plans.store.schedule_counts().skips == {"overlap": 0, "missed": 7, "changed": 0}
