"""Locks are renewed while their messages are delivered, and one that was lost is given up."""

from __future__ import annotations

import pytest

from scheduler.delivery.in_flight import InFlight
from scheduler.delivery.renewal import Renewer, renewal, renewal_timeout
from scheduler.errors import StoreUnavailable
from scheduler.logs.sinks import adapt
from scheduler.message import Claim, Outcome
from scheduler.telemetry.figures import Telemetry
from tests.support.clock import FakeClock
from tests.support.delivery import LOCK_MS, FlakyStore, counters
from tests.support.logger import RecordingLogger
from tests.support.store import take

LOCK = LOCK_MS / 1000


class Holder:
    """A process that holds claims and renews them."""

    def __init__(self, store: FlakyStore, log: RecordingLogger, telemetry: Telemetry) -> None:
        self.store = store
        self.in_flight = InFlight()
        self.renewer = Renewer(store, self.in_flight, LOCK, adapt(log), telemetry)

    def claim(self, count: int = 1) -> list[Claim]:
        self.store.add(count)
        claims = take(self.store, count, LOCK_MS, "me").claims
        self.in_flight.add(claims)
        return claims


@pytest.fixture
def holder(store: FlakyStore, log: RecordingLogger, telemetry: Telemetry) -> Holder:
    return Holder(store, log, telemetry)


def test_a_delivery_longer_than_a_lock_s_life_keeps_its_lock_by_renewal(holder: Holder, clock: FakeClock) -> None:
    [claim] = holder.claim()
    for _ in range(12):
        clock.advance(holder.renewer.tick())
        assert holder.store.reap(10).scheduled == 0
    assert holder.store.message(claim.id).attempt == 1
    assert holder.store.settle([Outcome(claim, "ack")]) == [True]


def test_without_renewal_it_would_not(holder: Holder, clock: FakeClock) -> None:
    holder.claim()
    clock.advance(LOCK + 0.001)
    assert holder.store.reap(10).scheduled == 1


def test_two_renewals_may_fail_before_a_lock_expires(holder: Holder, clock: FakeClock) -> None:
    holder.claim()
    pause = holder.renewer.tick()
    assert pause == pytest.approx(LOCK / 3)
    for _ in range(2):
        clock.advance(pause)
        holder.store.away = True
        with pytest.raises(StoreUnavailable):
            holder.renewer.tick()
        holder.store.away = False
    assert holder.store.reap(10).scheduled == 0
    clock.advance(pause - 0.001)
    holder.renewer.tick()
    clock.advance(LOCK - 0.001)
    assert holder.store.reap(10).scheduled == 0


@pytest.mark.parametrize("socket_timeout", [0.1, 5.0])
def test_a_renewal_that_hangs_is_followed_by_another_before_a_lock_expires(
    holder: Holder, clock: FakeClock, log: RecordingLogger, socket_timeout: float
) -> None:
    [claim] = holder.claim()
    thread = renewal(holder.renewer, LOCK, clock, adapt(log))
    clock.advance(thread.run(holder.renewer))
    holder.store.before = lambda _: clock.advance(renewal_timeout(socket_timeout, LOCK))
    holder.store.away = True
    clock.advance(thread.run(holder.renewer))
    holder.store.before = lambda _: None
    holder.store.away = False
    assert holder.store.reap(10).scheduled == 0, "the lock has expired before the second one"
    thread.run(holder.renewer)
    clock.advance(LOCK - 0.001)
    assert holder.store.reap(10).scheduled == 0
    assert holder.store.settle([Outcome(claim, "ack")]) == [True]


def test_an_idle_process_renews_nothing(holder: Holder) -> None:
    holder.store.calls.clear()
    holder.renewer.tick()
    assert holder.store.calls == []


def test_a_lock_that_was_lost_is_given_up_at_the_second_refusal(
    holder: Holder, clock: FakeClock, log: RecordingLogger, telemetry: Telemetry
) -> None:
    [lost, kept] = holder.claim(2)
    holder.store.settle([Outcome(lost, "release")])  # as a reaper elsewhere would
    holder.renewer.tick()
    assert holder.in_flight.holds(lost)
    assert log.errors == []
    clock.advance(holder.renewer.tick())
    assert not holder.in_flight.holds(lost)
    assert holder.in_flight.holds(kept)
    assert log.errors == [f"lock lost id={lost.id} channel=test attempt=1"]
    assert counters(telemetry) == {"scheduler_locks_lost": 1}


def test_a_message_that_is_settled_between_two_renewals_lost_nothing(holder: Holder, log: RecordingLogger) -> None:
    """Its settling and a renewal crossed: refused once, then no longer in flight."""
    [claim] = holder.claim()
    holder.store.settle([Outcome(claim, "ack")])
    holder.renewer.tick()
    holder.in_flight.remove([claim])
    holder.renewer.tick()
    assert log.errors == []


def test_a_message_claimed_again_is_not_taken_for_the_one_that_was_refused(
    holder: Holder, log: RecordingLogger
) -> None:
    """Refused under its old token, then once under its new one because its settling crossed the renewal."""
    [first] = holder.claim()
    holder.store.settle([Outcome(first, "release")])
    holder.renewer.tick()
    [again] = take(holder.store, 1, LOCK_MS, "me").claims
    holder.in_flight.add([again])
    holder.store.settle([Outcome(again, "ack")])
    holder.renewer.tick()
    assert holder.in_flight.holds(again)
    assert log.errors == []
