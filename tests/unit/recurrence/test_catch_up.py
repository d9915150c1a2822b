"""What is made of missed moments, and that the answer does not take longer the more were missed."""

from __future__ import annotations

import time as stopwatch

import pytest

from scheduler.recurrence import CatchUp, CaughtUp, Recurrence, catch_up

HOUR, DAY = 3_600_000, 86_400_000
NOW = 1_800_000_000_000  # 2027-01-15T08:00:00Z


def hourly() -> Recurrence:
    return Recurrence.of(now_ms=0, cron="0 * * * *", start_ms=0)


@pytest.mark.parametrize(
    ("policy", "made", "given_up"),
    [
        (CatchUp("none"), (), 5),
        (CatchUp("latest"), (NOW,), 4),
        (CatchUp("all", window_ms=2 * HOUR), (NOW - 2 * HOUR, NOW - HOUR, NOW), 2),
        (CatchUp("all", window_ms=DAY), tuple(NOW - n * HOUR for n in (4, 3, 2, 1, 0)), 0),
        (CatchUp("all", window_ms=DAY, limit=2), (NOW - HOUR, NOW), 3),
    ],
)
def test_the_policies(policy: CatchUp, made: tuple[int, ...], given_up: int) -> None:
    assert catch_up(hourly(), NOW - 5 * HOUR, NOW, policy) == CaughtUp(made, given_up)


def test_the_latest_one_is_given_up_beyond_the_window() -> None:
    daily = Recurrence.of(now_ms=0, cron="0 0 * * *", start_ms=0)
    assert catch_up(daily, NOW - 2 * DAY, NOW, CatchUp("latest", window_ms=7 * HOUR)) == CaughtUp((), 2)
    assert catch_up(daily, NOW - 2 * DAY, NOW, CatchUp("latest", window_ms=8 * HOUR)) == CaughtUp((NOW - 8 * HOUR,), 1)


def test_nothing_was_missed() -> None:
    assert catch_up(hourly(), NOW, NOW + HOUR - 1, CatchUp("all")) == CaughtUp((), 0)
    assert catch_up(hourly(), NOW + DAY, NOW, CatchUp("all")) == CaughtUp((), 0)


def test_what_lies_beyond_the_end_of_the_plan_was_not_missed() -> None:
    ended = Recurrence.of(now_ms=0, cron="0 * * * *", start_ms=NOW - 10 * HOUR, max_runs=3)
    assert catch_up(ended, NOW - 10 * HOUR, NOW, CatchUp("all", window_ms=DAY)) == CaughtUp(
        (NOW - 9 * HOUR, NOW - 8 * HOUR), 0
    )


@pytest.mark.parametrize("rule", [{"cron": "* * * * * *"}, {"every": "1s"}])
def test_a_year_of_seconds_is_counted_and_not_walked_through(rule: dict[str, str]) -> None:
    each_second = Recurrence.of(now_ms=0, start_ms=0, timezone="Europe/Berlin", **rule)  # type: ignore[arg-type]
    began = stopwatch.thread_time()
    caught = catch_up(each_second, NOW - 365 * DAY, NOW, CatchUp("all", limit=100))
    assert caught.moments == tuple(range(NOW - 99_000, NOW + 1, 1000))
    assert caught.given_up == 365 * 86_400 - 100
    assert stopwatch.thread_time() - began < 1  # to walk through them takes minutes
