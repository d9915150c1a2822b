"""Find the changes of a zone's clock: when, and from which offset to which.

``zoneinfo`` tells the offset of a moment and not when it changes, so the changes are searched for, once per zone and
year.  All moments are whole seconds since the epoch, UTC; offsets are seconds to add for local time.
"""

from __future__ import annotations

from calendar import isleap
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from scheduler.errors import InvalidInput

LAST_MOMENT: Final = 253_402_300_799 - 86_400
"""30 December 9999, so that the local time of every zone has four digits of year too."""

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_STEP: Final = 2 * 86_400
"""Seconds between two probes.  The nearest two changes of any zone since 1970 lie almost 7 days apart."""


class Change(NamedTuple):
    at: int
    """The first second of the new offset."""
    before: int
    after: int


def is_known(zone: str) -> bool:
    """Return whether the time zone data of this machine has the zone: another server may have newer data."""
    try:
        _zone(zone)
    except InvalidInput:
        return False
    return True


def offset_at(zone: str, moment: int) -> int:
    """Return the offset of the zone's local time at a moment.  Raises InvalidInput for a zone that is not known."""
    offset = (_EPOCH + timedelta(seconds=moment)).astimezone(_zone(zone)).utcoffset()
    assert offset is not None  # noqa: S101 - a ZoneInfo always has one
    return offset.days * 86_400 + offset.seconds


def next_change(zone: str, after: int, until: int) -> Change | None:
    """Return the first change after ``after`` and not after ``until``, or None."""
    for year in range(_year(after), _year(until) + 1):
        for change in changes(zone, year):
            if after < change.at <= until:
                return change
    return None


def last_change(zone: str, at: int, since: int) -> Change | None:
    """Return the last change at or before ``at`` and not before ``since``, or None."""
    for year in range(_year(at), _year(since) - 1, -1):
        for change in reversed(changes(zone, year)):
            if since <= change.at <= at:
                return change
    return None


@lru_cache(maxsize=4096)
def changes(zone: str, year: int) -> tuple[Change, ...]:
    """Return the changes of a year (of UTC), in order."""
    start = int((datetime(year, 1, 1, tzinfo=UTC) - _EPOCH).total_seconds())
    end = min(start + (366 if isleap(year) else 365) * 86_400, LAST_MOMENT)
    found = []
    before, offset = start - 1, offset_at(zone, start - 1)
    for probe in (*range(start + _STEP, end, _STEP), end - 1):
        if (after := offset_at(zone, probe)) != offset:
            found.append(Change(_bisect(zone, before, probe, after), offset, after))
        before, offset = probe, after
    return tuple(found)


def _bisect(zone: str, before: int, after: int, offset: int) -> int:
    while after - before > 1:
        middle = (before + after) // 2
        if offset_at(zone, middle) == offset:
            after = middle
        else:
            before = middle
    return after


@lru_cache(maxsize=1024)
def _zone(key: str) -> ZoneInfo:
    try:
        return ZoneInfo(key)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise InvalidInput.of(
            "timezone", f"{key!a} is missing in the time zone data of this server; another one may have it"
        ) from None


def _year(moment: int) -> int:
    return (_EPOCH + timedelta(seconds=moment)).year
