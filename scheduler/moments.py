"""Read the written forms of a moment: ISO 8601, RFC 2822, and those of JavaScript's ``Date``.  Pure.

Matching takes time linear in the length of the text, because in every pattern each part begins with a character that
the part before it cannot match.
"""

from __future__ import annotations

import math
import re
from datetime import UTC, datetime, timedelta
from datetime import timezone as fixed_offset
from fractions import Fraction
from typing import Final
from zoneinfo import ZoneInfo

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_OURS: Final = ("1970", "2199")
"""First and last year for which digits without separators are read as a date."""
_FLAGS: Final = re.IGNORECASE | re.ASCII

_ISO = re.compile(
    r"(?P<date>[0-9]{4}(?:-W[0-9]{2}(?:-[0-9])?|W[0-9]{2}[0-9]?|-[0-9]{2}-[0-9]{2}|[0-9]{4}))"
    r"(?:[T ](?P<clock>(?P<hour>[0-9]{2})(?::[0-9]{2}(?::[0-9]{2})?|[0-9]{2}(?:[0-9]{2})?)?)"
    r"(?:[.,](?P<fraction>[0-9]+))?"
    r" ?(?P<offset>Z|[+-][0-9]{2}(?::?[0-9]{2}(?::?[0-9]{2})?)?)?)?",
    _FLAGS,
)
_YEAR_OR_MONTH = re.compile(r"(?P<year>[0-9]{4})(?:-(?P<month>[0-9]{2}))?")
# The clock and the zone of the forms below.  JavaScript writes "GMT+0200 (Central European Summer Time)".
_CLOCK: Final = (
    r"(?:,? +(?P<hour>[0-9]{1,2}):(?P<minute>[0-9]{2})(?::(?P<second>[0-9]{2}))?(?: *(?P<half>[AP])M)?"
    r"(?: *(?:GMT|UTC)?(?P<offset>[+-][0-9]{2}:?[0-9]{2})| *(?P<zone>[A-Z]{1,3}))?(?: *\([^()]*\))?)?"
)
_DAY_FIRST: Final = r"(?P<day>[0-9]{1,2}) +(?P<month>[A-Z]{3,9}),? +(?P<year>[0-9]{4})"
_MONTH_FIRST: Final = r"(?P<month>[A-Z]{3,9}) +(?P<day>[0-9]{1,2}),? +(?P<year>[0-9]{4})"
_WEEKDAY: Final = r"(?:(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)(?:[a-z]*day)?,? +)?"
_NAMED = tuple(re.compile(_WEEKDAY + date + _CLOCK, _FLAGS) for date in (_DAY_FIRST, _MONTH_FIRST))
_YEAR_FIRST = re.compile(r"(?P<year>[0-9]{4})([/-])(?P<month>[0-9]{1,2})\2(?P<day>[0-9]{1,2})" + _CLOCK, _FLAGS)
_AMERICAN = re.compile(r"(?P<month>[0-9]{1,2})/(?P<day>[0-9]{1,2})/(?P<year>[0-9]{4})" + _CLOCK, _FLAGS)

_MONTHS: Final = (
    *("january", "february", "march", "april", "may", "june"),
    *("july", "august", "september", "october", "november", "december"),
)
_ZONES: Final = {
    **dict.fromkeys(("UT", "UTC", "GMT", "Z"), 0),
    **dict(EDT=-4, EST=-5, CDT=-5, CST=-6, MDT=-6, MST=-7, PDT=-7, PST=-8),  # noqa: C408 - reads as a table
}


def read(text: str, zone: ZoneInfo | None, *, american: bool) -> int | None:
    """Return the milliseconds since the epoch, UTC; None when the text has none of the forms.

    A local time is read in ``zone``, or in UTC without one.  ``american``: 1/2/2027 is 2 January; without it such a
    date is refused, because to most people it is 1 February.
    Raises ValueError with the reason when the form is right and the moment does not exist, and OverflowError beyond the
    year 9999.
    """
    if match := _ISO.fullmatch(text):
        return _iso(match, zone)
    if match := _YEAR_OR_MONTH.fullmatch(text):
        return _utc_ms(datetime(int(match["year"]), int(match["month"] or "1"), 1), zone)  # noqa: DTZ001 - zone follows
    for form in (*_NAMED, _YEAR_FIRST, _AMERICAN):
        if match := form.fullmatch(text):
            if form is _AMERICAN and not american:
                raise ValueError("a date with slashes must begin with the year (2027/02/01), as 1/2 is read both ways")
            return _calendar(match, zone)
    return None


def is_date(digits: str) -> bool:
    """Return whether the digits are ``YYYY`` or ``YYYYMMDD`` from 1970 to 2199; 3600 is rather an hour than a year."""
    return len(digits) in (4, 8) and digits.isdigit() and _OURS[0] <= digits[:4] <= _OURS[1]


def is_date_and_time(digits: str) -> bool:
    """Return whether the digits are ``YYYYMMDDhhmm`` or ``YYYYMMDDhhmmss`` from 1970 to 2199."""
    if len(digits) not in (12, 14) or not _OURS[0] <= digits[:4] <= _OURS[1]:
        return False
    try:
        datetime.strptime(digits.ljust(14, "0"), "%Y%m%d%H%M%S")  # noqa: DTZ007 - only whether it is one
    except ValueError:
        return False
    return True


def _iso(match: re.Match[str], zone: ZoneInfo | None) -> int:
    """Read ISO 8601: the standard library reads all but the fraction, which may have any length here."""
    day, clock, fraction = match["date"].upper(), match["clock"], match["fraction"] or ""
    next_day = 0
    if clock is None:
        clock = "00:00"
    else:
        digits = clock.replace(":", "")
        if fraction and len(digits) < len("hhmmss"):
            raise ValueError("only seconds may have a fraction")
        if match["hour"] == "24":
            if (digits + fraction).rstrip("0") != "24":
                raise ValueError("hour 24 is only accepted as 24:00:00, the end of a day")
            clock, next_day = "00:00", 1
    offset = (match["offset"] or "").upper()
    if offset[1:3] > "23" or any(part > "59" for part in re.findall("[0-9]{2}", offset)[1:]):
        raise ValueError("the offset must be from -23:59 to +23:59")
    moment = datetime.fromisoformat(f"{day}T{clock}{offset}") + timedelta(days=next_day)
    return _utc_ms(moment, zone) + math.ceil(Fraction(int(fraction or "0"), 10 ** len(fraction)) * 1000)


def _calendar(match: re.Match[str], zone: ZoneInfo | None) -> int:
    moment = datetime(  # noqa: DTZ001 - the zone follows
        int(match["year"]),
        _month(match["month"]),
        int(match["day"]),
        _hour(match["hour"] or "0", match["half"]),
        int(match["minute"] or "0"),
        int(match["second"] or "0"),
    )
    if match["offset"] is not None:
        moment = moment.replace(tzinfo=_offset(match["offset"]))
    elif match["zone"] is not None:
        moment = moment.replace(tzinfo=_zone(match["zone"]))
    return _utc_ms(moment, zone)


def _month(text: str) -> int:
    if text.isdigit():
        return int(text)
    name = text.lower()
    for number, month in enumerate(_MONTHS, 1):
        if name in (month[:3], month) or (name, number) == ("sept", 9):
            return number
    raise ValueError("the month must be Jan to Dec, or its whole name")


def _hour(text: str, half: str | None) -> int:
    hour = int(text)
    if half is None:
        return hour
    if not 1 <= hour <= 12:
        raise ValueError("the hour before AM or PM must be 1 to 12")
    return hour % 12 + (12 if half in "Pp" else 0)


def _offset(text: str) -> fixed_offset:
    hours, minutes = int(text[1:3]), int(text[-2:])
    if minutes > 59:
        raise ValueError("the minutes of an offset must be 00 to 59")
    offset = timedelta(hours=hours, minutes=minutes)
    return fixed_offset(-offset if text[0] == "-" else offset)


def _zone(name: str) -> fixed_offset:
    hours = _ZONES.get(name.upper())
    if hours is None:
        raise ValueError(f"{name} is no zone of RFC 2822 (GMT, UT, EST, or an offset such as +0100)")
    return fixed_offset(timedelta(hours=hours))


def _utc_ms(moment: datetime, zone: ZoneInfo | None) -> int:
    """Return whole ms since the epoch.

    When the clock is set back, a local time that occurs twice means the first occurrence (``fold`` is 0).  A time that
    the clock skips is moved forward by the gap.
    """
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=zone or UTC)
    return (moment - _EPOCH) // timedelta(milliseconds=1)
