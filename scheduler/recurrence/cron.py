"""The moments of a cron expression in a zone: the next, the latest, and how many in a span.

Between two changes of its clock a zone has one offset, so a search goes from stretch to stretch.  What happens at a
change is the rule of Debian's cron:

- **Fixed times** (neither the minute nor the hour begins with ``*``) come once a day.  A time that the clock skips
  comes at the first moment after the gap, and gaps of more than three hours are not made up for.  A time that occurs
  twice comes at its first occurrence.
- **Intervals** match the clock as it goes: both passes of a repeated hour, and nothing for a gap.

Moments are whole seconds since the epoch, UTC.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from scheduler.errors import InvalidInput
from scheduler.recurrence.days import ever_comes
from scheduler.recurrence.fields import CronText, read_cron
from scheduler.recurrence.local_times import DAY, HORIZON_YEARS, LocalTimes
from scheduler.recurrence.zones import LAST_MOMENT, Change, last_change, next_change, offset_at

LONGEST_GAP: Final = 3 * 3600
"""Seconds.  A longer gap is a correction of the calendar: Apia had no 30 December 2011."""

_STRIDE: Final = 31 * DAY


@lru_cache(maxsize=16_384)
def cron_of(text: str) -> Cron:
    """Return the expression ready for use.  Raises InvalidInput (``cron``) when it is wrong, or never comes."""
    read = read_cron(text)
    if not ever_comes(read.day_part):
        raise InvalidInput.of("cron", f"{text!a} never comes: none of its months has a day that it names")
    return Cron(read)


class Cron:
    """Answers for one expression in any zone."""

    def __init__(self, text: CronText) -> None:
        self._times = LocalTimes(text)
        self._fixed = not text.interval

    def next_after(self, zone: str, moment: int) -> int | None:
        """Return the first moment after ``moment``, or None: none within 50 years, or before the year 10000."""
        offset = offset_at(zone, moment)
        passed = self._passed(zone, moment, offset)
        while (local := self._times.after(passed)) is not None:
            found = local - offset
            if found > LAST_MOMENT:
                return None
            change = next_change(zone, moment, found)
            if change is None:
                return found
            if self._makes_up(change) and local < change.at + change.after:
                return change.at
            moment, offset, passed = self._cross(change, passed)
        return None

    def latest_at(self, zone: str, moment: int) -> int | None:
        """Return the last moment at or before ``moment``, or None: none in the 50 years before."""
        offset = offset_at(zone, moment)
        local = self._times.until(moment + offset)
        while local is not None:
            # A day more, because a change shortly before a fixed time may have repeated it.
            change = last_change(zone, moment, local - offset - DAY)
            if change is None or local >= change.at + self._resumes(change):
                return local - offset
            if self._makes_up(change) and local >= change.at + change.before:
                return change.at
            moment, offset = change.at - 1, change.before
            local = self._times.until(moment + offset)
        return None

    def count(self, zone: str, after: int, until: int) -> int:
        """Return how many moments lie after ``after`` and not after ``until``."""
        offset = offset_at(zone, after)
        passed = self._passed(zone, after, offset)
        total = 0
        while (change := next_change(zone, after, until)) is not None:
            gap, resumed = change.at + change.before, change.at + change.after
            total += self._times.count(passed + 1, gap)
            # A time that lies right after the gap is the moment of what is made up, and counted there.
            if (
                self._makes_up(change)
                and self._times.count(gap, resumed)
                and not self._times.count(resumed, resumed + 1)
            ):
                total += 1
            after, offset, passed = self._cross(change, passed)
        return total + self._times.count(passed + 1, until + offset + 1)

    def nth(self, zone: str, start: int, n: int) -> int | None:
        """Return the ``n``-th moment (from 1) at or after ``start``; None when it lies more than 50 years ahead."""
        after, end = start - 1, min(start + HORIZON_YEARS * 366 * DAY, LAST_MOMENT)
        while (found := self.count(zone, after, min(after + _STRIDE, end))) < n:
            n, after = n - found, after + _STRIDE
            if after >= end:
                return None
        low, high = after, min(after + _STRIDE, end)
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if self.count(zone, after, middle) < n else (low, middle)
        return high

    def shortest_distance(self) -> int:
        """Return the least seconds between two moments, changes of the clock left aside."""
        return self._times.shortest_distance()

    def _passed(self, zone: str, moment: int, offset: int) -> int:
        """Return the local time up to which all has come at ``moment``.

        In the second pass of a repeated hour, to fixed times, that is the end of the first pass.
        """
        change = last_change(zone, moment, moment - DAY) if self._fixed else None
        return moment + offset if change is None else max(moment + offset, change.at + self._resumes(change) - 1)

    def _cross(self, change: Change, passed: int) -> tuple[int, int, int]:
        """Return the moment, the offset and the passed local time with which the stretch after a change begins."""
        resumed = change.at + self._resumes(change) - 1
        return change.at, change.after, max(passed, resumed) if self._fixed else resumed

    def _resumes(self, change: Change) -> int:
        """Return the offset that says from which local time on the stretch after a change has moments of its own."""
        return max(change.before, change.after) if self._fixed else change.after

    def _makes_up(self, change: Change) -> bool:
        return self._fixed and 0 < change.after - change.before <= LONGEST_GAP
