"""Calls of a channel that hang."""

from __future__ import annotations

import threading

from scheduler.delivery.hangs import HANG_SECONDS, Deliveries
from tests.support.clock import FakeClock


def test_a_call_that_does_not_come_back_hangs(clock: FakeClock) -> None:
    deliveries = Deliveries(clock)
    with deliveries.underway("echo", False):
        clock.advance(HANG_SECONDS)
        assert deliveries.hang() is None
        clock.advance(32)
        assert str(deliveries.hang()) == "channel echo: a delivery hangs, and has not returned for 42 s"
    assert deliveries.hang() is None


def test_a_handler_may_run_for_hours(clock: FakeClock) -> None:
    deliveries = Deliveries(clock)
    with deliveries.underway("job", True):
        clock.advance(7200)
        assert (deliveries.hang(), deliveries.working()) == (None, ["job"])
    assert deliveries.working() == []


def test_of_several_the_one_that_began_first(clock: FakeClock) -> None:
    deliveries = Deliveries(clock)
    entered, leave = threading.Event(), threading.Event()

    def other() -> None:
        with deliveries.underway("webhook", False):
            entered.set()
            leave.wait(10)

    thread = threading.Thread(target=other)
    thread.start()
    assert entered.wait(10)
    clock.advance(20)
    with deliveries.underway("echo", False):
        hang = deliveries.hang()
        assert hang is not None
        assert (hang.channel, hang.seconds) == ("webhook", 20)
    leave.set()
    thread.join(10)
    assert deliveries.hang() is None
