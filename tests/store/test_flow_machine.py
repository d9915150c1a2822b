"""Any sequence of verbs on messages with flow keys: who may go is computed anew after each step, from the messages.

``HYPOTHESIS_PROFILE=nightly`` runs 5,000 sequences instead of 40.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import redis
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from scheduler.errors import Conflict, NotFound
from scheduler.flow import Flow, FlowLimits, Rate
from scheduler.message import Claim, NewMessage, Outcome, Priority
from scheduler.retry import RetryPolicy
from scheduler.store import Changes
from tests.support.flow_rules import NUMBER, lane_and_priority, opens_at, state_of
from tests.support.pieces import pieces_of
from tests.support.store import Ticks, broken_rules, dump, store_on, take

NIGHTLY = os.environ.get("HYPOTHESIS_PROFILE") == "nightly"

KEYS = {
    "two": FlowLimits(2),
    "rated": FlowLimits(rate=Rate(2, 10)),
    "ordered": FlowLimits(ordered=True),
    "all": FlowLimits(1, Rate(3, 20), True),
    "free": FlowLimits(),
}
LOCK_MS = 15
MOMENTS = st.sampled_from([-3, 0, 0, 0, 1, 4, 12])
"""ms from now"""


class Begun:
    """The attempts of a key that has a rate, by the windows that docs/flow.md describes."""

    def __init__(self, rate: Rate) -> None:
        self.rate = rate
        self.begin = -(10**9)
        self.used = 0
        self.mine: dict[str, int] = {}

    def note(self, id: str, now: int) -> None:
        end = self.begin + self.rate.period_ms
        if now >= end:
            self.begin = end if self.used >= self.rate.most and now < end + self.rate.period_ms else now
            self.used = 0
        self.used += 1
        self.mine[id] = now
        assert self.used <= self.rate.most, "one attempt too many in a window"

    def given_back(self, id: str) -> None:
        if self.mine[id] >= self.begin and self.used:
            self.used -= 1


class FlowMachine(RuleBasedStateMachine):
    """A store on a real Redis, on a clock that only ``advance`` moves."""

    def __init__(self, client: redis.Redis) -> None:
        super().__init__()
        self.client = client
        self.ticks = Ticks()
        self.numbers: Iterator[int] = iter(range(10**9))
        self.live: dict[str, Claim] = {}
        self.keys: dict[str, str] = {}
        self.begun = {key: Begun(limits.rate) for key, limits in KEYS.items() if limits.rate}
        self.leader: dict[str, str] = {}
        """Of an ordered key the message that has begun and not ended."""

    @initialize()
    def open(self) -> None:
        self.client.flushall()
        self.store = store_on(self.client, self.ticks, default_retry=RetryPolicy(max_attempts=3))
        self.store.open()

    @rule(
        key=st.sampled_from(sorted(KEYS)),
        moments=st.lists(MOMENTS, min_size=1, max_size=5),
        priority=st.sampled_from(Priority),
        channel=st.sampled_from(["echo", "webhook"]),
    )
    def schedule(self, key: str, moments: list[int], priority: Priority, channel: str) -> None:
        """Own ids that sort against the order of acceptance."""
        messages = [
            NewMessage(
                f"m{99999 - next(self.numbers)}",
                "1",
                self.ticks.now + due,
                channel,
                priority,
                flow=Flow(key, KEYS[key]),
            )
            for due in moments
        ]
        self.store.schedule(messages)
        self.keys.update((message.id, key) for message in messages)

    @rule(limit=st.sampled_from([1, 2, 99, 99]), lanes=st.sampled_from([("echo", "webhook"), ("echo",), ("webhook",)]))
    def claim(self, limit: int, lanes: tuple[str, ...]) -> None:
        before = dump(self.client)
        claimed = take(self.store, limit, LOCK_MS, lanes=lanes)
        for claim in claimed.claims:
            key = self.keys[claim.id]
            self.in_order(key, claim, before)
            if key in self.begun:
                self.begun[key].note(claim.id, self.ticks.now)
            self.live[claim.id] = claim
        if len(claimed.claims) < limit:
            nexts = [at for lane, at in self.next_moments() if lane in lanes]
            assert not [at for at in nexts if at <= self.ticks.now], "idle while there is room"
            if nexts:
                assert claimed.wait_ms is not None
                assert claimed.wait_ms <= min(nexts) - self.ticks.now, "it comes back in time"

    def in_order(self, key: str, claim: Claim, before: dict[str, Any]) -> None:
        if not KEYS[key].ordered:
            return
        leader = self.leader.get(key)
        assert leader in (None, claim.id), "another one has begun and not ended"
        if leader is None:
            waiting = [
                (score, place)
                for name, queue in before.items()
                if name.startswith(f"flow:queue:{key}/")
                for place, score in queue.items()
            ]
            assert min(waiting, key=lambda pair: (pair[0], pair[1][:NUMBER]))[1][NUMBER:] == claim.id
        self.leader[key] = claim.id

    def next_moments(self) -> Iterator[tuple[str, int]]:
        """Of each queue: its lane, and when its first message may go by all that is stored."""
        state = dump(self.client)
        for name, queue in state.items():
            if name.startswith("flow:queue:"):
                key, _, place = name.removeprefix("flow:queue:").partition("/")
                fields = state_of(state[f"flow:key:{key}"])
                opens = opens_at(fields, self.ticks.now)
                first = min((score, member[:NUMBER]) for member, score in queue.items())
                others = (
                    (score, member[:NUMBER])
                    for other, more in state.items()
                    if other.startswith(f"flow:queue:{key}/")
                    for member, score in more.items()
                )
                if opens is not None and (not fields["ordered"] or first == min(others)):
                    due_at = first[0] if first[0] >= 0 else first[0] + 10**15
                    yield place.rpartition(":")[0], max(opens, due_at)

    @precondition(lambda self: self.live)
    @rule(
        kinds=st.lists(st.sampled_from(["ack", "retry", "dead", "release"]), min_size=1, max_size=4),
        nth=st.integers(0, 9),
        delay=st.sampled_from([0, 3]),
    )
    def settle(self, kinds: list[Any], nth: int, delay: int) -> None:
        """Several at once, as a server does."""
        live = list(self.live.values())
        first = nth % len(live)
        outcomes = [
            Outcome(claim, kind, delay_ms=delay, error="e")
            for claim, kind in zip(live[first:] + live[:first], kinds, strict=False)
        ]
        for outcome, done in zip(outcomes, self.store.settle(outcomes), strict=True):
            self.settled(outcome.claim, outcome.kind, done=done)

    def settled(self, claim: Claim, kind: Any, *, done: bool) -> None:
        del self.live[claim.id]
        if not done:
            return
        key = self.keys[claim.id]
        if kind == "release" and key in self.begun:
            self.begun[key].given_back(claim.id)
        if kind in ("ack", "dead") and self.leader.get(key) == claim.id:
            del self.leader[key]

    @rule()
    def reap(self) -> None:
        self.store.reap(100)
        self.leaders_that_ended()

    @precondition(lambda self: self.keys)
    @rule(nth=st.integers(0, 99), due=MOMENTS, cancel=st.booleans(), priority=st.none() | st.sampled_from(Priority))
    def change(self, nth: int, due: int, cancel: bool, priority: Priority | None) -> None:
        id = list(self.keys)[nth % len(self.keys)]
        try:
            if cancel:
                self.store.cancel(id)
            else:
                self.store.update(id, Changes(due_at=self.ticks.now + due, priority=priority))
        except (Conflict, NotFound):
            return
        if self.leader.get(self.keys[id]) == id:
            del self.leader[self.keys[id]]

    def leaders_that_ended(self) -> None:
        for key, id in list(self.leader.items()):
            if "f" in self.client.hgetall(f"ms1:{{0}}:msg:{id}"):
                del self.leader[key]

    @rule(key=st.sampled_from(["two", "free"]), concurrency=st.sampled_from([1, 3, None]))
    def pin(self, key: str, concurrency: int | None) -> None:
        if concurrency is not None:
            self.store.pin_flow(key, FlowLimits(concurrency))
        else:
            try:
                self.store.unpin_flow(key)
            except NotFound:
                assert not self.client.exists(f"ms1:{{0}}:flow:key:{key}")

    @rule(
        key=st.sampled_from(["two", "ordered", "rated"]), resume=st.booleans(), ms=st.none() | st.sampled_from([2, 9])
    )
    def pause(self, key: str, resume: bool, ms: int | None) -> None:
        if not resume:
            self.store.pause_flow(key, None if ms is None else self.ticks.now + ms)
        elif self.client.exists(f"ms1:{{0}}:flow:key:{key}"):
            assert not self.store.resume_flow(key).paused

    @rule(ms=st.sampled_from([1, 3, 10, 25]))
    def advance(self, ms: int) -> None:
        self.ticks.now += ms

    @invariant()
    def everything_is_whole(self) -> None:
        if not hasattr(self, "store"):
            return
        assert broken_rules(self.client, now=self.ticks.now) == []
        state = dump(self.client)
        waiting = [id for name, ids in state.items() if name.startswith("flow:due:") for id in ids]
        counts = self.store.counts()
        assert sum(counts.scheduled.values()) == len(waiting)
        assert counts.processing == len(state.get("locks", {}))
        listed = [message.id for message in self.store.page(limit=500).messages if message.status == "scheduled"]
        assert sorted(listed) == sorted(waiting)
        for flow in self.store.flows().flows:
            assert flow.in_flight == sum(self.keys[id] == flow.key for id in state.get("locks", {}))
            assert flow.scheduled == sum(self.keys[id] == flow.key for id in waiting)
            due = [
                id
                for name, ids in state.items()
                if name.startswith("flow:due:")
                for id in ids
                if ids[id] <= self.ticks.now
            ]
            assert flow.waiting == sum(self.keys[id] == flow.key for id in due)

    def teardown(self) -> None:
        """Whatever happened, everything ends, and no key is left but those that are pinned or paused."""
        if not hasattr(self, "store"):
            return
        for key in list(KEYS):
            if self.client.exists(f"ms1:{{0}}:flow:key:{key}"):
                self.store.resume_flow(key)
            if self.client.exists(f"ms1:{{0}}:flow:key:{key}"):
                self.store.unpin_flow(key)
        for _ in range(1000):
            self.ticks.now += 25
            self.store.reap(100)
            claims = take(self.store, 99, LOCK_MS).claims
            self.store.settle([Outcome(claim, "ack") for claim in claims])
            if not claims and not self.store.counts().processing and not sum(self.store.counts().scheduled.values()):
                break
        self.ticks.now += 25
        take(self.store, 99, LOCK_MS)
        assert [name for name in dump(self.client) if name.startswith("flow:")] == []


def test_lane_and_priority_are_those_of_the_scripts() -> None:
    assert lane_and_priority({"n": "job", "y": "mail", "q": "low"}) == "job:mail:low"


@pytest.mark.parametrize("most", [2, 128], ids="pieces of {}".format)
@pytest.mark.timeout(0 if NIGHTLY else 300)
def test_any_sequence_of_verbs_on_flow_keys(redis_client: redis.Redis, most: int, tmp_path: Path) -> None:
    """In pieces of two a queue is split and put together again all the time."""
    with pieces_of(most, tmp_path):
        run_state_machine_as_test(
            lambda: FlowMachine(redis_client),  # type: ignore[arg-type]  # any factory will do
            settings=settings(
                max_examples=2_500 if NIGHTLY else 20,
                stateful_step_count=40,
                deadline=None,
                suppress_health_check=list(HealthCheck),
            ),
        )
