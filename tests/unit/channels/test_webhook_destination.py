"""How much of the channel one destination may hold, and when what found no room comes back."""

from __future__ import annotations

import pytest

from scheduler.channels.webhook.destination import MAX_RELEASE_SECONDS, MIN_RELEASE_SECONDS, Destination

ROOM = 1000


def low(smallest: float, _largest: float) -> float:
    return smallest


def observed(seconds: float, limit: int = 100) -> Destination[int]:
    """A destination whose transfers take so long."""
    destination: Destination[int] = Destination("host", limit)
    for _ in range(100):
        destination.begun(0.0)
        destination.ended(seconds, 0.0)
    return destination


def fill(destination: Destination[int], others: int = 0, now: float = 0.0) -> int:
    """Let it take what it may with ``others`` held elsewhere; how many that is."""
    while destination.may_hold(ROOM - others - destination.held, now):
        destination.enqueue(0, now)
        if destination.in_flight < destination.limit:
            destination.waiting.popleft()
            destination.begun(now)
    return destination.held


def test_the_rate_is_what_the_limit_and_the_duration_allow() -> None:
    assert observed(0.2).rate(0.0) == pytest.approx(500)


def test_a_fast_destination_may_take_all_the_room() -> None:
    assert fill(observed(0.01)) == ROOM


def test_a_slow_destination_leaves_room() -> None:
    held = fill(observed(10.0))
    assert 100 <= held <= 120


@pytest.mark.parametrize("slow", [1, 5, 10, 100])
def test_however_many_are_slow_the_next_one_finds_room(slow: int) -> None:
    destinations = [observed(10.0) for _ in range(slow)]
    held, before = 0, -1
    while held > before:
        before = held
        for destination in destinations:
            if destination.may_hold(ROOM - held, 0.0):
                destination.enqueue(0, 0.0)
                held += 1
    assert held > 100
    assert ROOM - held >= max(destination.held for destination in destinations) - 5
    assert Destination[int]("new", 100).may_hold(ROOM - held, 0.0)


def test_no_room_is_no_room() -> None:
    assert not observed(0.001).may_hold(0, 0.0)


def test_one_that_hangs_is_known_by_what_does_not_happen() -> None:
    destination = observed(0.01)
    fill(destination)
    assert destination.rate(0.0) == pytest.approx(10_000)
    assert destination.rate(5.0) == pytest.approx(20)
    assert not destination.may_hold(ROOM, 5.0)


def test_one_that_is_idle_is_not_taken_for_one_that_hangs() -> None:
    assert observed(0.01).rate(1_000_000.0) == pytest.approx(10_000)


def test_an_unknown_destination_asks_to_come_back_soon() -> None:
    destination: Destination[int] = Destination("host", 100)
    fill(destination)
    assert destination.release_delay_ms(0.0, low) == MIN_RELEASE_SECONDS * 1000


def test_a_backlog_comes_back_at_the_rate_of_the_destination() -> None:
    destination = observed(0.2)
    fill(destination)
    destination.release_delay_ms(0.0, low)
    destination.progress_at = 10.0
    delays = [destination.release_delay_ms(10.0, low) for _ in range(2000)]
    assert delays == sorted(delays)
    # 2,000 messages at 500 per second.
    assert delays[-1] == pytest.approx(4000, rel=0.1)


def test_nobody_is_sent_away_for_longer_than_the_destination_has_been_full_or_half_a_minute() -> None:
    destination = observed(10.0)
    fill(destination)
    for now in (0.0, 1.0, 5.0, 100.0):
        longest = max(destination.release_delay_ms(now, max) for _ in range(1000)) / 1000
        assert longest <= max(1.25 * MIN_RELEASE_SECONDS, min(2 * now, MAX_RELEASE_SECONDS))
    assert longest == MAX_RELEASE_SECONDS


def test_what_is_sent_far_away_is_spread() -> None:
    destination = observed(10.0)
    fill(destination)
    destination.release_delay_ms(0.0, low)
    spans: list[tuple[float, float]] = []

    def record(smallest: float, largest: float) -> float:
        spans.append((smallest, largest))
        return smallest

    for _ in range(1000):
        destination.release_delay_ms(100.0, record)
    assert (MAX_RELEASE_SECONDS / 2, MAX_RELEASE_SECONDS) in spans


def test_one_that_has_caught_up_begins_anew() -> None:
    destination = observed(10.0, limit=1)
    destination.begun(0.0)
    for now in (0.0, 100.0):
        destination.release_delay_ms(now, low)
    assert destination.release_delay_ms(100.0, low) > 10_000
    destination.ended(0.01, 100.0)
    destination.begun(100.0)
    assert destination.release_delay_ms(100.0, low) == MIN_RELEASE_SECONDS * 1000
