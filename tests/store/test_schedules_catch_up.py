"""Schedules on a real Redis: what becomes of the moments that nobody planned in time (rule 5)."""

from __future__ import annotations

import pytest
import redis

from scheduler.recurrence import CatchUp
from scheduler.schedule import Planned as Moved
from scheduler.schedules.planner import POLL_SECONDS
from scheduler.store import MessageStore
from tests.support.schedules import CATCH_ALL, MINUTE, Planned
from tests.support.store import NOW


@pytest.fixture
def client(redis_client: redis.Redis) -> redis.Redis:
    """A real server: fakeredis, with the same scripts, is under the tests of the API."""
    return redis_client


@pytest.mark.parametrize("begun", [True, False], ids=["its message was delivered", "its message waits"])
@pytest.mark.parametrize(
    ("policy", "made"),
    [
        (CatchUp("none"), []),
        (CatchUp("latest"), [30]),
        (CatchUp("all", 3_600_000, 3), [28, 29, 30]),
        (CatchUp("all", 5 * MINUTE, 100), [26, 27, 28, 29, 30]),
        (CatchUp("latest", 10_000), []),
    ],
    ids=["none", "latest", "all, 3 at most", "all within 5 minutes", "latest within 10 s"],
)
@pytest.mark.parametrize("first", ["plan", "claim"])
def test_after_a_downtime(plans: Planned, policy: CatchUp, made: list[int], begun: bool, first: str) -> None:
    plans.create(catch_up=policy)
    plans.at(MINUTE)
    if begun:
        assert plans.deliver() == [(MINUTE, "plan")]
    plans.at(30 * MINUTE + 30_000)
    if first == "claim":
        assert plans.deliver() == [], "the policy decides"
    plans.plan()
    assert plans.deliver() == [(n * MINUTE, "catch_up") for n in made]
    counters = plans.get().counters
    assert (counters["caught"], counters["missed"]) == (len(made), 30 - begun - len(made))
    assert plans.get().next_run == NOW + 31 * MINUTE
    assert plans.pass_minutes(31) == [(31 * MINUTE, "plan")]


def test_a_global_pause_is_downtime(plans: Planned) -> None:
    plans.create()
    plans.store.pause()
    plans.at(10 * MINUTE + 30_000)
    assert plans.plan() == POLL_SECONDS
    plans.store.resume()
    plans.plan()
    assert plans.deliver() == [(10 * MINUTE, "catch_up")]
    assert plans.log.count("schedule s was not planned in time: 1 runs are made up for, 9 are given up") == 1


def test_what_is_given_up_is_told_in_one_run(plans: Planned) -> None:
    plans.create(catch_up=CatchUp("none"))
    plans.at(10 * MINUTE)
    plans.plan()
    (last,) = plans.get().last_runs
    assert (last.outcome, last.moments, last.moment) == ("missed", 10, NOW + 10 * MINUTE)


def test_a_planner_that_stalls_between_reading_and_writing_loses_no_moment(plans: Planned, store: MessageStore) -> None:
    plans.create(catch_up=CATCH_ALL)
    plans.at(MINUTE)
    partition = store.partition_of("s")
    read = store.due_plans(partition, 10)
    plans.at(2 * MINUTE + 30_000)
    assert plans.deliver() == [], "nobody has planned for so long: its message is taken back"
    planned = [Moved.of(due, read.redis_ms) for due in read.plans]
    assert store.move_on(partition, planned) == [False], "what was decided then is decided again"
    plans.plan()
    assert plans.deliver() == [(MINUTE, "catch_up"), (2 * MINUTE, "catch_up")]
