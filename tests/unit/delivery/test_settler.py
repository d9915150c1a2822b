"""Outcomes to the store: in groups, again and again while Redis is away, refused when the lock is lost."""

from __future__ import annotations

import threading
from collections.abc import Sequence

import pytest

from scheduler.delivery.settler import GROUP, Settler
from scheduler.logs.sinks import adapt
from scheduler.message import Claim, Outcome, Status
from scheduler.telemetry.figures import Telemetry
from tests.support.clock import FakeClock
from tests.support.delivery import LOCK_MS, FlakyStore
from tests.support.logger import RecordingLogger
from tests.support.store import take
from tests.support.waiting import wait_for


class Bench:
    """A settler over a store, and what it says."""

    def __init__(self, clock: FakeClock, partitions: int = 1) -> None:
        self.clock = clock
        self.store = FlakyStore(clock, partitions=partitions)
        self.log = RecordingLogger()
        self.telemetry = Telemetry(clock)
        self.settled: list[Outcome] = []
        self.waiting: set[str] = set()
        self.through = threading.Event()
        self.settler = Settler(self.store, clock, adapt(self.log), self.telemetry, self._settled, waits=self._waits)

    def _settled(self, outcomes: Sequence[Outcome]) -> None:
        self.settled += outcomes
        self.through.set()

    def _waits(self, outcomes: Sequence[Outcome]) -> None:
        self.waiting.update(outcome.claim.id for outcome in outcomes)

    def claims(self, count: int, partition: int = 0) -> list[Claim]:
        self.store.add(count, partition=partition)
        return take(self.store, count, LOCK_MS, "me").claims

    def settles(self) -> int:
        """How many settle scripts ran."""
        return self.store.calls.count("settle")

    def add_in_thread(self, outcomes: Sequence[Outcome]) -> threading.Thread:
        thread = threading.Thread(target=self.settler.add, args=(outcomes,), daemon=True)
        thread.start()
        return thread


@pytest.fixture
def bench(clock: FakeClock) -> Bench:
    return Bench(clock)


def acks(claims: Sequence[Claim]) -> list[Outcome]:
    return [Outcome(claim, "ack") for claim in claims]


def test_a_lone_outcome_is_settled_at_once(bench: Bench) -> None:
    [claim] = bench.claims(1)
    bench.settler.add(acks([claim]))
    assert bench.store.message(claim.id).status is Status.DELIVERED
    assert bench.settled == acks([claim])


def test_what_piles_up_during_one_round_trip_goes_out_in_the_next(bench: Bench) -> None:
    """One call for the first, one for the 40 others together, whoever reported them."""
    claims = bench.claims(41)
    reached, go_on = threading.Event(), threading.Event()

    def hold(verb: str) -> None:
        if verb == "settle" and not reached.is_set():
            reached.set()
            assert go_on.wait(30)

    bench.store.before = hold
    first = bench.add_in_thread(acks(claims[:1]))
    assert reached.wait(30)
    for claim in claims[1:]:
        bench.settler.add(acks([claim]))  # returns at once: another thread has them in hand
    go_on.set()
    first.join(15)
    assert bench.settles() == 2
    assert {bench.store.message(claim.id).status for claim in claims} == {Status.DELIVERED}
    assert len(bench.settled) == 41


def test_a_flood_goes_out_in_bounded_groups(bench: Bench) -> None:
    claims = bench.claims(GROUP + 1)
    bench.settler.add(acks(claims))
    assert bench.settles() == 2
    assert len(bench.settled) == GROUP + 1


def test_while_redis_is_away_settling_is_tried_on_and_then_accepted(bench: Bench) -> None:
    [claim] = bench.claims(1)
    bench.store.away = True
    bench.settler.add(acks([claim]))
    for pause in (0.05, 0.1, 0.25, 0.5, 1.0, 1.0):
        bench.clock.wait_for_sleeper()
        assert bench.clock.waits[-1] == pause
        if len(bench.clock.waits) == 6:
            bench.store.away = False
        woken = len(bench.clock.waits)
        bench.clock.advance(pause)
        if woken < 6:
            wait_until_asleep_again(bench.clock, woken + 1)
    assert bench.through.wait(30)
    assert bench.store.message(claim.id).status is Status.DELIVERED
    assert bench.log.errors[0].startswith("cannot settle, trying on: Redis does not answer")
    assert bench.log.errors[1:] == ["Redis answers again, after 2.9 s"]
    assert bench.settled == acks([claim])


def wait_until_asleep_again(clock: FakeClock, waits: int) -> None:
    with clock._changed:
        assert clock._changed.wait_for(lambda: len(clock.waits) >= waits, 10)


def test_who_reports_never_waits_for_a_redis_that_is_away(bench: Bench) -> None:
    """The scheduler thread and the one that stops the service report too."""
    claims = bench.claims(2)
    bench.store.away = True
    for claim in claims:
        adding = bench.add_in_thread(acks([claim]))
        adding.join(15)
        assert not adding.is_alive()
    bench.clock.wait_for_sleeper()
    bench.store.away = False
    bench.clock.advance(0.05)
    assert bench.through.wait(30)
    wait_for("both settled", lambda: len(bench.settled) == 2)


def test_an_outage_longer_than_a_lock_s_life_repeats_nothing_as_long_as_nobody_reaped(bench: Bench) -> None:
    [claim] = bench.claims(1)
    bench.store.away = True
    bench.settler.add(acks([claim]))
    bench.clock.wait_for_sleeper()
    bench.store.away = False
    bench.clock.advance(3 * LOCK_MS / 1000)
    assert bench.through.wait(30)
    assert bench.store.message(claim.id).status is Status.DELIVERED
    assert not bench.log.count("lock lost")


def test_a_stop_ends_the_waiting_for_a_redis_that_is_away(bench: Bench) -> None:
    claims = bench.claims(2)
    bench.store.away = True
    bench.settler.add(acks(claims))
    bench.clock.wait_for_sleeper()
    bench.settler.close()
    assert bench.through.wait(30)
    assert bench.log.count("2 outcomes not settled: their messages run again, with a higher attempt") == 1
    bench.store.away = False
    bench.clock.advance(LOCK_MS / 1000 + 1)
    assert bench.store.reap(10).scheduled == 2


@pytest.mark.parametrize("kind", ["ack", "retry", "dead", "release"])
def test_the_outcome_of_a_stale_owner_is_refused_and_logged_and_changes_nothing(bench: Bench, kind: str) -> None:
    [stale] = bench.claims(1)
    bench.clock.advance(LOCK_MS / 1000 + 1)
    bench.store.reap(10)
    [fresh] = bench.store.claim_all("the next owner")
    before = bench.store.message(stale.id)
    bench.settler.add([Outcome(stale, kind, delay_ms=0)])  # type: ignore[arg-type]
    assert bench.store.message(stale.id) == before
    assert before.status is Status.PROCESSING
    assert bench.log.errors == [
        f"lock lost id={stale.id} channel=test attempt=1: its outcome ({kind}) was not recorded"
    ]
    assert ["scheduler_locks_lost", (), 1] in bench.telemetry.snapshot()["counters"]
    bench.settler.add(acks([fresh]))
    assert bench.store.message(stale.id).status is Status.DELIVERED


def test_those_that_still_hold_their_lock_are_settled_beside_one_that_does_not(bench: Bench) -> None:
    claims = bench.claims(3)
    bench.store.settle([Outcome(claims[1], "release")])
    bench.settler.add(acks(claims))
    assert [bench.store.message(claim.id).status for claim in claims] == [
        Status.DELIVERED,
        Status.SCHEDULED,
        Status.DELIVERED,
    ]
    assert bench.log.count("lock lost") == 1


def test_a_defect_costs_its_group_and_not_the_settling_of_what_follows(bench: Bench) -> None:
    first, second = bench.claims(2)
    bench.store.broken = TypeError("a defect")
    bench.settler.add(acks([first]))
    bench.store.broken = None
    bench.settler.add(acks([second]))
    assert bench.log.count("1 outcomes could not be settled: a defect") == 1
    assert bench.store.message(second.id).status is Status.DELIVERED
    assert len(bench.settled) == 2, "what is not settled must not be renewed for ever"


def test_a_partition_that_is_away_holds_up_no_other(clock: FakeClock) -> None:
    bench = Bench(clock, partitions=2)
    claims = bench.claims(1, partition=0) + bench.claims(2, partition=1)
    bench.store.away_partitions = {0}
    bench.settler.add(acks(claims))
    bench.clock.wait_for_sleeper()
    assert bench.settled == acks(claims[1:])
    assert bench.waiting == {claims[0].id}
    [late] = bench.claims(1, partition=1)
    bench.settler.add(acks([late]))  # returns at once, and goes out with the next try
    assert bench.waiting == {claims[0].id, late.id}, "they take no room from what the others may claim"
    bench.clock.advance(0.05)
    wait_until_asleep_again(bench.clock, 2)
    assert bench.settled == acks([*claims[1:], late])
    bench.store.away_partitions = set()
    bench.clock.advance(0.1)
    wait_for("all settled", lambda: len(bench.settled) == 4)
    assert bench.settled == acks([*claims[1:], late, claims[0]])
    assert {bench.store.message(claim.id).status for claim in claims} == {Status.DELIVERED}
    assert bench.log.count("cannot settle, trying on") == 1
    assert bench.log.count("lock lost") == 0


def test_an_error_in_the_middle_does_not_end_settling_for_good(bench: Bench) -> None:
    first, second = bench.claims(2)
    settled = bench.settler._settled
    bench.settler._settled = _broken
    with pytest.raises(RuntimeError, match="a defect"):
        bench.settler.add(acks([first]))
    bench.settler._settled = settled
    bench.settler.add(acks([second]))
    assert [outcome.claim.id for outcome in bench.settled] == [second.id]


def _broken(_: Sequence[Outcome]) -> None:
    raise RuntimeError("a defect")


def test_an_answer_of_the_wrong_length_is_a_defect_that_holds_nothing(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    claims = bench.claims(2)
    monkeypatch.setattr(bench.store, "settle", lambda outcomes: [True])
    bench.settler.add(acks(claims))
    assert [outcome.claim for outcome in bench.settled] == claims
    assert bench.log.count("2 outcomes could not be settled") == 1
