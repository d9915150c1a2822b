"""The machine's clock does what every fake of it pretends; Redis's clock between two calls."""

from __future__ import annotations

import threading
from datetime import UTC, datetime

from scheduler.clock import RedisTime, SystemClock
from tests.support.clock import FakeClock


def test_now_is_the_wall_clock_in_milliseconds() -> None:
    clock = SystemClock()
    before = datetime.now(UTC).timestamp() * 1000  # noqa: TID251 - what it is compared with
    now = clock.now_ms()
    after = datetime.now(UTC).timestamp() * 1000  # noqa: TID251 - what the clock is compared with
    assert isinstance(now, int)
    assert before - 1 <= now <= after


def test_monotonic_never_goes_back() -> None:
    clock = SystemClock()
    seconds = [clock.monotonic() for _ in range(100)]
    assert seconds == sorted(seconds)


def test_wait_ends_with_the_event_or_with_the_time() -> None:
    clock = SystemClock()
    event = threading.Event()
    assert clock.wait(event, 0) is False
    began = clock.monotonic()
    assert clock.wait(event, 0.02) is False
    assert clock.monotonic() - began >= 0.02
    event.set()
    assert clock.wait(event, 3600) is True


def test_wait_is_woken_by_another_thread() -> None:
    event = threading.Event()
    setter = threading.Thread(target=event.set)
    setter.start()
    assert SystemClock().wait(event, 30) is True
    setter.join()


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
