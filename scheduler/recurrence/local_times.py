"""The local times of a cron expression, without any zone: the next, the latest, and how many in a span.

A day that matches has the same times as any other such day, so all three are arithmetic on days and times of day: a
count over a year looks at twelve months, not at what lies in them.  Local times are whole seconds since 1 January 1970
by the zone's clock; days are counted from the same day.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from datetime import date
from itertools import pairwise
from typing import Final

from scheduler.recurrence.days import days_of
from scheduler.recurrence.fields import CronText, DayPart

DAY: Final = 86_400
HORIZON_YEARS: Final = 50
"""How far a search goes.  29 February on a given weekday is up to 40 years away."""

_EPOCH_DAY: Final = date(1970, 1, 1).toordinal()
_LAST_YEAR: Final = 9999


class LocalTimes:
    """The local times of one expression."""

    def __init__(self, text: CronText) -> None:
        self._part: DayPart = text.day_part
        self._clock = _Clock(text.hours, text.minutes, text.seconds)

    def after(self, local: int) -> int | None:
        """Return the first local time after ``local``, or None within 50 years."""
        day, second = divmod(local + 1, DAY)
        on = self._is_on(day)
        if on and (rank := self._clock.rank(second)) < self._clock.size:
            return day * DAY + self._clock.at(rank)
        following = self._day_after(day)
        return None if following is None else following * DAY + self._clock.at(0)

    def until(self, local: int) -> int | None:
        """Return the last local time at or before ``local``, or None in the 50 years before."""
        day, second = divmod(local, DAY)
        if self._is_on(day) and (rank := self._clock.rank(second + 1)):
            return day * DAY + self._clock.at(rank - 1)
        previous = self._day_before(day)
        return None if previous is None else previous * DAY + self._clock.at(self._clock.size - 1)

    def count(self, low: int, high: int) -> int:
        """Return how many local times lie from ``low`` on and before ``high``."""
        if high <= low:
            return 0
        (first, begin), (last, end) = divmod(low, DAY), divmod(high, DAY)
        total = self._days_between(first, last) * self._clock.size
        if self._is_on(last):
            total += self._clock.rank(end)
        if self._is_on(first):
            total -= self._clock.rank(begin)
        return total

    def shortest_distance(self) -> int:
        """Return the least seconds between two local times, were every day one that matches."""
        return self._clock.shortest_distance()

    def _is_on(self, day: int) -> bool:
        year, month, of_month = _date(day)
        return of_month in days_of(self._part, year, month)

    def _day_after(self, day: int) -> int | None:
        year, month, of_month = _date(day)
        for _ in range(12 * HORIZON_YEARS):
            days = days_of(self._part, year, month)
            if (place := bisect_right(days, of_month)) < len(days):
                return _day(year, month, days[place])
            year, month, of_month = (year, month + 1, 0) if month < 12 else (year + 1, 1, 0)
            if year > _LAST_YEAR:
                break
        return None

    def _day_before(self, day: int) -> int | None:
        year, month, of_month = _date(day)
        for _ in range(12 * HORIZON_YEARS):
            days = days_of(self._part, year, month)
            if place := bisect_left(days, of_month):
                return _day(year, month, days[place - 1])
            year, month, of_month = (year, month - 1, 32) if month > 1 else (year - 1, 12, 32)
        return None

    def _days_between(self, first: int, last: int) -> int:
        """Return how many days match from ``first`` on and before ``last``."""
        (year, month, begin), (last_year, last_month, end) = _date(first), _date(last)
        total = -bisect_left(days_of(self._part, year, month), begin)
        while (year, month) < (last_year, last_month):
            total += len(days_of(self._part, year, month))
            year, month = (year, month + 1) if month < 12 else (year + 1, 1)
        return total + bisect_left(days_of(self._part, year, month), end)


class _Clock:
    """The times of a day that matches, numbered from 0: ``at(rank)`` and ``rank(second of the day)``."""

    def __init__(self, hours: tuple[int, ...], minutes: tuple[int, ...], seconds: tuple[int, ...]) -> None:
        self._hours, self._minutes, self._seconds = hours, minutes, seconds
        self._per_minute = len(seconds)
        self._per_hour = len(minutes) * self._per_minute
        self.size = len(hours) * self._per_hour

    def at(self, rank: int) -> int:
        """Return the second of the day of a time."""
        hour, rank = divmod(rank, self._per_hour)
        minute, second = divmod(rank, self._per_minute)
        return self._hours[hour] * 3600 + self._minutes[minute] * 60 + self._seconds[second]

    def rank(self, second_of_day: int) -> int:
        """Return how many times lie before a second of the day."""
        hour, rest = divmod(second_of_day, 3600)
        minute, second = divmod(rest, 60)
        rank = (place := bisect_left(self._hours, hour)) * self._per_hour
        if place == len(self._hours) or self._hours[place] != hour:
            return rank
        rank += (place := bisect_left(self._minutes, minute)) * self._per_minute
        if place == len(self._minutes) or self._minutes[place] != minute:
            return rank
        return rank + bisect_left(self._seconds, second)

    def shortest_distance(self) -> int:
        """Return the least seconds from one time to the next, the first of the next day included."""
        distances, span = [], 0
        for values, unit in ((self._seconds, 1), (self._minutes, 60), (self._hours, 3600)):
            # From the last time of one hour (minute) that matches to the first time of the next one that does.
            distances += [(after - before) * unit - span for before, after in pairwise(values)]
            span += (values[-1] - values[0]) * unit
        return min([*distances, DAY - span])


def _date(day: int) -> tuple[int, int, int]:
    found = date.fromordinal(_EPOCH_DAY + day)
    return found.year, found.month, found.day


def _day(year: int, month: int, day: int) -> int:
    return date(year, month, day).toordinal() - _EPOCH_DAY
