"""What a stop of the worker pool leaves behind: nothing that is lost, nothing that is delivered twice."""

from __future__ import annotations

import threading

import pytest

from scheduler.message import Outcome, Status
from scheduler.retry import RetryPolicy
from tests.support.clock import FakeClock
from tests.support.delivery import (
    FlakyStore,
    HeldChannel,
    MakePool,
    acking_as,
    failing,
    in_thread,
    submit,
)


def test_a_stop_gives_back_what_waits_and_lets_finish_what_runs(
    store: FlakyStore, clock: FakeClock, pool: MakePool
) -> None:
    channel = HeldChannel()
    p = pool(channel, threads=1)
    first, second = store.add(2)
    submit(store, p)
    channel.wait_begun(1)
    stopping = in_thread(lambda: p.workers.stop(10))
    clock.wait_for_sleeper()
    assert (store.message(second).status, store.message(second).attempt) == (Status.SCHEDULED, 0)
    assert store.message(first).status is Status.PROCESSING
    channel.let_go()
    stopping.join(15)
    assert not stopping.is_alive()
    assert store.message(first).status is Status.DELIVERED
    assert p.log.errors == []
    assert channel.stopped == [10]


def test_what_does_not_finish_within_the_grace_is_charged_and_due_again_at_once(
    store: FlakyStore, clock: FakeClock, pool: MakePool
) -> None:
    channel = HeldChannel()
    p = pool(channel)
    [id] = store.add()
    [claim] = submit(store, p)
    channel.wait_begun(1)
    stopping = in_thread(lambda: p.workers.stop(10))
    clock.wait_for_sleeper()
    clock.advance(10)
    stopping.join(15)
    assert not stopping.is_alive(), "the stop waits for a handler that ignores the grace"
    message = store.message(id)
    assert (message.status, message.attempt, message.due_at) == (Status.SCHEDULED, 1, clock.now_ms())
    assert message.last_error == "the server stopped delivering before it ended"
    assert p.log.count("1 messages did not finish in 10 s and are given back: they run again") == 1
    # The handler that comes back too late changes nothing any more.
    channel.let_go()
    p.log.wait_for(f"lock lost id={id}")
    assert store.message(id).status is Status.SCHEDULED
    assert store.settle([Outcome(claim, "ack")]) == [False]


@pytest.mark.parametrize("last", [1, 3])
def test_a_stop_makes_no_dead_letter_and_the_message_is_tried_once_more_under_a_higher_attempt(
    store: FlakyStore, clock: FakeClock, pool: MakePool, last: int
) -> None:
    """A stop of ours is no failure of the endpoint, also when it ends the last attempt that the message has."""
    [id] = store.add(retry=RetryPolicy(max_attempts=last, base=0, jitter=False))
    for _ in range(last - 1):
        store.settle([Outcome(claim, "retry", delay_ms=0) for claim in store.claim_all()])
    channel = HeldChannel()
    p = pool(channel)
    submit(store, p, [id])
    channel.wait_begun(1)
    p.workers.stop(0)
    message = store.message(id)
    assert (message.status, message.attempt) == (Status.SCHEDULED, last)
    assert message.last_error == "the server stopped delivering before it ended"
    following = pool(failing())
    submit(store, following, [id])
    following.idle()
    message = store.message(id)
    assert (message.status, message.attempt) == (Status.DEAD, last + 1)
    channel.let_go()


def test_a_stop_tells_all_channels_at_once_and_each_has_the_whole_grace(
    store: FlakyStore, clock: FakeClock, pool: MakePool
) -> None:
    """One after the other, a webhook that hangs for the whole grace leaves the jobs nothing."""
    told = {name: threading.Event() for name in ("first", "second")}

    class Patient(HeldChannel):
        def stop(self, grace: float) -> None:
            super().stop(grace)
            told[self.name].set()
            assert all(event.wait(30) for event in told.values()), "the other one was not told"

    channels = [Patient(name=name) for name in told]
    p = pool(*channels)
    p.workers.stop(10)
    assert [channel.stopped for channel in channels] == [[10], [10]]


def test_a_channel_that_fails_to_stop_keeps_no_other_from_stopping(store: FlakyStore, pool: MakePool) -> None:
    class Failing(HeldChannel):
        def stop(self, grace: float) -> None:
            raise RuntimeError("a defect")

    good = HeldChannel(name="good")
    p = pool(Failing(name="bad"), good)
    p.workers.stop(0)
    assert good.stopped == [0]
    assert p.log.count("channel bad could not be stopped: a defect") == 1


def test_a_stop_while_redis_is_away_comes_to_an_end_whatever_waits_runs_or_was_released(
    store: FlakyStore, clock: FakeClock, pool: MakePool
) -> None:
    """Giving back what waits must not wait for Redis: nothing but the rest of the stop would end that."""
    channel = HeldChannel()
    p = pool(channel, threads=2)
    store.add(6)
    submit(store, p)
    channel.wait_begun(2)
    store.away = True
    releasing = in_thread(p.workers.release_waiting)  # as the scheduler thread does
    releasing.join(15)
    assert not releasing.is_alive(), "the scheduler thread waits for Redis"
    stopping = in_thread(lambda: p.workers.stop(0))
    stopping.join(15)
    assert not stopping.is_alive(), "the stop waits for Redis"
    assert p.log.count("outcomes not settled: their messages run again, with a higher attempt")


def test_a_stop_does_not_wait_for_a_handler_whose_lock_is_lost(
    store: FlakyStore, clock: FakeClock, pool: MakePool
) -> None:
    channel = HeldChannel()
    p = pool(channel)
    store.add()
    claims = submit(store, p)
    channel.wait_begun(1)
    p.workers.in_flight.remove(claims)  # as the renewer does when a renewal was refused twice
    stopping = in_thread(lambda: p.workers.stop(0))
    stopping.join(15)
    assert not stopping.is_alive()


def test_a_stop_returns_only_when_what_it_released_is_settled(
    store: FlakyStore, clock: FakeClock, pool: MakePool
) -> None:
    """Redis is closed after it: a settling that another thread has in hand must be through by then."""
    held, reached, go_on = HeldChannel(), threading.Event(), threading.Event()
    p = pool(held, acking_as("quick"))
    [slow] = store.add()
    submit(store, p)
    held.wait_begun(1)
    store.add(channel="quick")

    def hold(verb: str) -> None:
        if verb == "settle" and not reached.is_set():
            reached.set()
            assert go_on.wait(30)

    store.before = hold
    submit(store, p)
    assert reached.wait(30)
    stopping = in_thread(lambda: p.workers.stop(0))
    clock.wait_for_sleeper()
    go_on.set()
    stopping.join(15)
    assert not stopping.is_alive()
    assert store.message(slow).status is Status.SCHEDULED
    assert len(p.workers.in_flight) == 0
