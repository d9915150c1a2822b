"""Thousands of random expressions around changes of clocks, compared with a reference that looks at every minute.

``RECURRENCE_EXPRESSIONS=20000`` makes it longer than in ``make test``; ``RECURRENCE_SEED`` draws others.
"""

from __future__ import annotations

import os
import random
from calendar import monthrange
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

import pytest

from scheduler.errors import InvalidInput
from scheduler.recurrence import Recurrence
from scheduler.recurrence.cron import Cron, cron_of
from scheduler.recurrence.days import days_of
from scheduler.recurrence.fields import read_cron
from tests.support.slow_cron import SlowCron, Tick, moments, random_expression, walk

EXPRESSIONS = int(os.environ.get("RECURRENCE_EXPRESSIONS", "75"))
"""Per zone; a fifth of them with seconds."""
SEED = int(os.environ.get("RECURRENCE_SEED", "13"))
SECOND, MINUTE, HOUR = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1)
MOST = 25
"""Moments that are looked up one by one; the rest of a walk is only counted."""

CHANGES = [
    ("Europe/Berlin", datetime(2026, 3, 29, 1, tzinfo=UTC)),
    ("Europe/Berlin", datetime(2026, 10, 25, 1, tzinfo=UTC)),
    ("America/New_York", datetime(2026, 3, 8, 7, tzinfo=UTC)),
    ("America/New_York", datetime(2026, 11, 1, 6, tzinfo=UTC)),
    ("Australia/Lord_Howe", datetime(2026, 4, 4, 15, tzinfo=UTC)),  # half an hour back
    ("Australia/Lord_Howe", datetime(2026, 10, 3, 15, 30, tzinfo=UTC)),  # half an hour forward
    ("America/Havana", datetime(2026, 3, 8, 5, tzinfo=UTC)),  # midnight is skipped
    ("America/Havana", datetime(2026, 11, 1, 5, tzinfo=UTC)),
    ("America/Sao_Paulo", datetime(2018, 2, 18, 2, tzinfo=UTC)),  # 23:00 to 24:00 comes twice: two dates
    ("Europe/Dublin", datetime(2026, 10, 25, 1, tzinfo=UTC)),  # winter time is the exception there
    ("Africa/Casablanca", datetime(2026, 2, 15, 2, tzinfo=UTC)),
    ("Antarctica/Troll", datetime(2026, 3, 29, 1, tzinfo=UTC)),  # two hours
    ("Antarctica/Troll", datetime(2026, 10, 25, 1, tzinfo=UTC)),
    ("Antarctica/Casey", datetime(2020, 10, 3, 16, 1, tzinfo=UTC)),  # three hours forward
    ("Antarctica/Casey", datetime(2020, 3, 7, 16, tzinfo=UTC)),  # three hours back
    ("Asia/Kathmandu", datetime(1985, 12, 31, 18, 30, tzinfo=UTC)),  # a quarter of an hour, at new year
    ("Asia/Pyongyang", datetime(2018, 5, 4, 15, tzinfo=UTC)),
    ("Pacific/Apia", datetime(2011, 12, 30, 10, tzinfo=UTC)),  # a day is left out
    ("Pacific/Kwajalein", datetime(1993, 8, 21, 12, tzinfo=UTC)),
    ("UTC", datetime(2028, 2, 29, 0, tzinfo=UTC)),
]


@lru_cache(maxsize=2)
def ticks_of(zone: str, change: datetime, step: timedelta) -> list[Tick]:
    before, after = (30 * MINUTE, 130 * MINUTE) if step == SECOND else (18 * HOUR, 30 * HOUR)
    return walk(zone, change - before, before + after, step)


@pytest.mark.parametrize("number", range(len(CHANGES)))
def test_every_moment_around_a_change_of_the_clock_is_that_of_the_slow_way(number: int) -> None:
    zone, change = CHANGES[number]
    rng = random.Random(SEED * 1000 + number)
    there = change.astimezone(ZoneInfo(zone)).hour
    hours = tuple((there + n) % 24 for n in (-3, -2, -1, -1, 0, 0, 1))
    compared = 0
    for n in range(EXPRESSIONS):
        step = SECOND if n % 5 == 0 else MINUTE
        expression = random_expression(rng, seconds=step == SECOND, hours=hours)
        ticks = ticks_of(zone, change, step)
        try:
            cron = cron_of(expression)
        except InvalidInput:
            continue  # it never comes
        expected = moments(expression, ticks, step)
        compared += len(expected)
        compare(cron, zone, expected, ticks[0].moment - 1, ticks[-1].moment, f"{expression} in {zone}")
    assert compared > EXPRESSIONS


def compare(cron: Cron, zone: str, expected: list[int], after: int, until: int, told: str) -> None:
    """Ask forwards from the begin and from the middle, backwards from the end, and for the count."""
    middle = (after + until) // 2
    assert cron.count(zone, after, until) == len(expected), told
    assert forwards(cron, zone, after, until) == expected[:MOST], told
    assert forwards(cron, zone, middle, until) == [moment for moment in expected if moment > middle][:MOST], told
    assert backwards(cron, zone, until, after) == expected[: -MOST - 1 : -1], told
    for k, moment in enumerate(expected[:MOST], 1):
        assert cron.latest_at(zone, moment) == moment, told
        assert cron.count(zone, after, moment) == k, told


def forwards(cron: Cron, zone: str, after: int, until: int) -> list[int]:
    found: list[int] = []
    while len(found) < MOST and (moment := cron.next_after(zone, found[-1] if found else after)):
        if moment > until:
            break
        found.append(moment)
    return found


def backwards(cron: Cron, zone: str, at: int, after: int) -> list[int]:
    found: list[int] = []
    while len(found) < MOST and (moment := cron.latest_at(zone, found[-1] - 1 if found else at)):
        if moment <= after:
            break
        found.append(moment)
    return found


def test_the_days_of_every_month_are_those_of_the_slow_way() -> None:
    rng = random.Random(SEED)
    for _ in range(5 * EXPRESSIONS):
        expression = random_expression(rng)
        slow, part = SlowCron(expression), read_cron(expression).day_part
        for _ in range(2):
            year, month = rng.choice([1999, 2000, 2024, 2027, 2100, 2400, 9998]), rng.randint(1, 12)
            days = [date(year, month, day) for day in range(1, monthrange(year, month)[1] + 1)]
            expected = [day.day for day in days if slow.on_day(day)]
            assert list(days_of(part, year, month)) == expected, f"{expression} in {year}-{month}"


def test_max_runs_ends_at_that_moment_of_the_slow_way() -> None:
    rng = random.Random(SEED)
    zone, change = CHANGES[1]
    ticks = ticks_of(zone, change, MINUTE)
    for _ in range(EXPRESSIONS):
        expression = random_expression(rng, hours=(1, 2, 3))
        expected = moments(expression, ticks, MINUTE)
        if expected:
            n = rng.randint(1, len(expected))
            start_ms = ticks[0].moment * 1000
            plan = Recurrence.of(now_ms=0, cron=expression, timezone=zone, start_ms=start_ms, max_runs=n)
            assert plan.last_ms == expected[n - 1] * 1000, expression
