"""What this process has in flight."""

from __future__ import annotations

from scheduler.delivery.in_flight import InFlight
from scheduler.message import Claim, Priority
from tests.support.clock import FakeClock


def claim(id: str, token: str = "t1") -> Claim:
    return Claim(id, token, 1, 0, "test", "1", None, None, None, Priority.NORMAL, 0, 0)


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
