"""What this process has in flight, and Redis's clock between two calls."""

from __future__ import annotations

from scheduler.clock import RedisTime
from scheduler.delivery.in_flight import InFlight
from scheduler.message import Claim, Priority
from tests.support.clock import FakeClock


def claim(id: str, token: str = "t1") -> Claim:
    return Claim(id, token, 1, 0, "test", "1", None, None, None, Priority.NORMAL, 0, 0)


def test_redis_time_goes_on_from_the_last_reading(clock: FakeClock) -> None:
    time = RedisTime(clock)
    time.synchronise(5_000.25)
    assert time.now_ms() == 5_000.25
    clock.advance(1.5)
    assert time.now_ms() == 6_500.25


def test_redis_time_is_this_machines_until_redis_has_spoken(clock: FakeClock) -> None:
    clock.advance(3)
    assert RedisTime(clock).now_ms() == clock.now_ms()


def test_a_later_reading_corrects_an_earlier_one(clock: FakeClock) -> None:
    """A machine whose clock is an hour off still measures lateness by Redis's."""
    time = RedisTime(clock)
    hour_ago = clock.now_ms() - 3_600_000
    time.synchronise(hour_ago)
    clock.advance(1)
    time.synchronise(hour_ago + 1_002)
    assert time.now_ms() == hour_ago + 1_002


def test_claims_are_held_until_they_are_removed() -> None:
    held = InFlight()
    held.add([claim("a"), claim("b")])
    assert len(held) == 2
    held.remove([claim("a")])
    assert held.all() == [claim("b")]
    assert held.holds(claim("b"))
    assert not held.holds(claim("a"))


def test_a_stale_claim_does_not_remove_the_one_that_came_after_it() -> None:
    held = InFlight()
    held.add([claim("a", "old")])
    held.add([claim("a", "new")])
    held.remove([claim("a", "old")])
    assert held.all() == [claim("a", "new")]
    assert not held.holds(claim("a", "old"))


def test_waiting_until_nothing_is_in_flight(clock: FakeClock) -> None:
    held = InFlight()
    assert held.wait_empty(clock, 0)
    held.add([claim("a")])
    assert not held.wait_empty(clock, 0)
    held.add([])
    assert not held.wait_empty(clock, 0)
    held.remove([claim("a")])
    assert held.wait_empty(clock, 0)
