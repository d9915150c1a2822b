"""Any sequence of verbs, against a model, with every key of Redis looked at after each step.

``HYPOTHESIS_PROFILE=nightly`` runs 10,000 sequences instead of 150.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any, Literal

import pytest
import redis
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    initialize,
    invariant,
    multiple,
    rule,
    run_state_machine_as_test,
)

from scheduler.errors import Conflict, NotFound
from scheduler.keys import META
from scheduler.message import Claim, NewMessage, Outcome, OutcomeKind, Priority, Status
from scheduler.retry import RetryPolicy
from scheduler.store import Changes, Limits
from tests.support.store import SETS, Ticks, store_on
from tests.support.store_model import Model

NIGHTLY = os.environ.get("HYPOTHESIS_PROFILE") == "nightly"

MOMENTS = st.integers(-3, 12)
"""ms from now"""
POLICIES = st.none() | st.sampled_from([-1, 1, 2, 3]).map(lambda n: RetryPolicy(max_attempts=n))
CHANNELS = st.sampled_from(["echo", "webhook"])
PRIORITIES = st.sampled_from(Priority)
LOCKS = st.sampled_from([1, 5, 20])


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

    @initialize(partitions=st.sampled_from([1, 1, 2, 3]), max_attempts=st.sampled_from([2, 3, -1]))
    def open(self, partitions: int, max_attempts: int) -> None:
        self.client.flushall()
        self.store = store_on(
            self.client, self.ticks, partitions=partitions, default_retry=RetryPolicy(max_attempts=max_attempts)
        )
        self.store.open()
        self.model = Model(partitions, self.store.partition_of, max_attempts)
        self.model.now = self.ticks.now

    def fresh(self, id: str, due_in: int, **more: Any) -> NewMessage:
        return NewMessage(id=id, payload=f'"{due_in % 2}"', due_at=self.ticks.now + due_in, **more)

    # ------------------------------------------------------------------------------------------------------ accepting

    @rule(target=accepted, due_in=MOMENTS, priority=PRIORITIES, channel=CHANNELS, retry=POLICIES)
    def schedule(self, due_in: int, priority: Priority, channel: str, retry: RetryPolicy | None) -> str:
        new = self.fresh(f"m{next(self.numbers)}", due_in, priority=priority, channel=channel, retry=retry)
        assert self.store.schedule([new]) == [(new.id, new.due_at)]
        assert self.model.schedule([new])
        return new.id

    @rule(target=accepted, moments=st.lists(MOMENTS, min_size=2, max_size=6), taken=st.none() | accepted)
    def schedule_batch(self, moments: list[int], taken: str | None) -> Any:
        """With an id that may be taken: then all or nothing."""
        batch = [self.fresh(f"m{next(self.numbers)}", due_in) for due_in in moments]
        if taken is not None:
            batch.append(self.fresh(taken, 0))
        if not self.model.schedule(batch):
            with pytest.raises(Conflict):
                self.store.schedule(batch)
            return multiple()
        assert self.store.schedule(batch) == [(m.id, m.due_at) for m in batch]
        self.forgotten -= {m.id for m in batch}
        return multiple(*[m.id for m in batch])

    @rule(target=accepted, key=st.sampled_from("KLM"), same=st.booleans())
    def schedule_with_a_key(self, key: str, same: bool) -> Any:
        new = self.fresh(self.store.idempotent_ids(key, 1)[0], 3)
        used = self.used.get(key)
        if used and not same:
            with pytest.raises(Conflict):
                self.store.schedule([new], idempotency_key=key, fingerprint="other")
            return multiple()
        answer = self.store.schedule([new], idempotency_key=key, fingerprint="same")
        if used:
            assert answer == used
            return multiple()
        self.used[key] = list(answer)
        assert self.model.schedule([new])
        return multiple(new.id)

    # ------------------------------------------------------------------------------------------------------ in flight

    @rule(target=claims, limit=st.integers(1, 8), lock_ms=LOCKS)
    def claim(self, limit: int, lock_ms: int) -> Any:
        due = [] if self.model.paused else self.model.due()
        claimed = self.store.claim(limit, lock_ms)
        assert len(claimed.claims) == min(limit, len(due))
        for partition in range(self.model.partitions):
            taken = [claim.id for claim in claimed.claims if claim.partition == partition]
            assert taken == [e.id for e in due if e.partition == partition][: len(taken)], "the most urgent, in order"
        for claim in claimed.claims:
            entry = self.model.entries[claim.id]
            assert claim.due_at == entry.due_at <= self.ticks.now, "never early"
            assert (claim.attempt, claim.payload, claim.channel) == (entry.attempt + 1, entry.payload, entry.channel)
        self.model.claimed(claimed.claims, lock_ms)
        self.check_wait(claimed.wait_ms, len(claimed.claims) == limit)
        return multiple(*claimed.claims)

    def check_wait(self, wait_ms: float | None, full: bool) -> None:
        waiting = [e.score for e in self.model.of_status("scheduled")]
        if self.model.paused or (not waiting and not full):
            assert wait_ms is None
        elif self.model.due():
            assert wait_ms == 0
        else:
            # A full claim need not look at every partition: "come back at once" is always right.
            expected = {min(waiting) - self.ticks.now if waiting else None} | ({0} if full else set())
            assert wait_ms in expected

    @rule(
        group=st.lists(st.tuples(claims, st.sampled_from(["ack", "retry", "dead", "release"])), min_size=1, max_size=4),
        delay_ms=st.integers(0, 9),
        at_once=st.booleans(),
    )
    def settle(self, group: list[tuple[Claim, OutcomeKind]], delay_ms: int, at_once: bool) -> None:
        """Claims of any age, some twice in one call."""
        outcomes = [
            Outcome(claim, kind, delay_ms=None if kind == "release" and at_once else delay_ms, error="e" * delay_ms)
            for claim, kind in group
        ]
        self.given_back |= {o.claim.id for o in outcomes if o.kind == "release" and self.model.holds(o.claim)}
        assert self.store.settle(outcomes) == [self.model.settle(outcome) for outcome in outcomes]

    @rule(claim=consumes(claims), kind=st.sampled_from(["ack", "retry", "dead", "release"]))
    def settle_with_a_forged_token(self, claim: Claim, kind: OutcomeKind) -> None:
        forged = [claim._replace(token=token) for token in ("", "t", claim.token[:-1])]
        assert self.store.settle([Outcome(c, kind, delay_ms=0) for c in forged]) == [False] * 3
        assert self.store.renew(forged, 99) == forged

    @rule(group=st.lists(claims, min_size=1, max_size=4), lock_ms=LOCKS)
    def renew(self, group: list[Claim], lock_ms: int) -> None:
        assert sorted(self.store.renew(group, lock_ms)) == sorted(self.model.renew(group, lock_ms))

    @rule(limit=st.integers(1, 4))
    def reap(self, limit: int) -> None:
        reaped = self.store.reap(limit)
        assert reaped[:2] == self.model.reap(limit)
        locks = [e.score for e in self.model.of_status("processing")]
        assert reaped.wait_ms == (max(0, min(locks) - self.ticks.now) if locks else None)

    @rule(ms=st.integers(0, 25))
    def advance(self, ms: int) -> None:
        self.ticks.now += ms
        self.model.now = self.ticks.now

    # ------------------------------------------------------------------------------------------------------- changing

    @rule(id=accepted, due_in=st.none() | MOMENTS, now=st.booleans(), priority=st.none() | PRIORITIES)
    def update(self, id: str, due_in: int | None, now: bool, priority: Priority | None) -> None:
        due_at = None if due_in is None else 0 if now else self.ticks.now + due_in
        changes = Changes(due_at=due_at, priority=priority, payload=None if now else '"new"')
        if id in self.forgotten:
            with pytest.raises(NotFound):
                self.store.update(id, changes)
        elif self.model.update(id, changes):
            self.store.update(id, changes)
        else:
            with pytest.raises(Conflict):
                self.store.update(id, changes)

    @rule(id=accepted, verb=st.sampled_from(["cancel", "redrive"]))
    def cancel_or_redrive(self, id: str, verb: str) -> None:
        run = getattr(self.store, verb)
        if id in self.forgotten:
            with pytest.raises(NotFound):
                run(id)
        elif getattr(self.model, verb)(id):
            run(id)
            self.given_back.add(id)
        else:
            with pytest.raises(Conflict):
                run(id)

    @rule(id=accepted)
    def cancel_matching(self, id: str) -> None:
        one = self.model.entries.get(id)
        if one is not None:
            twins = [
                e.id
                for e in self.model.of_status("scheduled")
                if (e.score, e.payload, e.channel) == (one.due_at, one.payload, one.channel)
            ]
            cancelled = self.store.cancel_matching(one.due_at, one.payload, channel=one.channel)
            assert sorted(cancelled) == sorted(twins)
            for twin in twins:
                self.model.cancel(twin)

    @rule(limit=st.integers(0, 5), channel=st.none() | CHANNELS, dry_run=st.booleans())
    def redrive_many(self, limit: int, channel: str | None, dry_run: bool) -> None:
        chosen = self.model.redrive_many(limit, channel, dry_run)
        assert self.store.redrive_many(limit=limit, channel=channel, dry_run=dry_run) == len(chosen)
        self.given_back |= set(chosen)

    @rule(
        which=st.sampled_from(["done", "dead"]),
        limits=st.builds(Limits, st.integers(0, 6), st.integers(0, 60), st.sampled_from([0, 400, 10**9])),
        limit=st.integers(1, 5),
    )
    def trim(self, which: Literal["done", "dead"], limits: Limits, limit: int) -> None:
        before = set(self.model.entries)
        weights = {id: int(fields.get("z", 0)) for id, fields in self.hashes.items()}
        forgotten = self.model.trim(which, limits, limit, weights.__getitem__)
        assert self.store.trim(which, limits, limit) == forgotten
        self.forgotten |= before - set(self.model.entries)

    @rule(paused=st.booleans())
    def pause_or_resume(self, paused: bool) -> None:
        (self.store.pause if paused else self.store.resume)()
        self.model.paused = paused

    @rule()
    def redis_forgets_its_scripts(self) -> None:
        self.client.script_flush()

    # -------------------------------------------------------------------------------------------------------- reading

    @rule(id=accepted)
    def get(self, id: str) -> None:
        if id in self.forgotten:
            with pytest.raises(NotFound):
                self.store.get(id)
            return
        found, entry = self.store.get(id), self.model.entries[id]
        assert (found.status, found.attempt, found.priority) == (entry.status, entry.attempt, entry.priority)
        assert (found.due_at, found.payload, found.channel) == (entry.due_at, entry.payload, entry.channel)
        assert [attempt["outcome"] for attempt in found.attempts or []] == entry.evidence

    @rule(limit=st.integers(1, 7), status=st.none() | st.sampled_from(Status), channel=st.none() | CHANNELS)
    def list_all(self, limit: int, status: Status | None, channel: str | None) -> None:
        found: list[str] = []
        cursor: str | None = None
        while True:
            page = self.store.page(status=status, channel=channel, limit=limit, cursor=cursor)
            found += [m.id for m in page.messages]
            cursor = page.next_cursor
            if cursor is None:
                break
        sections = [("processing",), ("scheduled",), ("dead",), ("delivered", "cancelled")]
        expected = [
            e.id
            for n, names in enumerate(sections)
            for e in self.model.of_status(*names)[:: -1 if n > 1 else 1]
            if status in (None, e.status) and channel in (None, e.channel)
        ]
        assert found == expected

    # ------------------------------------------------------------------------------------------------------ invariants

    @invariant()
    def everything_is_in_its_place(self) -> None:
        sets, self.hashes = self.read()
        self.every_key_is_as_the_model_says(sets)
        self.counts_add_up()

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
            assert attempt >= self.attempts.get(id, 0) or id in self.given_back, "only release and redrive give back"
            self.attempts[id] = attempt
        self.given_back.clear()

    def counts_add_up(self) -> None:
        counts = self.store.counts()
        model = self.model
        for priority in Priority:
            assert counts.scheduled[priority] == sum(e.priority == priority for e in model.of_status("scheduled"))
        assert (counts.due, counts.processing) == (len(model.due()), len(model.of_status("processing")))
        finished = model.of_status("delivered", "cancelled")
        assert (counts.dead, counts.finished) == (len(model.of_status("dead")), len(finished))
        assert counts.finished_bytes == sum(int(self.hashes[e.id]["z"]) for e in finished)
        assert counts.paused == model.paused
        moments = [e.score for e in model.of_status("scheduled")]
        assert counts.oldest_due_at == min((m for m in moments if m <= self.ticks.now), default=None)
        assert counts.next_due_at == min((m for m in moments if m > self.ticks.now), default=None)

        dead_bytes = sum(int(self.client.hget(keys["meta"], "dead_bytes") or 0) for keys in self.store.partitions)
        assert dead_bytes == sum(int(self.hashes[e.id]["z"]) for e in model.of_status("dead"))

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
        assert [key for key in existing if key not in known and ":idem:" not in key and not key.endswith(":meta")] == []
        hashes = dict(zip(ids.values(), values[len(keys) :], strict=True))
        return sets, {id: fields for id, fields in hashes.items() if fields}


@pytest.mark.timeout(0 if NIGHTLY else 300)
def test_any_sequence_of_verbs(redis_client: redis.Redis) -> None:
    run_state_machine_as_test(
        lambda: StoreMachine(redis_client),  # type: ignore[arg-type]  # any factory will do
        settings=settings(
            max_examples=10_000 if NIGHTLY else 150,
            stateful_step_count=50 if NIGHTLY else 30,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
