"""The rules of schedules, over each backend: each moment becomes one message, whoever plans and whatever happens."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import redis

from scheduler.message import Priority
from scheduler.recurrence import CatchUp
from scheduler.schedule import State
from scheduler.schedules import changing
from scheduler.store import MessageStore
from tests.support.schedules import MINUTE, Planned, id_of
from tests.support.store import NOW, Ticks, broken_rules, dump, store_on


@pytest.fixture
def client(redis_client: redis.Redis) -> redis.Redis:
    """A real server: fakeredis, with the same scripts, is under the tests of the API."""
    return redis_client


# -- rule 1: one message per moment -------------------------------------------------------------------------------


def test_the_message_of_the_next_moment_stands_in_its_lane_ahead_of_time(plans: Planned) -> None:
    schedule = plans.create(template={"priority": Priority.HIGH})
    assert (schedule.state, schedule.next_run, schedule.act_at) == (State.ACTIVE, NOW + MINUTE, NOW + MINUTE)
    (message,) = plans.waiting()
    assert (message.id, message.due_at, message.scheduled_for) == (
        id_of(plans.store, MINUTE), NOW + MINUTE, NOW + MINUTE,
    )  # fmt: skip
    assert (message.payload, message.priority) == ("1", Priority.HIGH)
    assert plans.claim() == [], "it is not due"


def test_each_moment_becomes_one_message_and_the_plan_has_no_gap(plans: Planned) -> None:
    plans.create()
    assert plans.pass_minutes(1, 2, 3) == [(n * MINUTE, "plan") for n in (1, 2, 3)]
    assert plans.get().counters["made"] == plans.get().counters["delivered"] == 3
    assert plans.get().next_run == NOW + 4 * MINUTE
    assert [run.moment for run in plans.get().last_runs] == [NOW + n * MINUTE for n in (3, 2, 1)]


def test_two_planners_make_one_message(plans: Planned, store: MessageStore, ticks: Ticks) -> None:
    plans.create()
    plans.at(MINUTE)
    found = [store.due_plans(p, 10) for p in range(len(store.partitions))]
    other = Planned(store, ticks)
    other.plan()
    for partition, due in enumerate(found):
        planned = [one for plan in due.plans if (one := plans.planner._decided(plan, due.redis_ms))]
        assert store.move_on(partition, planned) == [False] * len(planned)
    assert plans.get().counters["made"] == 1
    assert [m.id for m in plans.waiting()] == [id_of(store, n * MINUTE) for n in (1, 2)]


@pytest.mark.parametrize("before", ["claim", "plan"])
def test_it_does_not_matter_whether_the_claim_or_the_planner_comes_first(plans: Planned, before: str) -> None:
    plans.create()
    plans.at(MINUTE)
    if before == "plan":
        plans.plan()
    assert plans.deliver() == [(MINUTE, "plan")]
    plans.plan()
    assert plans.deliver() == []
    assert [m.due_at for m in plans.waiting()] == [NOW + 2 * MINUTE]


def test_a_reap_finds_a_schedule_that_nobody_plans(plans: Planned, store: MessageStore) -> None:
    plans.create()
    for after_ms, overdue in ((-1, False), (1000, False), (1001, True)):
        plans.at(MINUTE + after_ms)
        assert store.reap(10).overdue == overdue
    store.pause()
    assert not store.reap(10).overdue, "while all is paused nothing is to be planned"
    store.resume()
    plans.plan()
    assert not store.reap(10).overdue


def test_a_short_delay_of_the_planner_loses_no_moment(plans: Planned) -> None:
    plans.create(every_ms=1000, catch_up=CatchUp("none"))
    plans.at(1000)
    assert plans.deliver() == [(1000, "plan")]
    plans.at(4500)
    plans.plan()
    assert plans.deliver() == [(n * 1000, "plan") for n in (2, 3, 4)]
    assert plans.get().counters["made"] == 4


def test_a_message_with_its_id_is_not_made_again(plans: Planned, store: MessageStore) -> None:
    schedule = plans.create()
    plans.pass_minutes(1)
    assert store.make_runs(schedule, [NOW + MINUTE], "backfill") == 0
    assert plans.deliver() == []


# -- rule 4: the same plan for all, and its end ----------------------------------------------------------------------


def test_an_interval_does_not_drift_whatever_a_run_takes(plans: Planned) -> None:
    plans.create()
    plans.at(MINUTE + 17)
    plans.plan()
    claims = plans.claim()
    plans.at(MINUTE + 40_000)
    plans.settle(claims)
    assert plans.get().next_run == NOW + 2 * MINUTE


def test_start_and_end_are_inclusive(plans: Planned) -> None:
    plans.create(start=NOW + MINUTE, end=NOW + 3 * MINUTE)
    assert plans.pass_minutes(1, 2, 3, 4, 5) == [(n * MINUTE, "plan") for n in (1, 2, 3)]
    assert (plans.get().state, plans.get().next_run) == (State.ENDED, None)


@pytest.mark.parametrize("rule", [{"every_ms": MINUTE}, {"cron": "* * * * *"}])
def test_max_runs_counts_the_moments_of_the_plan(plans: Planned, rule: dict[str, Any]) -> None:
    plans.create(**rule, max_runs=2)
    assert plans.pass_minutes(1, 2, 3, 4) == [(MINUTE, "plan"), (2 * MINUTE, "plan")]
    assert plans.get().state is State.ENDED


# -- rule 6: overlap -------------------------------------------------------------------------------------------------


def in_flight(plans: Planned) -> None:
    """The run of the first minute is under way."""
    plans.at(MINUTE)
    plans.plan()
    assert len(plans.claim()) == 1


def retrying(plans: Planned) -> None:
    """The run of the first minute failed and will be tried again in an hour."""
    plans.at(MINUTE)
    plans.plan()
    plans.settle(plans.claim(), "retry", 60 * MINUTE)


def given_back(plans: Planned) -> None:
    """The run of the first minute was put off by its destination."""
    plans.at(MINUTE)
    plans.plan()
    plans.settle(plans.claim(), "release", 60 * MINUTE)


def waiting(plans: Planned) -> None:
    """The run of the first minute waits to be claimed."""
    plans.at(MINUTE)
    plans.plan()
    plans.at(2 * MINUTE)
    plans.plan()
    assert len(plans.claim(limit=1)) == 1


@pytest.mark.parametrize("how", [in_flight, retrying, given_back, waiting])
def test_skip_records_the_skip(plans: Planned, how: Callable[[Planned], None]) -> None:
    plans.create(overlap="skip")
    how(plans)
    plans.at(2 * MINUTE)
    plans.plan()
    assert plans.deliver() == []
    (last,) = plans.get().last_runs
    assert (last.outcome, last.moment) == ("overlap", NOW + 2 * MINUTE)
    assert plans.get().counters["overlap"] == 1
    skipped = plans.store.get(id_of(plans.store, 2 * MINUTE))
    assert (skipped.status, skipped.last_error) == ("cancelled", "skipped: the run before it had not ended")


def test_skip_lets_the_next_one_run_when_the_one_before_has_ended(plans: Planned) -> None:
    plans.create(overlap="skip")
    assert plans.pass_minutes(1, 2) == [(MINUTE, "plan"), (2 * MINUTE, "plan")]
    in_flight_again = plans.pass_minutes(3)
    assert in_flight_again == [(3 * MINUTE, "plan")]


@pytest.mark.parametrize("end", ["ack", "dead", "reap", "cancel"])
def test_buffer_keeps_one_until_the_run_before_has_ended(plans: Planned, end: str) -> None:
    plans.create(overlap="buffer")
    plans.at(MINUTE)
    plans.plan()
    (first,) = plans.claim()
    for minute in (2, 3):
        plans.at(minute * MINUTE)
        plans.store.renew([first], 10 * MINUTE)
        plans.plan()
        assert plans.deliver() == []
    assert plans.get().buffered == id_of(plans.store, 2 * MINUTE)
    assert plans.get().counters["overlap"] == 1, "only one waits"
    match end:
        case "ack" | "dead":
            plans.settle([first], end)
        case "cancel":
            plans.settle([first], "release", 1000)
            plans.store.cancel(first.id)
        case _:
            plans.ticks.now += 11 * MINUTE
            plans.store.default_retry = plans.store.default_retry.__class__(max_attempts=1)
            assert plans.store.reap(10).dead == 1
    assert (2 * MINUTE, "plan") in plans.deliver()
    assert plans.get().buffered is None


def test_allow_piles_up(plans: Planned) -> None:
    plans.create()
    for minute in (1, 2, 3):
        plans.at(minute * MINUTE)
        plans.plan()
        assert len(plans.claim()) == 1


def test_a_run_that_was_asked_for_begins_beside_one_under_way_and_counts_as_one(plans: Planned) -> None:
    plans.create(overlap="skip")
    changing.run_now(plans.store, "s")
    (first,) = plans.claim()
    changing.run_now(plans.store, "s")
    assert len(plans.claim()) == 1
    plans.at(MINUTE)
    plans.plan()
    assert plans.deliver() == []
    plans.settle([first])


def test_a_run_whose_message_vanished_holds_up_nobody(plans: Planned, client: redis.Redis) -> None:
    plans.create(overlap="skip")
    plans.at(MINUTE)
    plans.plan()
    (first,) = plans.claim()
    keys = plans.store.partitions[first.partition]
    client.delete(keys["msg"] + first.id)
    client.zrem(keys["locks"], first.id)
    assert plans.pass_minutes(2) == [(2 * MINUTE, "plan")]


# -- rule 9: the series does not depend on its runs --------------------------------------------------------------------


def test_a_dead_letter_a_cancelled_and_a_moved_message_cost_one_run(plans: Planned) -> None:
    plans.create()
    plans.at(MINUTE)
    plans.plan()
    plans.settle(plans.claim(), "dead")
    plans.store.cancel(id_of(plans.store, 2 * MINUTE))
    assert plans.pass_minutes(2, 3) == [(3 * MINUTE, "plan")]
    counters = plans.get().counters
    assert (counters["dead"], counters["cancelled"], counters["delivered"]) == (1, 1, 1)
    assert [run.outcome for run in plans.get().last_runs] == ["delivered", "cancelled", "dead"]


def test_a_redriven_run_is_delivered_whatever_became_of_the_schedule(plans: Planned) -> None:
    plans.create(overlap="skip")
    plans.at(MINUTE)
    plans.plan()
    (claim,) = plans.claim()
    plans.settle([claim], "dead")
    assert plans.store.schedule_counts().failing == 1
    plans.put(payload="2", overlap="skip")
    plans.store.redrive(claim.id)
    again = plans.claim()
    assert [(claim.payload, claim.attempt) for claim in again] == [("1", 1)]
    plans.settle(again)
    assert plans.store.schedule_counts().failing == 0


def test_a_dead_letter_of_a_schedule_that_was_deleted_is_delivered_when_it_is_redriven(plans: Planned) -> None:
    plans.create()
    plans.at(MINUTE)
    plans.plan()
    (claim,) = plans.claim()
    plans.settle([claim], "dead")
    changing.delete(plans.store, "s")
    plans.store.redrive(claim.id)
    (again,) = plans.claim()
    plans.settle([again], "retry", 0)
    (again,) = plans.claim()
    plans.settle([again])
    assert plans.store.get(claim.id).status == "delivered"


def test_counts_tell_who_is_overdue(plans: Planned) -> None:
    plans.create()
    plans.create("resting", paused=True)
    plans.create("over", end=NOW + MINUTE, start=NOW + MINUTE)
    assert (c := plans.store.schedule_counts()).active == 2
    assert (c.paused, c.ended, c.overdue, c.oldest_overdue_age_ms) == (1, 0, 0, None)
    plans.at(MINUTE + 5_000)
    assert plans.store.schedule_counts().overdue == 0, "a short delay is none"
    plans.at(2 * MINUTE)
    assert (c := plans.store.schedule_counts()).overdue == 2
    assert c.oldest_overdue_age_ms == MINUTE
    plans.plan()
    assert (c := plans.store.schedule_counts()).overdue == 0
    assert (c.active, c.ended) == (1, 1)


# -- rule 10: jitter -------------------------------------------------------------------------------------------------


def test_jitter_delays_each_message_and_moves_no_moment(plans: Planned) -> None:
    schedule = plans.create(jitter_ms=30_000)
    assert schedule.next_run == NOW + MINUTE
    due_at = schedule.due_at(NOW + MINUTE)
    (message,) = plans.waiting()
    assert message.due_at == due_at == schedule.act_at
    assert NOW + MINUTE < due_at <= NOW + MINUTE + 30_000
    assert message.scheduled_for == NOW + MINUTE
    plans.at(due_at - NOW - 1)
    plans.plan()
    assert plans.deliver() == []
    plans.at(due_at - NOW)
    plans.plan()
    assert plans.deliver() == [(MINUTE, "plan")]
    assert plans.get().next_run == NOW + 2 * MINUTE
    (following,) = plans.waiting()
    assert following.due_at == plans.get().act_at == schedule.due_at(NOW + 2 * MINUTE) > NOW + 2 * MINUTE


# -- events ----------------------------------------------------------------------------------------------------------


def test_viewers_are_told_what_happens_to_a_schedule(client: redis.Redis, ticks: Ticks) -> None:
    store = store_on(client, ticks, events_kept=100)
    store.open()
    plans = Planned(store, ticks)
    plans.create(overlap="skip", max_runs=20)
    plans.put(overlap="skip", max_runs=20, labels=("a",))
    changing.pause(store, "s", None)
    changing.resume(store, "s", None, ticks.now)
    plans.at(MINUTE)
    plans.plan()
    plans.claim()
    plans.pass_minutes(2)
    plans.at(30 * MINUTE)
    plans.plan()
    changing.delete(store, "s")
    entries = dump(client)["events"]
    told = [line.split(" ") for entry in entries for line in entry["e"].split("\n") if " schedule " in line]
    assert [(name, id) for name, id, _, _ in told] == [
        (f"schedule_{name}", "s")
        for name in ("created", "changed", "paused", "resumed", "skipped", "ended", "missed", "deleted")
    ]
    page = (Path(__file__).parents[2] / "docs" / "events.md").read_text("utf-8")
    assert {name for name, *_ in told if f"`{name}`" not in page} == set()


# -- lists -----------------------------------------------------------------------------------------------------------


def walk(store: MessageStore, limit: int, **filters: object) -> list[str]:
    found: list[str] = []
    cursor = None
    while True:
        page = store.schedules(limit=limit, cursor=cursor, **filters)  # type: ignore[arg-type]
        found += [schedule.id for schedule in page.schedules]
        if (cursor := page.next_cursor) is None:
            return found


def test_a_list_page_by_page(plans: Planned) -> None:
    for n in range(7):
        plans.create(f"a{n}", every_ms=(10 - n) * MINUTE, labels=("even",) if n % 2 == 0 else ())
    for n in range(3):
        plans.create(f"p{n}", paused=True, labels=("even", "paused"))
    active, paused = [f"a{n}" for n in range(6, -1, -1)], ["p0", "p1", "p2"]
    for limit in (1, 2, 100):
        assert walk(plans.store, limit) == active + paused, "soonest first, then those that rest"
        assert walk(plans.store, limit, state=State.ACTIVE) == active
        assert walk(plans.store, limit, state=State.PAUSED) == paused
        assert walk(plans.store, limit, state=State.ENDED) == []
        assert walk(plans.store, limit, label="even") == ["a6", "a4", "a2", "a0", *paused]
        assert walk(plans.store, limit, label="eve") == []


def test_messages_can_be_listed_by_their_schedule(plans: Planned) -> None:
    plans.create()
    plans.create("s2")
    plans.pass_minutes(1)
    found = plans.store.page(schedule="s").messages
    assert [m.id for m in found] == [id_of(plans.store, n * MINUTE) for n in (2, 1)]


def test_the_last_runs_are_shown_and_few_more_are_kept(plans: Planned, client: redis.Redis) -> None:
    plans.create()
    kept = plans.store.partitions[plans.store.partition_of("s")]["runs"] + "s"
    for minute in range(1, 46):
        plans.pass_minutes(minute)
        assert min(minute, 20) <= client.llen(kept) <= 30
    assert [run.moment for run in plans.get().last_runs] == [NOW + n * MINUTE for n in range(45, 25, -1)]


def test_a_hash_that_was_deleted_by_hand_is_forgotten(plans: Planned, client: redis.Redis) -> None:
    plans.create()
    partition = plans.store.partition_of("s")
    client.delete(plans.store.partitions[partition]["sched"] + "s")
    assert broken_rules(client, partition) != []
    plans.at(MINUTE)
    plans.plan()
    assert plans.deliver() == []
