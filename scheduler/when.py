"""Read when a message is due: every accepted form of ``time``, ``delay`` and ``timezone``, as milliseconds UTC.

Pure.  Fractions of a millisecond are rounded up, because a message is never early.  Matching takes time linear in the
length of the text, because in every pattern each part begins with a character that the part before it cannot match.

Ambiguous numbers are refused, because they could mean a moment far from the intended one: numbers that as epoch seconds
lie before 3 March 1973 (2099 may be a year, 60 a delay, 20990613 a date), and numbers of 12 or 14 digits that read as a
date and time (20990613120000).  As text, 4 digits from 1970 to 2199 are a year, and 8 digits that begin so are a date.
"""

from __future__ import annotations

import contextlib
import difflib
import math
import re
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from scheduler import moments
from scheduler.errors import InvalidInput

MAX_MS: Final = 253_402_300_799_999
"""9999-12-31T23:59:59.999Z, the last moment that ISO 8601 can write with four digits of year."""

LEAST_EPOCH: Final = 100_000_000
"""The smallest number that is read as epoch seconds: 3 March 1973."""

TIME_FORMS: Final = (
    "epoch seconds or milliseconds (1798761600), ISO 8601 (2027-01-01T09:00:00+01:00), "
    "RFC 2822 (Fri, 01 Jan 2027 09:00:00 GMT) or what JavaScript's Date writes"
)
DELAY_FORMS: Final = "seconds (90 or 1.5), units (1d2h30m45s; w, d, h, m, s, ms) or an ISO 8601 duration (PT5M, P1DT2H)"
ZONE_FORMS: Final = "an IANA name such as Europe/Berlin"

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_SECONDS_BELOW: Final = 10**11
_MAX_TEXT: Final = 100
_MAX_ZONE: Final = 64
_OF_THE_MACHINE: Final = ("localtime", "posixrules", "Factory")
"""Files beside the zones that are another zone on each machine, or none."""
_FOLDERS: Final = ("posix/", "right/")
"""Copies that only some systems have.  Those of right/ count leap seconds, and would be read wrong."""

_COMPACT_BELOW: Final = 22 * 10**12

_NUMBER = re.compile(r"[0-9]+(?:\.[0-9]+)?")
_NEGATIVE = re.compile(r"-[0-9.]+")

_UNIT_MS: Final = {"w": 604_800_000, "d": 86_400_000, "h": 3_600_000, "m": 60_000, "s": 1_000, "ms": 1}
_UNIT = re.compile(r"([0-9]+(?:\.[0-9]+)?) *(ms|[wdhms]) *", re.IGNORECASE | re.ASCII)
_UNITS = re.compile(rf"(?:{_UNIT.pattern})+", re.IGNORECASE | re.ASCII)
_DURATION_PART = r"([0-9]+(?:[.,][0-9]+)?)"
_DURATION = re.compile(
    rf"P(?:{_DURATION_PART}W)?(?:{_DURATION_PART}D)?"
    rf"(?:T(?:{_DURATION_PART}H)?(?:{_DURATION_PART}M)?(?:{_DURATION_PART}S)?)?",
    re.IGNORECASE | re.ASCII,
)
_EXACT = 2.0**53
"""Below it every whole float is the number that it was written as."""
_DURATION_DATE = re.compile(r"P[0-9.,YMWD]+")

_FRACTIONS: Final = tuple(f".{milliseconds:03d}Z" for milliseconds in range(1000))
"""Looked up: an export writes five moments a row, and formatting these took most of the time of each."""


def parse_when(time: object, delay: object, timezone: object, now_ms: int, *, american: bool = False) -> int:
    """Return the moment (ms UTC) of ``time`` or ``delay``; ``now_ms`` (ms UTC) when both are None.

    ``timezone`` (or None) applies to a ``time`` without an offset.  ``american``: see ``parse_time``.
    Raises InvalidInput that names ``time``, ``delay`` or ``timezone``.
    """
    zone = parse_timezone(timezone)
    if time is not None and delay is not None:
        raise InvalidInput.of("delay", "time and delay are both given; accepted: one of them, or neither for now")
    if delay is not None:
        moment = now_ms + parse_delay(delay)
        if moment > MAX_MS:
            raise InvalidInput.of("delay", f"{_shown(delay)} from now lies beyond the year 9999")
        return moment
    return now_ms if time is None else parse_time(time, zone, american=american)


def parse_time(value: object, zone: ZoneInfo | None = None, *, american: bool = False) -> int:
    """Return the milliseconds since the epoch, UTC.  A local time is read in ``zone``, or in UTC without one.

    When the clock of ``zone`` is set back, a time that occurs twice means the first occurrence; a time that the clock
    skips is moved forward by the gap.  ``american``: accept dates like 1/2/2027, month first.
    Raises InvalidInput that names ``time``.
    """
    moment = _moment(value, zone, american)
    if moment < 0:
        raise InvalidInput.of("time", f"{_shown(value)} lies before 1970; accepted: moments from 1970 to 9999")
    if moment > MAX_MS:
        raise InvalidInput.of("time", f"{_shown(value)} lies beyond the year 9999; accepted: moments from 1970 to 9999")
    return moment


def parse_delay(value: object) -> int:
    """Return the milliseconds of a delay: seconds as number or text, ``1d2h30m45s``, or ISO 8601 ``P1DT2H``.

    Raises InvalidInput that names ``delay``.
    """
    milliseconds = _delay_of_text(value) if isinstance(value, str) else _finite(value, "delay", DELAY_FORMS) * 1000
    if milliseconds < 0:
        raise InvalidInput.of("delay", f"{_shown(value)} is negative; accepted: {DELAY_FORMS}, from 0 on")
    return math.ceil(milliseconds)


def parse_timezone(value: object) -> ZoneInfo | None:
    """Return the time zone of an IANA name; None for None.  Raises InvalidInput that names ``timezone``."""
    if value is None:
        return None
    if not isinstance(value, str) or not 0 < len(value) <= _MAX_ZONE:
        raise InvalidInput.of("timezone", f"{_shown(value)} is not a time zone; accepted: {ZONE_FORMS}")
    if _is_zone(value):
        with contextlib.suppress(ZoneInfoNotFoundError, ValueError, OSError):
            return ZoneInfo(value)
    raise InvalidInput.of(
        "timezone", f"{_shown(value)} is not a known time zone{_suggestion(value)}; accepted: {ZONE_FORMS}"
    )


def format_local(moment: int, zone: ZoneInfo | None) -> str | None:
    """Return a moment (ms UTC) as local time of the zone, or of UTC: ``2027-01-01T09:00:00.000+01:00``.

    None when its local year is beyond 9999.
    """
    try:
        return (_EPOCH + timedelta(milliseconds=moment)).astimezone(zone or UTC).isoformat(timespec="milliseconds")
    except OverflowError:
        return None


def format_ms(moment: int) -> str:
    """Return milliseconds since the epoch as ISO 8601 and RFC 3339: ``2027-01-01T09:00:00.000Z``."""
    seconds, milliseconds = divmod(moment, 1000)
    return _format_second(seconds) + _FRACTIONS[milliseconds]


@lru_cache(maxsize=1024)
def _format_second(seconds: int) -> str:
    # Cached because the messages of one batch are due within a few seconds of each other.
    return (_EPOCH + timedelta(seconds=seconds)).isoformat()[:19]


def _moment(value: object, zone: ZoneInfo | None, american: bool) -> int:
    if not isinstance(value, str):
        return _epoch(value, _finite(value, "time", TIME_FORMS))
    # Newer JavaScript engines write a narrow no-break space before AM and PM.
    text = value.replace("\u202f", " ").strip()
    if len(text) <= _MAX_TEXT:
        if _NUMBER.fullmatch(text) and not moments.is_date(text):
            return _epoch(value, int(text) if text.isdigit() else Fraction(text))
        if _NEGATIVE.fullmatch(text):
            return -1
        try:
            moment = moments.read(text, zone, american=american)
            if moment is not None:
                return moment
        except OverflowError:
            return MAX_MS + 1
        except ValueError as error:
            # The reason says which part is out of range ("day is out of range for month").
            raise InvalidInput.of("time", f"{_shown(value)}: {error}; accepted: {TIME_FORMS}") from None
    raise InvalidInput.of("time", f"{_shown(value)} is not a time; accepted: {TIME_FORMS}")


def _epoch(value: object, number: Fraction | int) -> int:
    """Read a number as epoch seconds or milliseconds.  Raises InvalidInput for an ambiguous one."""
    if 0 <= number < LEAST_EPOCH:
        raise InvalidInput.of(
            "time",
            f"{_shown(value)} as epoch seconds would lie before 1973, which hardly anybody means; accepted: numbers "
            f'from {LEAST_EPOCH} on, a year or a date as text ("2099", "2099-06-13")',
        )
    if _SECONDS_BELOW <= number < _COMPACT_BELOW and moments.is_date_and_time(str(number)):
        raise InvalidInput.of(
            "time",
            f"{_shown(value)} reads as a date and time as well as epoch milliseconds; accepted: the date and time with "
            "a T between them (20990613T120000)",
        )
    return math.ceil(number * 1000 if number < _SECONDS_BELOW else number)


def _finite(value: object, field: str, accepted: str) -> Fraction | int:
    # bool is a subclass of int, and not a valid number here.
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise InvalidInput.of(field, f"{_shown(value)} is neither text nor a number; accepted: {accepted}")
    if isinstance(value, int):
        return value  # an int is exact, and ten times as fast as a Fraction
    if not math.isfinite(value):
        raise InvalidInput.of(field, f"{value} is not a finite number; accepted: {accepted}")
    if value.is_integer() and abs(value) < _EXACT:
        return int(value)
    # The shortest decimal form of the float: 0.1 means a tenth.  Its exact value 0.1000000000000000055 would round up
    # to one millisecond too many.
    return Fraction(repr(value))


def _delay_of_text(value: str) -> Fraction:
    text = value.strip()
    if len(text) <= _MAX_TEXT:
        if _NUMBER.fullmatch(text):
            return Fraction(text) * 1000
        if _NEGATIVE.fullmatch(text) or text[:2].upper() == "-P":
            return Fraction(-1)
        if _UNITS.fullmatch(text):
            return _sum_units(value, [(number, unit.lower()) for number, unit in _UNIT.findall(text)])
        if (match := _DURATION.fullmatch(text)) and text[-1].upper() not in "PT":
            parts = zip(match.groups(), ("w", "d", "h", "m", "s"), strict=True)
            return _sum_units(value, [(number.replace(",", "."), unit) for number, unit in parts if number])
        date = text.upper().partition("T")[0]
        if _DURATION_DATE.fullmatch(date) and ("Y" in date or "M" in date):
            raise InvalidInput.of(
                "delay",
                f"{_shown(value)} has years or months, which have no fixed length; accepted: {DELAY_FORMS}, "
                "or the moment itself as time",
            )
    raise InvalidInput.of("delay", f"{_shown(value)} is not a delay; accepted: {DELAY_FORMS}")


def _sum_units(value: str, parts: list[tuple[str, str]]) -> Fraction:
    order = [list(_UNIT_MS).index(unit) for _, unit in parts]
    if order != sorted(set(order)):
        raise InvalidInput.of(
            "delay", f"{_shown(value)}: each unit only once, the largest first ({', '.join(_UNIT_MS)})"
        )
    if any("." in number for number, _ in parts[:-1]):
        raise InvalidInput.of("delay", f"{_shown(value)}: only the last number may have decimals")
    return sum((Fraction(number) * _UNIT_MS[unit] for number, unit in parts), Fraction(0))


def _is_zone(name: str) -> bool:
    return name not in _OF_THE_MACHINE and not name.startswith(_FOLDERS)


def _suggestion(name: str) -> str:
    near = difflib.get_close_matches(name.lower(), _zone_names(), n=1)
    return f" (did you mean {_zone_names()[near[0]]}?)" if near else ""


@lru_cache(maxsize=1)
def _zone_names() -> dict[str, str]:
    # Cached, because it reads the disk; only needed for a name that was not found.
    return {name.lower(): name for name in available_timezones() if _is_zone(name)}


def _shown(value: object) -> str:
    """Return any value as short text for an error: one line, ASCII."""
    if isinstance(value, str):
        return ascii(value if len(value) <= _MAX_TEXT else value[: _MAX_TEXT - 1] + "…")
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, float) or (isinstance(value, int) and abs(value) < 10**20):
        return str(value)
    return "the number" if isinstance(value, int) else f"a value of type {type(value).__name__}"
