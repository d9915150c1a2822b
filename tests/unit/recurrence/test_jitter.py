"""Jitter: the same everywhere, spread, never early, and never as late as the next moment."""

from __future__ import annotations

import pytest

from scheduler.errors import InvalidInput
from scheduler.recurrence import Recurrence, check_jitter, jittered
from scheduler.when import parse_time

MINUTE = 60_000
NOON = 1_800_000_000_000 + 4 * 60 * MINUTE


def plan(**fields: object) -> Recurrence:
    return Recurrence.of(now_ms=0, start_ms=0, **fields)  # type: ignore[arg-type]


def test_it_follows_from_the_schedule_and_the_moment_alone() -> None:
    daily = plan(cron="0 12 * * *")
    # A fixed value: another server, another version and another day must come to the same.
    assert jittered(daily, "report", NOON, MINUTE) == NOON + 58_802
    assert jittered(daily, "report", NOON, 0) == NOON


def test_it_spreads_evenly_and_is_never_early() -> None:
    daily = plan(cron="0 12 * * *")
    delays = [jittered(daily, f"s{n}", NOON, 999) - NOON for n in range(10_000)]
    assert min(delays) >= 0
    assert max(delays) <= 999
    tenths = [sum(100 * t <= delay < 100 * (t + 1) for delay in delays) for t in range(10)]
    assert all(850 < tenth < 1150 for tenth in tenths)


def test_one_schedule_comes_at_another_delay_each_time() -> None:
    daily = plan(cron="0 12 * * *")
    day = 24 * 60 * MINUTE
    assert len({jittered(daily, "report", NOON + n * day, MINUTE) - NOON - n * day for n in range(50)}) > 40


def test_it_ends_before_the_next_moment_also_when_the_clock_brings_them_together() -> None:
    # 02:50 is made up for at 03:00, a quarter of an hour before 03:15 instead of 25 minutes.
    near = plan(cron="50,15 2-3 * * *", timezone="Europe/Berlin")
    made_up = parse_time("2026-03-29T01:00:00Z")
    for n in range(200):
        assert made_up <= jittered(near, f"s{n}", made_up, 24 * MINUTE) < made_up + 15 * MINUTE


@pytest.mark.parametrize(
    ("fields", "period"),
    [
        ({"every": "90s"}, 90_000),
        ({"cron": "* * * * * *"}, 1000),
        ({"cron": "*/5 * * * *"}, 5 * MINUTE),
        ({"cron": "0,50 * * * *"}, 10 * MINUTE),
        ({"cron": "0,50 9,11 * * *"}, 50 * MINUTE),
        ({"cron": "0 1,23 * * *"}, 120 * MINUTE),
        ({"cron": "0 9 1 1 *"}, 24 * 60 * MINUTE),
        ({"cron": "10,40 59,0 23,0 * * *"}, 30_000),
    ],
)
def test_it_must_be_less_than_the_period(fields: dict[str, str], period: int) -> None:
    assert plan(**fields).shortest_distance_ms == period
    check_jitter(plan(**fields), period - 1)
    with pytest.raises(InvalidInput, match=rf"^jitter: is {period} ms, and two runs can be {period} ms apart"):
        check_jitter(plan(**fields), period)
