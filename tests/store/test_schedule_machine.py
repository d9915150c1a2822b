"""Any sequence of what servers, users and time do to schedules; after each step every promise about them is looked at.

``HYPOTHESIS_PROFILE=nightly`` runs 5,000 sequences instead of 60.
"""

from __future__ import annotations

import os
from typing import Any

import pytest
import redis
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from scheduler.errors import Conflict, NotFound
from scheduler.message import Claim, Outcome, OutcomeKind, made_by
from scheduler.recurrence import CatchUp
from scheduler.retry import RetryPolicy
from scheduler.schedule import State
from scheduler.schedules import changing
from tests.support.schedules import Planned, definition
from tests.support.store import Ticks, broken_rules, store_on, take

NIGHTLY = os.environ.get("HYPOTHESIS_PROFILE") == "nightly"
LOCK_MS = 4000

IDS = st.sampled_from(["a", "b", "c"])
KINDS: st.SearchStrategy[OutcomeKind] = st.sampled_from(["ack", "ack", "retry", "dead", "release"])
POLICIES = st.sampled_from([CatchUp("none"), CatchUp("latest"), CatchUp("all", 20_000, 3), CatchUp("all", 60_000, 50)])
ASKED = st.fixed_dictionaries(
    {
        "every_ms": st.sampled_from([1000, 2000, 5000]),
        "catch_up": POLICIES,
        "overlap": st.sampled_from(["allow", "skip", "buffer"]),
        "jitter_ms": st.sampled_from([0, 0, 500]),
        "payload": st.sampled_from(["1", "2"]),
    },
    optional={"max_runs": st.integers(1, 8)},
)


class Machine(RuleBasedStateMachine):
    client: redis.Redis

    @initialize(partitions=st.sampled_from([1, 1, 3]))
    def begin(self, partitions: int) -> None:
        self.client.flushall()
        self.ticks = Ticks()
        retry = RetryPolicy(max_attempts=2)
        self.store = store_on(self.client, self.ticks, partitions=partitions, default_retry=retry)
        self.store.open()
        self.plans = Planned(self.store, self.ticks)
        self.claims: list[Claim] = []
        self.acked: set[str] = set()
        self.steady: set[str] = set()
        """Schedules that nobody paused, changed or ran by hand: what their plan has is what they made or gave up."""
        self.planned = True
        """Whether nothing happened since the planner came by that could make a schedule due."""

    # -- servers and time ------------------------------------------------------------------------------------------

    @rule(ms=st.sampled_from([1, 400, 1000, 1000, 2500, 7000, 40_000]))
    def advance(self, ms: int) -> None:
        self.ticks.now += ms
        self.planned = False

    @rule()
    def plan(self) -> None:
        self.plans.plan()
        self.planned = not self.store.counts().paused

    @rule(limit=st.integers(1, 50))
    def claim(self, limit: int) -> None:
        for claim in take(self.store, limit, LOCK_MS).claims:
            assert claim.run is not None
            made = made_by(claim.id, claim.run)
            assert claim.id not in self.acked, "one message per schedule and moment"
            assert made.moment is None or made.moment <= self.ticks.now, "never early"
            stored = self.store.find_schedule(made.schedule)
            assert stored is not None, "after a delete nothing begins"
            if claim.attempt == 1:
                payload = stored.definition.template.payload
                assert claim.payload == payload, "after a change nothing old begins"
            self.claims.append(claim)

    @rule(kinds=st.lists(KINDS, min_size=1, max_size=5), delay_ms=st.sampled_from([0, 1500]))
    def settle(self, kinds: list[OutcomeKind], delay_ms: int) -> None:
        while self.claims and kinds:
            claim, kind = self.claims.pop(0), kinds.pop()
            if kind == "retry" and claim.attempt >= 2:
                kind = "dead"
            (done,) = self.store.settle([Outcome(claim, kind, delay_ms=delay_ms)])
            if done and kind == "ack":
                self.acked.add(claim.id)

    @rule()
    def reap(self) -> None:
        self.store.reap(100)

    @rule(paused=st.booleans())
    def pause_all(self, paused: bool) -> None:
        if paused:
            self.store.pause()
            self.plan()
            self.planned = False
        else:
            self.store.resume()

    # -- users -----------------------------------------------------------------------------------------------------

    @rule(id=IDS, asked=ASKED, paused=st.none() | st.booleans())
    def put(self, id: str, asked: dict[str, Any], paused: bool | None) -> None:
        before = self.store.find_schedule(id)
        stored, fresh = self.plans.put(id, paused=paused, **asked)
        assert stored.definition == definition(**asked)
        if fresh and stored.state is State.ACTIVE:
            self.steady.add(id)
        elif before is None or before.revision != stored.revision:
            self.steady.discard(id)
        if before is None or not before.definition.same_plan(stored.definition):
            assert stored.next_run is None or stored.next_run > self.ticks.now, "a change never fires at once"

    @rule(id=IDS, verb=st.sampled_from(["pause", "resume", "run", "delete", "backfill"]))
    def change(self, id: str, verb: str) -> None:
        now = self.ticks.now
        try:
            match verb:
                case "pause":
                    assert changing.pause(self.store, id, None).next_run is None
                case "resume":
                    resumed = changing.resume(self.store, id, None, now)
                    assert (resumed.next_run is None) == (resumed.state is State.ENDED)
                case "run":
                    changing.run_now(self.store, id)
                case "backfill":
                    first = changing.backfill(self.store, id, now - 8000, now, 5, dry_run=False)
                    again = changing.backfill(self.store, id, now - 8000, now, 5, dry_run=True)
                    assert (again.moments, again.made) == (first.moments, 0), "repeatable"
                case _:
                    changing.delete(self.store, id)
                    # A schedule of the same name begins anew; what an earlier one delivered may be made again.
                    self.acked = {one for one in self.acked if not one.startswith(f"{id}:")}
        except (NotFound, Conflict):
            return
        self.steady.discard(id)

    @rule(nth=st.integers(0, 5), verb=st.sampled_from(["cancel", "redrive"]))
    def change_a_message(self, nth: int, verb: str) -> None:
        status = "scheduled" if verb == "cancel" else "dead"
        found = [m for m in self.store.page(limit=100).messages if m.status == status]
        if found:
            getattr(self.store, verb)(found[nth % len(found)].id)

    # -- promises --------------------------------------------------------------------------------------------------

    @invariant()
    def every_key_is_in_its_place(self) -> None:
        for partition in range(len(self.store.partitions)):
            assert broken_rules(self.client, partition) == []

    @invariant()
    def an_active_schedule_has_a_next_run(self) -> None:
        paused = self.store.counts().paused
        for schedule in self.store.schedules(limit=10).schedules:
            assert (schedule.next_run is not None) == (schedule.state is State.ACTIVE)
            if self.planned and not paused and schedule.act_at is not None:
                assert schedule.act_at > self.ticks.now, "in the future once the planner came by"

    @invariant()
    def no_moment_of_a_steady_schedule_is_forgotten(self) -> None:
        for id in self.steady:
            schedule = self.store.schedule_with(id)
            until = schedule.plan.last_ms if schedule.next_run is None else schedule.next_run - 1
            passed = schedule.plan.count(schedule.plan.start_ms - 1, until)
            assert schedule.counters["made"] + schedule.counters["missed"] == passed


@pytest.mark.timeout(0 if NIGHTLY else 300)
def test_any_sequence_of_steps(redis_client: redis.Redis) -> None:
    class OnRedis(Machine):
        client = redis_client

    run_state_machine_as_test(
        OnRedis,
        settings=settings(
            max_examples=5000 if NIGHTLY else 40,
            stateful_step_count=40,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )


@pytest.mark.parametrize("seconds", [1, 3])
def test_the_machine_notices_what_is_forgotten(
    redis_client: redis.Redis, monkeypatch: pytest.MonkeyPatch, seconds: int
) -> None:
    """A planner that loses a moment breaks the promise."""
    machine = Machine()
    machine.client = redis_client
    machine.begin(1)
    machine.put("a", {"every_ms": 1000}, None)
    schedule = machine.plans.get("a")
    machine.ticks.now += 1000 * seconds
    partition = machine.store.partitions[0]
    monkeypatch.setattr(machine, "steady", {"a"})
    redis_client.hset(partition["sched"] + "a", "next", (schedule.next_run or 0) + 1000 * seconds)
    with pytest.raises(AssertionError):
        machine.no_moment_of_a_steady_schedule_is_forgotten()
