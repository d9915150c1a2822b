"""Schedules that are paused, made up for, changed and deleted: nothing old begins, and no run is lost."""

from __future__ import annotations

import pytest
import redis

from scheduler.errors import Conflict, InvalidInput, NotFound
from scheduler.message import Priority
from scheduler.schedule import State
from scheduler.schedules import changing
from scheduler.store.scheduling import Once
from tests.support.schedules import CATCH_ALL, MINUTE, Planned, id_of
from tests.support.store import NOW, dump, message


@pytest.fixture
def client(redis_client: redis.Redis) -> redis.Redis:
    """A real server: fakeredis, with the same scripts, is under the tests of the API."""
    return redis_client


def test_pause_takes_the_message_back_and_resume_goes_on_with_the_first_moment_after_now(plans: Planned) -> None:
    plans.create()
    paused = changing.pause(plans.store, "s", "the report is wrong")
    assert (paused.state, paused.next_run, paused.note) == (State.PAUSED, None, "the report is wrong")
    assert plans.waiting() == []
    assert plans.pass_minutes(1, 2, 3) == []
    resumed = changing.resume(plans.store, "s", None, plans.ticks.now)
    assert (resumed.state, resumed.next_run, resumed.note) == (State.ACTIVE, NOW + 4 * MINUTE, None)
    assert plans.pass_minutes(4) == [(4 * MINUTE, "plan")]
    assert plans.get().counters["missed"] == 0, "a pause is no downtime"


def test_a_message_of_somebody_with_the_id_of_a_run_stays(plans: Planned) -> None:
    plans.store.schedule([message(id_of(plans.store, MINUTE), NOW + MINUTE, payload='"mine"')])
    plans.create()
    changing.pause(plans.store, "s", None)
    assert [waiting.payload for waiting in plans.waiting()] == ['"mine"']


def test_pause_and_resume_again_change_nothing(plans: Planned) -> None:
    plans.create(paused=True)
    before = dump(plans.store.client)
    changing.pause(plans.store, "s", None)
    assert dump(plans.store.client) == before
    resumed = changing.resume(plans.store, "s", None, plans.ticks.now)
    assert changing.resume(plans.store, "s", None, plans.ticks.now + 30_000).next_run == resumed.next_run


def test_backfill_makes_what_is_missing_once_and_behind_what_is_on_time(plans: Planned) -> None:
    plans.create(start=NOW - 60 * MINUTE)
    plans.pass_minutes(1)
    span = NOW - 5 * MINUTE, NOW + MINUTE
    dry = changing.backfill(plans.store, "s", *span, 1000, dry_run=True)
    assert (len(dry.moments), dry.made, dry.more) == (7, 6, False), "the seventh ran on time"
    assert changing.backfill(plans.store, "s", *span, 1000, dry_run=False) == dry
    assert changing.backfill(plans.store, "s", *span, 1000, dry_run=False).made == 0, "repeatable"
    assert {m.priority for m in plans.waiting() if m.due_at <= plans.ticks.now} == {Priority.LOW}
    assert sorted(plans.deliver()) == [(n * MINUTE, "backfill") for n in range(-5, 1)]


def test_a_backfill_is_bounded(plans: Planned) -> None:
    plans.create(start=NOW - 600 * MINUTE)
    first = changing.backfill(plans.store, "s", NOW - 600 * MINUTE, NOW, 250, dry_run=False)
    assert (first.made, first.more) == (250, True)
    rest = changing.backfill(plans.store, "s", first.moments[-1] + 1, NOW, 1000, dry_run=False)
    assert (rest.made, rest.more) == (351, False)
    with pytest.raises(InvalidInput, match="to: lies in the future"):
        changing.backfill(plans.store, "s", NOW, NOW + 1, 10, dry_run=False)
    with pytest.raises(InvalidInput, match="to: lies before from"):
        changing.backfill(plans.store, "s", NOW, NOW - 1, 10, dry_run=False)


def test_what_changes_nothing_changes_nothing(plans: Planned) -> None:
    plans.put(labels=("a",), catch_up=CATCH_ALL, jitter_ms=500)
    before = dump(plans.store.client)
    plans.at(30_000)
    schedule, fresh = plans.put(labels=("a",), catch_up=CATCH_ALL, jitter_ms=500)
    assert (fresh, schedule.next_run) == (False, NOW + MINUTE)
    assert dump(plans.store.client) == before


def test_a_change_of_the_template_takes_the_pending_message_along(plans: Planned) -> None:
    plans.create()
    schedule, _ = plans.put(payload="2", template={"channel": "webhook", "target": "T"})
    assert schedule.next_run == NOW + MINUTE
    (message,) = plans.waiting()
    assert (message.payload, message.channel, message.due_at) == ("2", "webhook", NOW + MINUTE)


def test_a_change_of_the_plan_never_fires_at_once(plans: Planned) -> None:
    plans.create()
    plans.at(59_000)
    schedule, _ = plans.put(cron="0 9 * * *", timezone="Europe/Berlin")
    assert schedule.next_run == NOW + 24 * 60 * MINUTE, "08:00 UTC is 9 o'clock there, and has just passed"
    assert [m.due_at for m in plans.waiting()] == [schedule.next_run]
    schedule, _ = plans.put(cron="0 9 * * *", timezone="Europe/London")
    assert schedule.next_run == NOW + 60 * MINUTE, "a change of zone recomputes"
    assert [m.due_at for m in plans.waiting()] == [schedule.next_run]


def test_a_change_of_labels_leaves_the_message_alone(plans: Planned) -> None:
    plans.create()
    (before,) = plans.waiting()
    schedule, _ = plans.put(labels=("a",), overlap="skip")
    assert (schedule.definition.labels, schedule.definition.overlap) == (("a",), "skip")
    assert plans.waiting() == [before]
    assert plans.pass_minutes(1) == [(MINUTE, "plan")]


def test_after_a_change_nothing_old_begins(plans: Planned) -> None:
    plans.create()
    plans.at(MINUTE)
    plans.plan()
    plans.put(payload="2")
    assert plans.deliver() == [], "it was due, and not in flight"
    (last,) = plans.get().last_runs
    assert (last.outcome, last.moment) == ("changed", NOW + MINUTE)
    plans.at(2 * MINUTE)
    assert [claim.payload for claim in plans.claim()] == ["2"]


def test_a_change_of_the_template_at_the_very_moment_costs_no_run(plans: Planned) -> None:
    plans.create()
    plans.at(MINUTE)
    plans.put(payload="2")
    assert [claim.payload for claim in plans.claim()] == ["2"]


def test_a_run_that_has_begun_goes_on_after_a_change(plans: Planned) -> None:
    plans.create()
    plans.at(MINUTE)
    plans.plan()
    plans.settle(plans.claim(), "retry", 1000)
    plans.put(payload="2")
    plans.at(MINUTE + 1000)
    assert [(claim.payload, claim.attempt) for claim in plans.claim()] == [("1", 2)]


@pytest.mark.parametrize("attempts", [0, 1])
def test_after_a_delete_nothing_begins(plans: Planned, attempts: int) -> None:
    plans.create()
    plans.at(MINUTE)
    plans.plan()
    if attempts:
        plans.settle(plans.claim(), "retry", 0)
    assert changing.delete(plans.store, "s").id == "s"
    assert [m.due_at for m in plans.waiting()] == [NOW + MINUTE], "that of the next moment went at once"
    assert plans.deliver() == []
    gone = plans.store.get(id_of(plans.store, MINUTE))
    assert (gone.status, gone.last_error) == ("cancelled", "skipped: its schedule was deleted")
    with pytest.raises(NotFound, match="There is no schedule 's'"):
        plans.get()


def test_what_is_in_flight_ends_as_it_would_after_a_delete(plans: Planned) -> None:
    plans.create(overlap="skip")
    plans.at(MINUTE)
    plans.plan()
    claims = plans.claim()
    changing.delete(plans.store, "s")
    plans.settle(claims)
    assert plans.store.get(claims[0].id).status == "delivered"


def test_a_schedule_of_the_same_name_has_nothing_to_do_with_the_one_before(plans: Planned) -> None:
    plans.create()
    plans.at(MINUTE)
    plans.plan()
    changing.delete(plans.store, "s")
    plans.create(payload="2")
    assert plans.deliver() == []
    plans.at(2 * MINUTE)
    assert [claim.payload for claim in plans.claim()] == ["2"]


def test_a_schedule_that_is_moved_on_meanwhile_is_read_again(plans: Planned, monkeypatch: pytest.MonkeyPatch) -> None:
    plans.create()
    plans.at(MINUTE)
    write = plans.store.write_schedule

    def late(*arguments: object, **more: object) -> str:
        monkeypatch.undo()
        plans.plan()
        return write(*arguments, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(plans.store, "write_schedule", late)
    plans.put(payload="2")
    assert [(m.payload, m.due_at) for m in plans.waiting() if m.due_at > plans.ticks.now] == [("2", NOW + 2 * MINUTE)]


def test_an_id_is_taken_once(plans: Planned) -> None:
    plans.create()
    with pytest.raises(Conflict, match="A schedule with the id 's' exists"):
        plans.create()


def test_an_idempotency_key_makes_one_schedule_and_one_run(plans: Planned) -> None:
    asked = plans.create("other").definition
    store, now = plans.store, plans.ticks.now
    first = changing.create(store, None, asked, paused=False, now_ms=now, once=Once("k", "f"))
    assert changing.create(store, None, asked, paused=False, now_ms=now, once=Once("k", "f")).id == first.id
    with pytest.raises(Conflict, match="another request body"):
        changing.create(store, None, asked, paused=False, now_ms=now, once=Once("k", "g"))
    run = changing.run_now(store, first.id, Once("r", "f"))
    assert changing.run_now(store, first.id, Once("r", "f")).id == run.id
    assert len(plans.claim()) == 1


def test_a_run_that_waited_is_not_lost_when_one_claim_takes_both_it_and_the_one_before(plans: Planned) -> None:
    plans.create(overlap="buffer")
    plans.at(MINUTE)
    (first,) = plans.claim()
    plans.plan()
    plans.settle([first], "release", MINUTE + 100)
    plans.put(overlap="buffer", payload="2")
    plans.at(2 * MINUTE + 200)
    # It takes the second, which waits for the first, and then the first, which is skipped: the schedule was changed.
    assert plans.claim() == []
    assert [(claim.id, claim.payload) for claim in plans.claim()] == [(id_of(plans.store, 2 * MINUTE), "2")]


@pytest.mark.parametrize("taken_back", ["late", "planned", "changed"])
def test_a_run_waits_no_longer_when_the_one_before_is_given_back_and_taken_back(
    plans: Planned, taken_back: str
) -> None:
    plans.create(overlap="buffer", start=NOW - 10 * MINUTE)
    plans.at(MINUTE)
    (first,) = plans.claim()
    assert changing.backfill(plans.store, "s", NOW, NOW, 1, dry_run=False).made == 1
    assert plans.claim() == [], "it is kept until the first has ended"
    plans.settle([first], "release", MINUTE)
    if taken_back == "changed":
        plans.put(overlap="buffer", start=NOW - 10 * MINUTE, every_ms=2 * MINUTE)
    else:
        plans.at(3 * MINUTE)
        assert taken_back == "planned" or plans.claim() == [], "nobody has planned since its moment"
        plans.plan()
    assert (0, "backfill") in plans.deliver()
