"""Say which days of a month match the day fields of a cron expression: the one place that calls croniter.

Which days match follows from the month's length and the weekday of its first day.  There are 28 such shapes, and each
is asked for once and kept, so that the next moment of a schedule costs no call of the library.  What croniter cannot
do, or does differently, is written for the shape at hand in terms that it gets right:

- ``31W`` in a shorter month: croniter takes the month's last weekday.  Here it is left out: the month has no 31st.
- ``LW`` and ``L-3``, which it does not know, are ``30W`` and ``27`` in a month of 30 days.
- ``5L`` is spelled ``L5``.
- It refuses ``W`` in a list and ``#`` beside plain weekdays, and joins ``#`` and ``W`` with the other field by "and".
  So each is asked for alone, and put together here.
"""

from __future__ import annotations

import calendar
from collections.abc import Iterator
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Final

from croniter import CroniterBadDateError, croniter

from scheduler.recurrence.fields import DayPart

_ALL_WEEKDAYS: Final = tuple(range(7))
_ALL_DAYS: Final = tuple(range(1, 32))
_YEARS: Final = range(2000, 2028)
"""In 28 years each date falls on each weekday, as every fourth of these years is a leap year."""
_EXAMPLES: Final = {calendar.monthrange(year, month): (year, month) for year in _YEARS for month in range(1, 13)}
"""A month of each shape: (weekday of the first day, number of days)."""


def days_of(part: DayPart, year: int, month: int) -> tuple[int, ...]:
    """Return the days of a month that match, sorted; empty when there are none."""
    return _days_of(part, *_shape(year, month)) if month in part.months else ()


def ever_comes(part: DayPart) -> bool:
    """Return whether there is any day that matches."""
    return any(days_of(part, year, month) for year in _YEARS for month in part.months)


@lru_cache(maxsize=4096)
def _shape(year: int, month: int) -> tuple[int, int]:
    return calendar.monthrange(year, month)


@lru_cache(maxsize=32_768)
def _days_of(part: DayPart, first_weekday: int, last: int) -> tuple[int, ...]:
    year, month = _EXAMPLES[first_weekday, last]
    of_month = _of_month(part, year, month, last)
    if not of_month and not part.either:
        return ()
    of_week = _of_week(part, year, month, last)
    return tuple(sorted(of_month | of_week if part.either else of_month & of_week))


def _of_month(part: DayPart, year: int, month: int, last: int) -> set[int]:
    if part.days == _ALL_DAYS:
        return set(range(1, last + 1))
    plain = {day for day in part.days if day <= last} | {last - before for before in part.from_last if before < last}
    terms = [",".join(map(str, sorted(plain)))] if plain else []
    terms += [f"{day or last}W" for day in part.nearest if day <= last]
    return {day for term in terms for day in _ask(f"0 0 {term} {month} *", year, month)}


def _of_week(part: DayPart, year: int, month: int, last: int) -> set[int]:
    if part.weekdays == _ALL_WEEKDAYS:
        return set(range(1, last + 1))
    terms = [",".join(map(str, part.weekdays))] if part.weekdays else []
    terms += [f"{day}#{n}" for day, n in part.nth]
    terms += [f"L{day}" for day in part.last_weekdays]
    return {day for term in terms for day in _ask(f"0 0 * {month} {term}", year, month)}


def _ask(expression: str, year: int, month: int) -> Iterator[int]:
    """Yield the days of one month.

    croniter gets times without a zone, so that its own handling of clock changes never acts.  With a zone it lets fixed
    times come twice in a repeated hour.
    """
    first = datetime(year, month, 1)  # noqa: DTZ001 - a day of the calendar, of no zone
    found = croniter(expression, first - timedelta(seconds=1), ret_type=datetime, max_years_between_matches=1)
    try:
        while (day := found.get_next()) and (day.year, day.month) == (year, month):
            yield day.day
    except CroniterBadDateError:
        return  # no such day within a year: there may be none from one leap year to the next
