"""The scheduler thread: what it claims, how long it sleeps, what wakes it, what it does while Redis is away."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from itertools import chain
from typing import Any
from unittest.mock import Mock

import pytest

from scheduler.channels.base import Report
from scheduler.clock import RedisTime
from scheduler.delivery.dispatcher import Dispatcher
from scheduler.logs.sinks import adapt
from scheduler.message import Claim, Outcome, Priority, Status
from tests.support.clock import FakeClock
from tests.support.delivery import DoingChannel, FlakyStore, HeldChannel, Pool, acking
from tests.support.store import wanted
from tests.support.waiting import wait_for


class Bench:
    """A dispatcher with its workers over a store, on the test's clock."""

    def __init__(self, clock: FakeClock, channel: Any, poll: float, threads: int, partitions: int) -> None:
        self.clock = clock
        self.channel = channel
        self.store = FlakyStore(clock, partitions=partitions)
        self.pool = Pool(self.store, clock, channel, threads=threads)
        self.log = self.pool.log
        self.redis_time = RedisTime(clock)
        self.dispatcher = Dispatcher(
            self.store,
            self.pool.workers,
            owner="me",
            batch_size=100,
            lock_seconds=5,
            poll_seconds=poll,
            clock=clock,
            redis_time=self.redis_time,
            log=adapt(self.log),
        )

    def in_seconds(self, seconds: float, **fields: Any) -> str:
        """The id of a message due so much later."""
        return self.store.add(due_at=self.clock.now_ms() + round(seconds * 1000), **fields)[0]

    def asleep(self, waits: int) -> float:
        """Block until the scheduler thread has gone to sleep for the ``waits``-th time: the seconds it asked for."""
        with self.clock._changed:
            asleep = self.clock._changed.wait_for(lambda: len(self.clock.waits) >= waits, 30)
        assert asleep, f"asleep {len(self.clock.waits)} times of {waits}: {self.clock.waits}"
        return self.clock.waits[waits - 1]

    def status(self, id: str) -> Status:
        return self.store.message(id).status


MakeBench = Callable[..., Bench]


@pytest.fixture
def bench(clock: FakeClock) -> Iterator[MakeBench]:
    made: list[Bench] = []

    def make(channel: Any = None, *, poll: float = 1.0, threads: int = 10, partitions: int = 1) -> Bench:
        made.append(Bench(clock, channel or acking(), poll, threads, partitions))
        return made[-1]

    yield make
    for each in made:
        each.dispatcher.stop()
        if isinstance(each.channel, HeldChannel):
            each.channel.let_go()
        each.pool.close()


# -- one step ----------------------------------------------------------------------------------------------------------


def test_batches_of_a_hundred(bench: MakeBench) -> None:
    sizes: list[int] = []

    def note(claims: Sequence[Claim], report: Report) -> None:
        sizes.append(len(claims))
        report([Outcome(claim, "ack") for claim in claims])

    b = bench(DoingChannel(note, max_slice=1000))
    b.store.add(250)
    waits = []
    for _ in range(3):
        waits.append(b.dispatcher.tick())
        b.pool.idle()
    assert sorted(sizes) == [50, 100, 100]
    assert waits == [0, 0, 1.0]


def test_the_next_batch_is_claimed_while_the_last_one_runs(bench: MakeBench) -> None:
    b = bench(HeldChannel(max_slice=100))
    b.store.add(300)
    b.dispatcher.tick()
    b.channel.wait_begun(100)
    b.dispatcher.tick()
    b.channel.wait_begun(200)
    assert len(b.pool.workers.in_flight) == 200


def test_a_full_house_claims_nothing_more(bench: MakeBench) -> None:
    b = bench(HeldChannel(max_slice=100))
    b.store.add(300)
    for _ in range(5):
        b.dispatcher.tick()
    assert b.store.calls.count("claim") == 2
    assert b.store.counts().processing == 200


def test_what_was_delivered_and_is_not_recorded_yet_takes_room(bench: MakeBench) -> None:
    """A crash repeats three batches at most: a thread that hands its outcomes to another one does not make room."""
    b = bench(DoingChannel(lambda claims, report: report([Outcome(c, "ack") for c in claims]), max_slice=100))
    b.store.add(400)
    settles, go_on = threading.Event(), threading.Event()

    def hold(verb: str) -> None:
        if verb == "settle":
            settles.set()
            assert go_on.wait(30)

    b.store.before = hold
    b.dispatcher.tick()
    assert settles.wait(30)
    for _ in range(2):
        b.dispatcher.tick()
        wait_for("the next batch was handed over", lambda: len(b.pool.workers._slices) == 1)
    b.dispatcher.tick()
    assert b.store.calls.count("claim") == 3
    go_on.set()
    b.pool.idle()
    b.dispatcher.tick()
    b.pool.idle()
    assert b.store.counts().finished == 400


def test_a_poll_that_finds_nothing_is_no_span(bench: MakeBench, monkeypatch: pytest.MonkeyPatch) -> None:
    tracing = Mock()
    b = bench()
    monkeypatch.setattr(b.dispatcher, "_tracing", tracing)
    b.dispatcher.tick()
    tracing.claimed.assert_not_called()
    ids = b.store.add(2)
    b.dispatcher.tick()
    [((claims, seconds), _)] = tracing.claimed.call_args_list
    assert [claim.id for claim in claims] == ids
    assert seconds >= 0


def test_what_takes_long_after_the_claim_shortens_the_sleep(
    bench: MakeBench, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    b = bench()
    b.store.add()
    b.in_seconds(0.2)
    submit = b.pool.workers.submit

    def slowly(claims: Sequence[Claim]) -> None:
        submit(claims)
        clock.advance(0.05)

    monkeypatch.setattr(b.pool.workers, "submit", slowly)
    assert b.dispatcher.tick() == pytest.approx(0.15)


def test_it_sleeps_exactly_until_the_next_moment(bench: MakeBench) -> None:
    b = bench(poll=60)
    b.in_seconds(2.345)
    assert b.dispatcher.tick() == pytest.approx(2.345)
    b.in_seconds(0.017)
    assert b.dispatcher.tick() == pytest.approx(0.017)


@pytest.mark.parametrize("partitions", [1, 3])
def test_the_way_of_an_answer_does_not_make_the_next_message_late(
    bench: MakeBench, clock: FakeClock, monkeypatch: pytest.MonkeyPatch, partitions: int
) -> None:
    b = bench(partitions=partitions)
    b.in_seconds(0.9)
    call = b.store.call

    def answers_late(*args: Any, **arguments: Any) -> Any:
        answer = call(*args, **arguments)
        clock.advance(0.1)
        return answer

    monkeypatch.setattr(b.store, "call", answers_late)
    assert b.dispatcher.tick() == pytest.approx(0.9 - 0.1 * partitions)


@pytest.mark.parametrize("seconds", [None, 3600])
def test_it_looks_again_after_the_poll_interval_at_the_latest(bench: MakeBench, seconds: float | None) -> None:
    b = bench(poll=1.5)
    if seconds:
        b.in_seconds(seconds)
    assert b.dispatcher.tick() == 1.5


def test_never_early_not_by_one_millisecond(bench: MakeBench, clock: FakeClock) -> None:
    b = bench(poll=60)
    id = b.in_seconds(10)
    clock.advance(9.999)
    assert b.dispatcher.tick() == pytest.approx(0.001)
    assert b.status(id) is Status.SCHEDULED
    clock.advance(0.001)
    b.dispatcher.tick()
    b.pool.idle()
    assert b.status(id) is Status.DELIVERED


def test_it_carries_on_redis_clock(bench: MakeBench, clock: FakeClock) -> None:
    b = bench()
    b.store._now_ms = lambda: clock.now_ms() - 3_600_000  # Redis's clock is an hour behind this machine's
    b.dispatcher.tick()
    assert b.redis_time.now_ms() == clock.now_ms() - 3_600_000


def test_a_paused_service_claims_nothing(bench: MakeBench) -> None:
    b = bench()
    [id] = b.store.add()
    b.store.pause()
    assert b.dispatcher.tick() == 1.0
    assert b.status(id) is Status.SCHEDULED
    b.store.resume()
    b.dispatcher.tick()
    b.pool.idle()
    assert b.status(id) is Status.DELIVERED


def test_slow_work_is_left_to_other_servers(bench: MakeBench) -> None:
    """No more is claimed than can begin at once: the backlog waits in Redis, where another server can take it."""
    b = bench(HeldChannel(max_slice=1), threads=2)
    ids = b.store.add(20)
    for _ in range(3):
        b.dispatcher.tick()
    b.channel.wait_begun(2)
    elsewhere = b.store.claim_all("elsewhere")
    assert {claim.id for claim in elsewhere} == set(ids) - set(b.channel.begun)
    assert {claim.attempt for claim in elsewhere} == {1}
    claims_before = b.store.calls.count("claim")
    b.store.add(5)
    assert b.dispatcher.tick() == 1.0
    assert b.store.calls.count("claim") == claims_before
    b.channel.let_go()
    b.pool.idle()


def test_priorities_are_strict_from_the_first_claim_on(bench: MakeBench) -> None:
    """One worker: what a first batch took beyond the first message ran before what was more urgent."""
    b = bench(DoingChannel(lambda claims, report: report([Outcome(c, "ack") for c in claims]), 1, slow=True), threads=1)
    ids: dict[Priority, list[str]] = {priority: [] for priority in Priority}
    for priority in (Priority.HIGH, Priority.LOW, Priority.NORMAL, Priority.HIGH, Priority.LOW):
        ids[priority] += b.store.add(priority=priority)
    order: list[str] = []
    for _ in range(5):
        b.dispatcher.tick()
        b.pool.idle()
        order += [id for id in chain(*ids.values()) if b.status(id) is Status.DELIVERED and id not in order]
    assert order == [*ids[Priority.HIGH], *ids[Priority.NORMAL], *ids[Priority.LOW]]


# -- an answer that took long ------------------------------------------------------------------------------------------


def late(b: Bench, seconds: float, meanwhile: Callable[[], None] = lambda: None) -> None:
    """The answer to the next claim arrives so much later."""
    claim = b.store.claim

    def answer_late(*call: Any) -> Any:
        claimed = claim(*call)
        b.clock.advance(seconds)
        meanwhile()
        return claimed

    b.store.claim = answer_late  # type: ignore[method-assign, assignment]


def test_claims_that_arrive_late_get_the_whole_life_of_a_lock(bench: MakeBench, clock: FakeClock) -> None:
    b = bench(HeldChannel())
    [id] = b.store.add()
    late(b, 4.9)
    b.dispatcher.tick()
    b.channel.wait_begun(1)
    clock.advance(4.9)
    assert b.store.reap(10).scheduled == 0
    assert b.status(id) is Status.PROCESSING


def test_claims_whose_locks_expired_on_the_way_are_not_delivered_a_second_time(bench: MakeBench) -> None:
    b = bench()
    [id] = b.store.add()

    def deliver_elsewhere() -> None:
        b.store.reap(10)
        b.store.settle(
            [Outcome(claim, "ack") for claim in FlakyStore.claim(b.store, wanted(10), 10, 5000, "other").claims]
        )

    late(b, 5.1, deliver_elsewhere)
    b.dispatcher.tick()
    b.pool.idle()
    assert not b.log.count("ack id=")
    assert b.status(id) is Status.DELIVERED


def test_claims_that_arrive_late_and_cannot_be_renewed_are_left_to_expire(bench: MakeBench) -> None:
    b = bench()
    [id] = b.store.add()
    late(b, 2, lambda: setattr(b.store, "away", True))
    b.dispatcher.tick()
    b.pool.idle()
    assert not b.log.count("ack id=")
    assert b.log.count("1 claimed messages are left to expire: Redis answered late") == 1
    b.store.away = False
    assert b.status(id) is Status.PROCESSING


# -- Redis away --------------------------------------------------------------------------------------------------------


def test_while_redis_is_away_health_sees_it_and_delivery_comes_back_by_itself(
    bench: MakeBench, clock: FakeClock
) -> None:
    b = bench()
    [id] = b.store.add()
    b.store.away = True
    for _ in range(8):
        clock.advance(b.dispatcher.tick())
    assert b.dispatcher.progress_age() == 2.0
    assert b.log.errors == ["cannot claim, trying on: Redis does not answer: connection refused"]
    b.store.away = False
    b.dispatcher.tick()
    b.pool.idle()
    assert b.dispatcher.progress_age() == 0
    assert b.status(id) is Status.DELIVERED
    assert b.log.count("Redis answers again, after") == 1


def test_every_outage_is_mentioned_once(bench: MakeBench) -> None:
    b = bench()
    for away in (True, True, False, False, True):
        b.store.away = away
        b.dispatcher.tick()
    assert b.log.count("cannot claim") == 2
    assert b.log.count("answers again") == 1


def test_while_one_partition_is_away_the_others_messages_are_delivered(bench: MakeBench) -> None:
    b = bench(partitions=2)
    b.store.away_partitions = {0}
    [id] = b.store.add(partition=1)
    for _ in range(3):
        assert b.dispatcher.tick() == 0.25
    b.pool.idle()
    assert b.status(id) is Status.DELIVERED
    assert b.log.errors == ["cannot claim, trying on: Redis does not answer: this node is away"]
    b.store.away_partitions = set()
    assert b.dispatcher.tick() == 1.0
    assert b.log.count("Redis answers again, after") == 1


# -- the thread --------------------------------------------------------------------------------------------------------


def test_the_thread_delivers_on_the_moment_it_slept_for(bench: MakeBench, clock: FakeClock) -> None:
    b = bench(poll=60)
    id = b.in_seconds(10)
    b.dispatcher.start()
    assert b.asleep(1) == pytest.approx(10)
    clock.advance(10)
    b.log.wait_for(f"ack id={id}")
    assert b.store.message(id).started_at == b.store.message(id).due_at


def test_a_message_earlier_than_the_one_slept_for_is_on_time_when_it_is_announced(
    bench: MakeBench, clock: FakeClock
) -> None:
    b = bench(poll=60)
    late = b.in_seconds(30)
    b.dispatcher.start()
    assert b.asleep(1) == pytest.approx(30)
    early = b.in_seconds(2)
    b.dispatcher.wake()
    assert b.asleep(2) == pytest.approx(2)
    clock.advance(2)
    b.log.wait_for(f"ack id={early}")
    assert b.status(late) is Status.SCHEDULED


def test_a_lost_announcement_costs_one_poll_interval(bench: MakeBench, clock: FakeClock) -> None:
    b = bench(poll=1.0)
    b.in_seconds(30)
    b.dispatcher.start()
    b.asleep(1)
    id = b.in_seconds(0.2)
    clock.advance(0.999)
    assert b.status(id) is Status.SCHEDULED
    clock.advance(0.001)
    b.log.wait_for(f"ack id={id}")


def test_an_announcement_during_a_step_is_not_lost(bench: MakeBench) -> None:
    """The message comes after the claim script ran and before the thread sleeps."""
    b = bench(poll=60)
    ids: list[str] = []
    tick = b.dispatcher.tick

    def tick_and_schedule() -> float:
        seconds = tick()
        if not ids:
            ids.extend(b.store.add())
            b.dispatcher.wake()
        return seconds

    b.dispatcher.tick = tick_and_schedule  # type: ignore[method-assign]
    b.dispatcher.start()
    b.log.wait_for("ack id=")
    assert b.log.count(f"ack id={ids[0]}") == 1


def test_a_worker_that_becomes_free_wakes_it(clock: FakeClock, bench: MakeBench) -> None:
    channel = HeldChannel(max_slice=100)
    b = bench(channel, poll=3600)
    b.pool.workers._freed = b.dispatcher.wake
    b.store.add(400)
    b.dispatcher.start()
    b.channel.wait_begun(200)
    b.channel.let_go()
    b.log.wait_for("ack id=", count=400)


def test_a_defect_in_one_step_is_logged_and_the_next_one_runs(bench: MakeBench, clock: FakeClock) -> None:
    b = bench(poll=1.0)
    b.store.broken = TypeError("a defect")
    b.dispatcher.start()
    b.log.wait_for("the scheduler's step failed: a defect")
    b.asleep(1)
    b.store.broken = None
    [id] = b.store.add()
    assert b.dispatcher.progress_age() == 0
    clock.advance(1)
    b.log.wait_for(f"ack id={id}")


def test_after_a_stop_nothing_more_is_claimed(bench: MakeBench) -> None:
    b = bench(poll=3600)
    b.dispatcher.start()
    b.asleep(1)
    b.dispatcher.stop()
    [id] = b.store.add()
    b.dispatcher.wake()
    assert not any(thread.name == "scheduler" for thread in threading.enumerate())
    assert b.status(id) is Status.SCHEDULED
