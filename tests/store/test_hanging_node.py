"""A node of a cluster that hangs: one time limit, not one per partition and verb, and the other nodes go on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest
import redis
from redis import exceptions

from scheduler.errors import StoreUnavailable
from scheduler.message import Claim, IdGenerator, Outcome
from scheduler.store import Limits, MessageStore
from scheduler.store.silence import ASK_AGAIN_SECONDS
from tests.store.test_unavailable import HELD
from tests.support.clock import FakeClock
from tests.support.store import NOW, Ticks, message, take

PARTITIONS = 6
LIMIT = 5.0
"""The time limit of a call, seconds."""


class Hanging:
    """A client of a cluster with two nodes: those of odd partitions hang when told to."""

    def __init__(self, client: redis.Redis, clock: FakeClock) -> None:
        self._client = client
        self._clock = clock
        self.error: Exception | None = exceptions.TimeoutError("Timeout reading from socket")
        self.waited = 0
        self.others_take = 0.0
        """Seconds for a call to another node."""

    def execute_command(self, *args: Any, **options: Any) -> Any:
        if self.error and any(f"{{{partition}}}" in str(arg) for arg in args for partition in (1, 3, 5)):
            self.waited += 1
            self._clock.advance(LIMIT)
            raise self.error
        self._clock.advance(self.others_take)
        return self._client.execute_command(*args, **options)  # type: ignore[no-untyped-call]


class Clustered(MessageStore):
    """Partitions on two nodes in turn."""

    def _node_of(self, partition: int) -> str | None:
        return f"node-{partition % 2}"


class Bench:
    def __init__(self, client: redis.Redis, clock: FakeClock) -> None:
        self.clock = clock
        self.ticks = Ticks()
        self.node = Hanging(client, clock)
        options: dict[str, Any] = {
            "new_id": IdGenerator(clock.now_ms),
            "partitions": PARTITIONS,
            "now_ms": self.ticks,
            "monotonic": clock.monotonic,
        }
        self.whole = Clustered(client, **options)
        self.store = Clustered(self.node, **options)  # type: ignore[arg-type]
        self.whole.schedule([message(f"id{n:02}") for n in range(60)])
        self.there = {f"id{n:02}" for n in range(60) if self.whole.partition_of(f"id{n:02}") % 2 == 0}

    def claims(self, store: MessageStore) -> Sequence[Claim]:
        return take(store, 100, 1000).claims


@pytest.fixture
def bench(redis_client: redis.Redis, clock: FakeClock) -> Bench:
    return Bench(redis_client, clock)


VERBS: dict[str, Callable[[Bench], object]] = {
    "claim": lambda b: take(b.store, 100, 1000),
    "renew": lambda b: b.store.renew([HELD._replace(partition=n) for n in range(PARTITIONS)], 1000),
    "reap": lambda b: b.store.reap(100),
    "trim": lambda b: b.store.trim("done", Limits(0, 0, 0), 10),
    "counts": lambda b: b.store.counts(),
}


@pytest.mark.parametrize("verb", VERBS)
def test_a_round_waits_once_for_a_node_that_hangs(bench: Bench, verb: str) -> None:
    bench.node.others_take = ASK_AGAIN_SECONDS
    for error in (exceptions.TimeoutError("slow"), exceptions.ConnectionError("refused")):
        bench.node.error, bench.node.waited = error, 0
        try:
            VERBS[verb](bench)
        except StoreUnavailable:
            assert verb in ("renew", "trim")
        hangs = isinstance(error, exceptions.TimeoutError)
        assert bench.node.waited == (1 if hangs else 3), "one that refuses at once costs nothing"
        bench.store.silence.answered(1)


def test_claims_do_not_wait_for_it_again_and_reaping_finds_out_that_it_is_back(bench: Bench) -> None:
    claimed = take(bench.store, 100, 1000)
    assert {claim.id for claim in claimed.claims} == bench.there
    assert claimed.error is not None
    bench.clock.advance(ASK_AGAIN_SECONDS * 9)
    for _ in range(9):
        claimed = take(bench.store, 100, 1000)
        assert "node-1 of the cluster did not answer in time" in str(claimed.error)
    assert bench.node.waited == 1
    bench.store.reap(100)
    assert bench.node.waited == 2
    bench.node.error = None
    assert bench.claims(bench.store) == []
    bench.clock.advance(ASK_AGAIN_SECONDS)
    bench.store.reap(100)
    assert len(bench.claims(bench.store)) == 60 - len(bench.there)


def test_the_others_are_reaped_each_in_its_own_time(bench: Bench) -> None:
    """The moment after which a reap does nothing was set before the first partition: after one time limit all later
    ones were "late", and never reaped.
    """
    bench.claims(bench.whole)
    bench.ticks.now += 2000

    def not_after() -> int:
        return round(NOW + 2000 + bench.clock.monotonic() * 1000)

    base = round(bench.clock.monotonic() * 1000)
    reaped = bench.store.reap(100, lambda: not_after() - base)
    assert reaped.scheduled == len(bench.there)
    assert reaped.away == {1, 3, 5}
    assert reaped.error is not None


def test_what_is_held_is_asked_and_not_reaped(bench: Bench) -> None:
    bench.node.error = None
    bench.claims(bench.store)
    bench.ticks.now += 2000
    assert bench.store.reap(100, held=range(PARTITIONS)).scheduled == 0
    assert bench.store.reap(100, held=[1, 3, 5]).scheduled == len(bench.there)
    assert bench.store.reap(100).scheduled == 60 - len(bench.there)


def test_callers_are_refused_at_once_and_one_a_second_asks(bench: Bench) -> None:
    absent = next(f"id{n:02}" for n in range(60) if f"id{n:02}" not in bench.there)
    verbs: list[Callable[[], object]] = [
        lambda: bench.store.schedule([message(absent)]),
        lambda: bench.store.get(absent),
        lambda: bench.store.cancel(absent),
    ]
    for _ in range(3):
        for verb in verbs * 5:
            with pytest.raises(StoreUnavailable):
                verb()
        bench.clock.advance(ASK_AGAIN_SECONDS)
    assert bench.node.waited == 3
    bench.node.error = None
    assert bench.store.cancel(absent).id == absent


def test_counts_say_what_they_leave_out(bench: Bench) -> None:
    counts = bench.store.counts()
    assert (counts.due, counts.partitions_away) == (len(bench.there), 3)
    bench.node.error = None
    bench.clock.advance(ASK_AGAIN_SECONDS)
    assert (bench.store.counts().due, bench.store.counts().partitions_away) == (60, 0)


def test_outcomes_for_it_do_not_hold_up_the_others(bench: Bench) -> None:
    claims = bench.claims(bench.whole)
    mine = [claim for claim in claims if claim.partition == 1]
    for _ in range(5):
        with pytest.raises(StoreUnavailable):
            bench.store.settle([Outcome(claim, "ack") for claim in mine])
    assert bench.node.waited == 1


@pytest.mark.parametrize(
    ("first", "last", "told"),
    [(6000, 3000, (6000, 0)), (9000, 3000, (3000, 5000))],
    ids=["the message of the first partition", "that of the last one"],
)
def test_the_wait_counts_from_when_the_partition_of_that_message_was_asked(
    bench: Bench, first: int, last: int, told: tuple[int, int]
) -> None:
    bench.node.error = None
    bench.claims(bench.whole)
    later = {1: first, 0: last}
    ids = {
        partition: next(f"n{n}" for n in range(99) if bench.whole.partition_of(f"n{n}") == partition)
        for partition in later
    }
    bench.whole.schedule([message(ids[partition], NOW + ms) for partition, ms in later.items()])
    bench.node.others_take = 1.0
    claimed = take(bench.store, 100, 1000)
    assert (claimed.wait_ms, claimed.asked_ms) == told, "each of six partitions took a second, the first is asked at 0"
