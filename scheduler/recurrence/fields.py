"""Read a cron expression: five fields, or six with the seconds first.  Every error names the field and what it takes.

croniter's own parser is not used.  Its errors name no field, it reads ``5-5`` as the whole hour, takes seven fields for
a year, and wants the last Friday spelled ``L5``.  It only gets what was read here (``days.py``).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, NamedTuple, NoReturn

from scheduler.errors import InvalidInput

MACROS: Final = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}

_MAX_TEXT: Final = 200
_MONTHS: Final = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
_WEEKDAYS: Final = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")
_ZONE_PREFIX = re.compile(r"CRON_TZ=(\S*)(?:\s+|$)", re.ASCII)
_OTHER_PREFIX = re.compile(r"(?:CRON_)?(?:TZ|TIMEZONE)=", re.IGNORECASE)


class _Field(NamedTuple):
    name: str
    low: int
    high: int
    names: dict[str, int]
    accepted: str
    size: int
    """How many values there are: weekdays have 7, although Sunday is 0 and 7."""


_LISTS: Final = "lists (1,2), ranges (1-5) and steps (*/2)"
_SECOND: Final = _Field("second", 0, 59, {}, f"* or 0 to 59, {_LISTS}", 60)
_MINUTE: Final = _Field("minute", 0, 59, {}, f"* or 0 to 59, {_LISTS}", 60)
_HOUR: Final = _Field("hour", 0, 23, {}, f"* or 0 to 23, {_LISTS}", 24)
_DAY: Final = _Field("day of month", 1, 31, {}, f"* or 1 to 31, {_LISTS}, L, L-3, LW and 15W", 31)
_MONTH: Final = _Field(
    "month", 1, 12, {name: n for n, name in enumerate(_MONTHS, 1)}, f"* or 1 to 12, JAN to DEC, {_LISTS}", 12
)
_WEEKDAY: Final = _Field(
    "day of week",
    0,
    7,
    {name: n for n, name in enumerate(_WEEKDAYS)},
    f"* or 0 to 7 (0 and 7 are Sunday), SUN to SAT, {_LISTS}, 5L (the last Friday) and 5#2 (the second Friday)",
    7,
)


@dataclass(frozen=True, slots=True)
class DayPart:
    """Which days match: the day fields of an expression.  What is given is combined by ``days.py``."""

    months: tuple[int, ...]
    days: tuple[int, ...]
    """Days of the month, 1 to 31."""
    from_last: tuple[int, ...]
    """Days before the last day of the month: 0 is ``L``, 3 is ``L-3``."""
    nearest: tuple[int, ...]
    """The weekday (Monday to Friday) nearest to a day: 15 is ``15W``; 0 is ``LW``."""
    weekdays: tuple[int, ...]
    """0 (Sunday) to 6."""
    nth: tuple[tuple[int, int], ...]
    """(weekday, n): the n-th such weekday of the month."""
    last_weekdays: tuple[int, ...]
    """The last such weekday of the month."""
    either: bool
    """True: a day matches when either field does.  False: when both do, as one begins with ``*``."""


@dataclass(frozen=True, slots=True)
class CronText:
    """A cron expression, read.  All tuples are sorted."""

    seconds: tuple[int, ...]
    minutes: tuple[int, ...]
    hours: tuple[int, ...]
    day_part: DayPart
    interval: bool
    """True when the minute or the hour begins with ``*``: the rule for changes of the clock (``cron.py``)."""


def split_zone(text: object) -> tuple[str | None, str]:
    """Return the zone of a ``CRON_TZ=`` prefix, or None, and the expression.  Raises InvalidInput (``cron``)."""
    if not isinstance(text, str):
        _refuse("must be text such as '0 9 * * MON-FRI'")
    text = text.strip()
    if len(text) > _MAX_TEXT:
        _refuse(f"is longer than {_MAX_TEXT} characters")
    if match := _ZONE_PREFIX.match(text):
        return match[1], text[match.end() :]
    if _OTHER_PREFIX.match(text):
        _refuse("begins with a zone in another form; accepted: CRON_TZ=Europe/Berlin 0 9 * * *, or the field timezone")
    return None, text


def read_cron(text: str) -> CronText:
    """Read an expression without a ``CRON_TZ=`` prefix.  Raises InvalidInput that names ``cron``."""
    fields = _split(text)
    seconds, (minute, hour, day, month, weekday) = (fields[0], fields[1:]) if len(fields) == 6 else ("0", fields)
    days, from_last, nearest = _days(day)
    weekdays, nth, last_weekdays = _weekdays(weekday)
    return CronText(
        seconds=_values(_SECOND, seconds),
        minutes=_values(_MINUTE, minute),
        hours=_values(_HOUR, hour),
        day_part=DayPart(
            months=_values(_MONTH, month),
            days=days,
            from_last=from_last,
            nearest=nearest,
            weekdays=weekdays,
            nth=nth,
            last_weekdays=last_weekdays,
            either=not day.startswith("*") and not weekday.startswith("*"),
        ),
        interval=minute.startswith("*") or hour.startswith("*"),
    )


def _split(text: str) -> list[str]:
    if text.startswith("@"):
        if text.lower() not in MACROS:
            _refuse(f"{text!a} is not known; accepted: {', '.join(MACROS)}, or for intervals the field every")
        return MACROS[text.lower()].split()
    if not text.isascii():
        _refuse("has characters that are not ASCII; accepted: digits, names and the signs * , - / L W #")
    fields = text.upper().split()
    if len(fields) not in (5, 6):
        hint = "; a year cannot be given, use start and end" if len(fields) == 7 else ""
        _refuse(
            f"has {len(fields)} fields{hint}; accepted: 5 (minute, hour, day of month, month, day of week), or 6 with "
            "the second first"
        )
    return fields


def _days(text: str) -> tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]:
    plain: set[int] = set()
    from_last: set[int] = set()
    nearest: set[int] = set()
    for item in _items(_DAY, text):
        if item in ("LW", "WL"):
            nearest.add(0)
        elif match := re.fullmatch(r"L(?:-([0-9]{1,2}))?", item):
            from_last.add(_number(_DAY, match[1], item, 1, 30) if match[1] else 0)
        elif match := re.fullmatch(r"([0-9]{1,2})W", item):
            nearest.add(_number(_DAY, match[1], item, 1, 31))
        else:
            plain.update(_plain(_DAY, item))
    return tuple(sorted(plain)), tuple(sorted(from_last)), tuple(sorted(nearest))


def _weekdays(text: str) -> tuple[tuple[int, ...], tuple[tuple[int, int], ...], tuple[int, ...]]:
    plain: set[int] = set()
    nth: set[tuple[int, int]] = set()
    last: set[int] = set()
    for item in _items(_WEEKDAY, text):
        if match := re.fullmatch(r"([0-9A-Z]+)#([0-9]+)", item):
            day = _number(_WEEKDAY, match[1], item, 0, 7) % 7
            if match[2] not in ("1", "2", "3", "4", "5"):
                _refuse_item(_WEEKDAY, item, "takes 1 to 5 after the #")
            nth.add((day, int(match[2])))
        elif item == "L":
            _refuse_item(_WEEKDAY, item, "does not say which day is meant; the last Friday of the month is 5L")
        elif (match := re.fullmatch(r"([0-9]|[A-Z]{3})L", item)) and item not in _WEEKDAY.names:
            last.add(_number(_WEEKDAY, match[1], item, 0, 7) % 7)
        else:
            plain.update(value % 7 for value in _plain(_WEEKDAY, item))
    return tuple(sorted(plain)), tuple(sorted(nth)), tuple(sorted(last))


def _values(field: _Field, text: str) -> tuple[int, ...]:
    return tuple(sorted({value for item in _items(field, text) for value in _plain(field, item)}))


def _items(field: _Field, text: str) -> Iterator[str]:
    for item in text.split(","):
        if not item:
            _refuse_item(field, text, "has an empty place in its list")
        yield item


def _plain(field: _Field, item: str) -> Iterator[int]:
    """Yield the values of ``*``, ``a``, ``a-b``, ``*/n``, ``a/n`` and ``a-b/n``.

    A range whose end lies before its start goes on at the field's first value: the hours ``22-4/2`` are 22, 0, 2, 4.
    """
    span, slash, step_text = item.partition("/")
    step = _number(field, step_text, item, 1, field.size, what="step") if slash else 1
    low, high = field.low, field.low + field.size - 1
    if span == "*":
        start, end = low, high
    else:
        first, dash, second = span.partition("-")
        start = _number(field, first, item)
        end = _number(field, second, item) if dash else max(high, start) if slash else start
    if end < start:
        end += field.size
    for value in range(start, end + 1, step):
        yield low + (value - low) % field.size


def _number(
    field: _Field, text: str, item: str, low: int | None = None, high: int | None = None, *, what: str = "value"
) -> int:
    """Return the number or the name ``text``.  Raises InvalidInput when it is neither, or out of the range."""
    low, high = field.low if low is None else low, field.high if high is None else high
    if what == "value" and text in field.names:
        return field.names[text]
    if item == "?":
        _refuse_item(field, item, "is not taken; write * for any value")
    if not re.fullmatch(r"[0-9]{1,4}", text):
        _refuse_item(field, item, f"is not a {what} of it" if text else f"lacks a {what}")
    if not low <= int(text) <= high:
        _refuse_item(field, item, f"is out of range: the {what} {text} is not from {low} to {high}")
    return int(text)


def _refuse_item(field: _Field, item: str, why: str) -> NoReturn:
    _refuse(f"the field {field.name}: {item!a} {why}; accepted: {field.accepted}")


def _refuse(why: str) -> NoReturn:
    raise InvalidInput.of("cron", why)
