"""What would otherwise be said again and again: an outage of Redis, an error that goes on."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from scheduler.errors import StoreUnavailable
from scheduler.logs.notices import REMIND_SECONDS, Outage, Seldom
from scheduler.logs.sinks import adapt
from tests.support.clock import FakeClock
from tests.support.logger import RecordingLogger

AWAY = StoreUnavailable("Redis does not answer: connection refused")


@pytest.fixture
def log() -> RecordingLogger:
    return RecordingLogger()


@pytest.fixture
def outage(log: RecordingLogger, clock: FakeClock) -> Outage:
    return Outage(adapt(log), clock)


def test_an_outage_is_told_at_its_begin_once_a_minute_and_at_its_end(
    outage: Outage, log: RecordingLogger, clock: FakeClock
) -> None:
    for _ in range(500):  # of a quarter of a second
        for task in ("claim", "trim", "beat"):
            outage.away(task, AWAY)
        clock.advance(0.25)
    for task in ("beat", "claim", "renew", "trim", "trim"):
        outage.over(task)
    assert log.errors == [
        "cannot claim, trying on: Redis does not answer: connection refused",
        "cannot claim for 60 s, trying on: Redis does not answer: connection refused",
        "cannot claim for 120 s, trying on: Redis does not answer: connection refused",
        "Redis answers again, after 125.0 s",
    ]
    assert log.infos == []


def test_it_lasts_until_every_task_that_failed_has_succeeded(outage: Outage, log: RecordingLogger) -> None:
    """In a cluster of which a part is away, some tasks succeed all the time."""
    outage.away("claim", AWAY)
    for _ in range(10):
        outage.away("settle", AWAY)
        outage.over("settle")
        outage.over("beat")
    assert len(log.errors) == 1
    outage.over("claim")
    assert len(log.errors) == 2


def test_the_next_outage_begins_anew(outage: Outage, log: RecordingLogger, clock: FakeClock) -> None:
    for seconds in (5, 7):
        outage.away("claim", AWAY)
        clock.advance(seconds)
        outage.over("claim")
    assert [line for line in log.errors if "again" in line] == [
        "Redis answers again, after 5.0 s",
        "Redis answers again, after 7.0 s",
    ]


def test_threads_that_notice_at_once_say_it_once(outage: Outage, log: RecordingLogger) -> None:
    barrier = threading.Barrier(8)

    def notice(number: int) -> None:
        barrier.wait(10)
        outage.away(f"task{number}", AWAY)
        barrier.wait(10)
        outage.over(f"task{number}")

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(notice, range(8)))
    assert len(log.errors) == 2


def test_an_error_that_goes_on_is_told_once_a_minute(log: RecordingLogger, clock: FakeClock) -> None:
    seldom = Seldom(adapt(log), clock)
    for _ in range(4):
        seldom.error("a defect")
        clock.advance(REMIND_SECONDS / 2)
    assert log.errors == ["a defect"] * 2
