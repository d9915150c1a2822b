"""The machine's clock does what every fake of it pretends."""

from __future__ import annotations

import threading
from datetime import UTC, datetime

from scheduler.clock import SystemClock


def test_now_is_the_wall_clock_in_milliseconds() -> None:
    clock = SystemClock()
    before = datetime.now(UTC).timestamp() * 1000  # noqa: TID251 - what it is compared with
    now = clock.now_ms()
    after = datetime.now(UTC).timestamp() * 1000  # noqa: TID251
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
