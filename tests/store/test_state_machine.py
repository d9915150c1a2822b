"""Any sequence of verbs, against a model, with every key of Redis looked at after each step.

``HYPOTHESIS_PROFILE=nightly`` runs 10,000 sequences instead of 120.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterator
from itertools import product
from typing import Any, Literal

import pytest
import redis
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    initialize,
    invariant,
    multiple,
    precondition,
    rule,
    run_state_machine_as_test,
)

from scheduler.errors import Conflict, NotFound
from scheduler.message import Claim, NewMessage, Outcome, OutcomeKind, Priority, Status
from scheduler.retry import RetryPolicy
from scheduler.store import Changes, Claimed, Limits
from scheduler.store.budgets import Budget, Wanted
from scheduler.store.keys import META
from tests.support.store import SETS, Ticks, store_on, take
from tests.support.store_model import Model

NIGHTLY = os.environ.get("HYPOTHESIS_PROFILE") == "nightly"

MOMENTS = st.sampled_from([-2, -1, 0, 0, 0, 1, 2, 6])
"""ms from now"""
POLICIES = st.none() | st.sampled_from([-1, 1, 2, 3]).map(lambda n: RetryPolicy(max_attempts=n))
CHANNELS = st.sampled_from(["echo", "webhook"])
PRIORITIES = st.sampled_from(Priority)
LOCKS = st.sampled_from([1, 3, 5, 20])
BUDGETS = st.builds(
    lambda order, most, own, each, shared: Wanted(
        [Budget(lane, most, most, 0) if lane == "webhook" else Budget(lane, most + 1, own, each) for lane in order],
        shared,
    ),
    st.permutations(["echo", "webhook"]), st.integers(1, 9), st.integers(0, 4), st.integers(1, 3), st.integers(1, 3),
)  # fmt: skip
"""A server with room for some of either lane; those of ``echo`` run on threads that are shared."""


KINDS: st.SearchStrategy[OutcomeKind] = st.sampled_from(["ack", "retry", "dead", "release"])


def some(*status: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """A rule that has nothing to do without a message in one of these states."""
    return precondition(lambda machine: bool(machine.model.of_status(*status)))


class StoreMachine(RuleBasedStateMachine):
    """The store on a real Redis, on a clock that only ``advance`` moves."""

    accepted = Bundle("accepted")
    claims = Bundle("claims")
    keys = Bundle("keys")

    def __init__(self, client: redis.Redis) -> None:
        super().__init__()
        self.client = client
        self.ticks = Ticks()
        self.numbers: Iterator[int] = iter(range(10**9))
        self.attempts: dict[str, int] = {}
        self.given_back: set[str] = set()
        self.forgotten: set[str] = set()
        self.used: dict[str, list[Any]] = {}
        self.live: dict[str, Claim] = {}

    @initialize(
        target=accepted,
        partitions=st.sampled_from([1, 1, 2, 3]),
        max_attempts=st.sampled_from([2, 3, -1]),
        moments=st.lists(MOMENTS, min_size=2, max_size=8),
        retry=POLICIES,
    )
    def open(self, partitions: int, max_attempts: int, moments: list[int], retry: RetryPolicy | None) -> Any:
        self.client.flushall()
        self.store = store_on(
            self.client, self.ticks, partitions=partitions, default_retry=RetryPolicy(max_attempts=max_attempts)
        )
        self.store.open()
        self.model = Model(partitions, self.store.partition_of, max_attempts)
        self.model.now = self.ticks.now
        return self.schedule(moments, Priority.NORMAL, "echo", retry, None)

    # ------------------------------------------------------------------------------------------------------ accepting

    @rule(
        target=accepted,
        moments=st.lists(MOMENTS, min_size=1, max_size=6),
        priority=PRIORITIES,
        channel=CHANNELS,
        retry=POLICIES,
        taken=st.none() | st.none() | st.none() | accepted,
    )
    def schedule(
        self, moments: list[int], priority: Priority, channel: str, retry: RetryPolicy | None, taken: str | None
    ) -> Any:
        """With an id that may be taken: then all or nothing."""
        more: dict[str, Any] = {"priority": priority, "channel": channel, "retry": retry}
        batch = [self.fresh(f"m{next(self.numbers)}", due_in, **more) for due_in in moments]
        if taken is not None:
            batch.append(self.fresh(taken, 0))
        if not self.model.schedule(batch):
            with pytest.raises(Conflict):
                self.store.schedule(batch)
            return multiple()
        assert self.store.schedule(batch) == [(m.id, self.model.entries[m.id].due_at, self.ticks.now) for m in batch]
        for m in batch:
            self.forgotten.discard(m.id)
            self.attempts.pop(m.id, None)
        return multiple(*[m.id for m in batch])

    @rule(target=accepted, key=st.sampled_from("KL"), same=st.booleans())
    def schedule_with_a_key(self, key: str, same: bool) -> Any:
        new = self.fresh(self.store.idempotent_ids(key, 1)[0], 0)
        used = self.used.get(key)
        if used and not same:
            with pytest.raises(Conflict):
                self.store.schedule([new], idempotency_key=key, fingerprint="other")
            return multiple()
        answer = self.store.schedule([new], idempotency_key=key, fingerprint="same")
        if used:
            assert answer == [one._replace(created_at=None) for one in used]
            return multiple()
        self.used[key] = list(answer)
        assert self.model.schedule([new])
        return multiple(new.id)

    def fresh(self, id: str, due_in: int, **more: Any) -> NewMessage:
        """Some by the moment, some by how long from now."""
        due_at = -due_in if due_in in (0, 2) else self.ticks.now + due_in
        return NewMessage(id=id, payload=f'"{due_in % 2}"', due_at=due_at, **more)

    # ------------------------------------------------------------------------------------------------------ in flight

    @precondition(lambda self: self.model.due())
    @rule(target=claims, limit=st.integers(1, 8), lock_ms=LOCKS, paused_before=st.booleans(), budgets=BUDGETS)
    def claim(self, limit: int, lock_ms: int, paused_before: bool, budgets: Wanted) -> Any:
        if paused_before:
            self.store.pause()
            assert self.store.counts().paused
            assert take(self.store, 9, 1)[:2] == ([], None)
            self.store.resume()
        claimed = self.store.claim(budgets, limit, lock_ms)
        self.claims_are_right(claimed, budgets, limit)
        for claim in claimed.claims:
            entry = self.model.entries[claim.id]
            assert entry.due_at <= self.ticks.now, "never early"
            assert claim.due_at == entry.since
            assert (claim.attempt, claim.payload, claim.channel) == (entry.attempt + 1, entry.payload, entry.channel)
        self.model.claimed(claimed.claims, lock_ms)
        self.live.update({claim.id: claim for claim in claimed.claims})
        return multiple(*claimed.claims)

    def claims_are_right(self, claimed: Claimed, budgets: Wanted, limit: int) -> None:
        """The most urgent of each lane, in order, as many as its budget and the limit allow; and when to come back."""
        caps = {b.lane: min(b.most, b.own + budgets.shared * b.each) for b in budgets.budgets}
        taken = Counter(claim.lane for claim in claimed.claims)
        for lane, partition in product(caps, range(self.model.partitions)):
            found = [c.id for c in claimed.claims if (c.lane, c.partition) == (lane, partition)]
            assert found == [e.id for e in self.model.due(partition, lane)][: len(found)], "the most urgent, in order"
        wanted = {lane: min(cap, len(self.model.due(lane=lane))) for lane, cap in caps.items()}
        assert len(claimed.claims) == min(limit, sum(wanted.values()))
        assert not taken - Counter(wanted), "no lane gives more than its budget"
        taken_ids = {claim.id for claim in claimed.claims}
        open_lanes = {lane for lane, cap in caps.items() if taken[lane] < cap}
        waiting = [e for e in self.model.of_status("scheduled") if e.lane in open_lanes and e.id not in taken_ids]
        until = min((max(0, e.score - self.ticks.now) for e in waiting), default=None)
        if self.model.partitions == 1 and len(claimed.claims) < limit:
            assert claimed.wait_ms == until
        elif until is not None:
            # A full claim need not look at every partition: "come back sooner" is always right.
            assert claimed.wait_ms is not None
            assert claimed.wait_ms <= until

    def until_next(self) -> int | None:
        """ms until the next message is due."""
        return min((e.score - self.ticks.now for e in self.model.of_status("scheduled")), default=None)

    @some("processing")
    @rule(kinds=st.lists(KINDS, min_size=1, max_size=4), delay_ms=st.integers(0, 9))
    def settle_what_is_in_flight(self, kinds: list[OutcomeKind], delay_ms: int) -> None:
        owners = [self.live[e.id] for e in self.model.of_status("processing")]
        forged = [claim._replace(token=token) for claim in owners for token in ("", "t", claim.token[:-1])]
        assert self.store.settle([Outcome(claim, kinds[0], delay_ms=0) for claim in forged]) == [False] * len(forged)
        self.settle(list(zip(owners, kinds, strict=False)), delay_ms, at_once=False)

    @rule(
        group=st.lists(st.tuples(claims, KINDS), min_size=1, max_size=4),
        delay_ms=st.integers(0, 9),
        at_once=st.booleans(),
    )
    def settle(self, group: list[tuple[Claim, OutcomeKind]], delay_ms: int, at_once: bool) -> None:
        """Claims of any age, some twice in one call; then once more without a token."""
        outcomes = [
            Outcome(claim, kind, delay_ms=None if kind == "release" and at_once else delay_ms, error="e" * delay_ms)
            for claim, kind in group
        ]
        self.given_back |= {o.claim.id for o in outcomes if o.kind == "release" and self.model.holds(o.claim)}
        assert self.store.settle(outcomes) == [self.model.settle(outcome) for outcome in outcomes]
        nobody = [outcome._replace(claim=outcome.claim._replace(token="")) for outcome in outcomes]
        assert self.store.settle(nobody) == [False] * len(nobody)

    @rule(group=st.lists(claims, min_size=1, max_size=4), lock_ms=LOCKS)
    def renew(self, group: list[Claim], lock_ms: int) -> None:
        nobody = [claim._replace(token=token) for claim in group for token in ("", "t")]
        lost = self.store.renew([*group, *nobody], lock_ms)
        assert sorted(lost) == sorted([*self.model.renew(group, lock_ms), *nobody])

    @some("processing")
    @rule(limit=st.integers(1, 4))
    def reap(self, limit: int) -> None:
        reaped = self.store.reap(limit)
        assert reaped[:2] == self.model.reap(limit)

    @rule(ms=st.integers(0, 2) | st.sampled_from(["due", "lock"]), early=st.sampled_from([0, 0, 1]))
    def advance(self, ms: int | str, early: int) -> None:
        """By a little, or to the very millisecond at which something is due or a lock expires, or to the one before."""
        if isinstance(ms, str):
            status = "scheduled" if ms == "due" else "processing"
            ahead = [e.score - self.ticks.now for e in self.model.of_status(status) if e.score > self.ticks.now]
            ms = min(ahead, default=1) - early
        self.ticks.now += ms
        self.model.now = self.ticks.now

    # ------------------------------------------------------------------------------------------------------- changing

    @rule(id=accepted, due_in=st.none() | MOMENTS, now=st.booleans(), priority=st.none() | PRIORITIES)
    def update(self, id: str, due_in: int | None, now: bool, priority: Priority | None) -> None:
        due_at = None if due_in is None else -abs(due_in) if now else self.ticks.now + due_in
        changes = Changes(due_at=due_at, priority=priority, payload=None if now else '"new"')
        self.change(id, self.model.update, self.store.update, changes)

    @rule(id=accepted)
    def cancel(self, id: str) -> None:
        self.change(id, self.model.cancel, self.store.cancel)

    @some("dead")
    @rule(nth=st.none() | st.integers(0, 3), other=accepted)
    def redrive(self, nth: int | None, other: str) -> None:
        letters = self.model.of_status("dead")
        id = other if nth is None else letters[nth % len(letters)].id
        if id not in self.forgotten and self.model.entries[id].status == "dead":
            self.given_back.add(id)
        self.change(id, self.model.redrive, self.store.redrive)

    def change(self, id: str, in_model: Callable[..., bool], in_store: Callable[..., object], *changes: Any) -> None:
        if id in self.forgotten:
            with pytest.raises(NotFound):
                in_store(id, *changes)
        elif in_model(id, *changes):
            in_store(id, *changes)
        else:
            with pytest.raises(Conflict):
                in_store(id, *changes)

    @some("scheduled")
    @rule(nth=st.integers(0, 9))
    def cancel_matching(self, nth: int) -> None:
        waiting = self.model.of_status("scheduled")
        one = waiting[nth % len(waiting)]
        twins = [e for e in waiting if (e.score, e.payload, e.channel) == (one.score, one.payload, one.channel)]
        cancelled = self.store.cancel_matching(one.score, one.payload, lane=one.channel)
        assert sorted(cancelled) == sorted(e.id for e in twins)
        for twin in twins:
            self.model.cancel(twin.id)

    @some("dead")
    @rule(limit=st.integers(0, 5), channel=st.none() | CHANNELS, dry_run=st.booleans())
    def redrive_many(self, limit: int, channel: str | None, dry_run: bool) -> None:
        chosen = self.model.redrive_many(limit, channel, dry_run)
        assert self.store.redrive_many(limit=limit, channel=channel, dry_run=dry_run) == len(chosen)
        if not dry_run:
            self.given_back |= set(chosen)

    @some("dead", "delivered", "cancelled")
    @rule(
        which=st.sampled_from(["done", "dead"]),
        limits=st.builds(
            Limits, st.sampled_from([0, 1, 2, 99]), st.sampled_from([0, 1, 5, 99]), st.sampled_from([0, 400, 10**9])
        ),
        limit=st.integers(1, 5),
    )
    def trim(self, which: Literal["done", "dead"], limits: Limits, limit: int) -> None:
        before = set(self.model.entries)
        weights = {id: int(fields.get("z", 0)) for id, fields in self.hashes.items()}
        forgotten = self.model.trim(which, limits, limit, weights.__getitem__)
        assert self.store.trim(which, limits, limit) == forgotten
        self.forgotten |= before - set(self.model.entries)

    # -------------------------------------------------------------------------------------------------------- reading

    @rule(limit=st.integers(1, 7), status=st.none() | st.sampled_from(Status), channel=st.none() | CHANNELS)
    def read_all(self, limit: int, status: Status | None, channel: str | None) -> None:
        """Every page and every message, by a Redis that has just forgotten its scripts."""
        self.client.script_flush()
        found: list[str] = []
        cursor: str | None = None
        while True:
            page = self.store.page(status=status, channel=channel, limit=limit, cursor=cursor)
            found += [m.id for m in page.messages]
            assert len(set(found)) == len(found), "a message twice"
            cursor = page.next_cursor
            if cursor is None:
                break
        sections = [("processing",), ("scheduled",), ("dead",), ("delivered", "cancelled")]
        expected = [
            e
            for n, names in enumerate(sections)
            for e in self.model.of_status(*names)[:: -1 if n > 1 else 1]
            if status in (None, e.status) and channel in (None, e.channel)
        ]
        assert found == [e.id for e in expected]
        for entry in expected:
            got = self.store.get(entry.id)
            assert (got.status, got.attempt, got.priority) == (entry.status, entry.attempt, entry.priority)
            assert (got.due_at, got.payload, got.channel) == (entry.due_at, entry.payload, entry.channel)
            assert got.scheduled_for == entry.scheduled_for
            assert [attempt["outcome"] for attempt in got.attempts or []] == entry.evidence

    # ------------------------------------------------------------------------------------------------------ invariants

    @invariant()
    def everything_is_in_its_place(self) -> None:
        sets, self.hashes = self.read()
        self.every_key_is_as_the_model_says(sets)
        self.counts_add_up()
        if not self.model.due():
            assert take(self.store, 9, 1)[:2] == ([], self.until_next()), "never early"

    def every_key_is_as_the_model_says(self, sets: list[dict[str, dict[str, int]]]) -> None:
        model = self.model
        for partition in range(model.partitions):
            for name in SETS:
                assert sets[partition][name] == {
                    e.id: e.score for e in model.entries.values() if (e.partition, e.place) == (partition, name)
                }, f"{name} of partition {partition}"
        assert set(self.hashes) == set(model.entries), "nothing is lost, nothing is left behind"
        for id, fields in self.hashes.items():
            entry = model.entries[id]
            assert fields.get("s", "scheduled") == entry.status
            assert (fields.get("k") or None) == entry.token, "one live token while in flight, none else"
            assert int(fields.get("o", 0)) == entry.earlier
            assert len([name for name in fields if name.startswith("h:")]) == len(entry.evidence)
            attempt = int(fields.get("a", 0))
            assert attempt == entry.attempt
            assert attempt >= self.attempts.get(id, 0) or id in self.given_back, "only release and redrive give back"
            self.attempts[id] = attempt
        self.given_back.clear()

    def counts_add_up(self) -> None:
        counts = self.store.counts()
        model = self.model
        for priority in Priority:
            assert counts.scheduled[priority] == sum(e.priority == priority for e in model.of_status("scheduled"))
        assert (counts.due, counts.processing) == (len(model.due()), len(model.of_status("processing")))
        assert counts.retrying == sum(e.attempt > 0 for e in model.of_status("scheduled"))
        finished = model.of_status("delivered", "cancelled")
        assert (counts.dead, counts.finished) == (len(model.of_status("dead")), len(finished))
        assert counts.finished_bytes == sum(int(self.hashes[e.id]["z"]) for e in finished)
        assert not counts.paused
        moments = [e.score for e in model.of_status("scheduled")]
        assert counts.oldest_due_at == self.oldest_due_at()
        put_off = [max(e.since, int(self.hashes[e.id]["c"])) for e in self.model.entries.values() if e.held_back]
        assert (counts.held_back, counts.oldest_held_at) == (len(put_off), min(put_off, default=None))
        assert counts.next_due_at == min((m for m in moments if m > self.ticks.now), default=None)

        dead_bytes = sum(int(self.client.hget(keys["meta"], "dead_bytes") or 0) for keys in self.store.partitions)
        assert dead_bytes == sum(int(self.hashes[e.id]["z"]) for e in model.of_status("dead"))

    def oldest_due_at(self) -> int | None:
        """Of the head of each due set, as the script looks at no other: its moment, not before it was given."""
        heads: dict[tuple[int, str, Priority], tuple[int, str]] = {}
        for entry in self.model.due():
            place = (self.store.partition_of(entry.id), entry.channel, entry.priority)
            heads[place] = min(heads.get(place, (entry.score, entry.id)), (entry.score, entry.id))
        given = ((score, self.hashes[id]) for score, id in heads.values())
        return min((max(score, int(m["c"] if "a" in m else m.get("u", m["c"]))) for score, m in given), default=None)

    def read(self) -> tuple[list[dict[str, dict[str, int]]], dict[str, dict[str, str]]]:
        """Every set of every partition and every hash; fails for a key that nobody knows."""
        keys = [(p, name, f"ms1:{{{p}}}:{name}") for p in range(self.model.partitions) for name in SETS]
        ids = {f"ms1:{{{self.store.partition_of(id)}}}:msg:{id}": id for id in self.model.entries}
        with self.client.pipeline(transaction=False) as pipe:
            for _, _, key in keys:
                pipe.zrange(key, 0, -1, withscores=True)
            for key in ids:
                pipe.hgetall(key)
            pipe.keys("*")
            *values, existing = pipe.execute()
        sets: list[dict[str, dict[str, int]]] = [{} for _ in range(self.model.partitions)]
        for (partition, name, _), pairs in zip(keys, values, strict=False):
            sets[partition][name] = {id: int(score) for id, score in pairs}
        known = {key for _, _, key in keys} | set(ids) | {META}
        others = (":meta", ":held", ":lanes")
        assert [key for key in existing if key not in known and ":idem:" not in key and not key.endswith(others)] == []
        hashes = dict(zip(ids.values(), values[len(keys) :], strict=True))
        return sets, {id: fields for id, fields in hashes.items() if fields}


@pytest.mark.timeout(0 if NIGHTLY else 300)
def test_any_sequence_of_verbs(redis_client: redis.Redis) -> None:
    run_state_machine_as_test(
        lambda: StoreMachine(redis_client),  # type: ignore[arg-type]  # any factory will do
        settings=settings(
            max_examples=10_000 if NIGHTLY else 50,
            stateful_step_count=50,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
