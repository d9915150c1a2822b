"""Cron the slow way: walk the clock of a zone and look at each minute.  A reference for ``scheduler/recurrence``.

It shares no code with the service and none with croniter: an expression is read here a second time, each day is judged
by itself, and the clock is that of ``zoneinfo``.
"""

from __future__ import annotations

import random
from calendar import monthrange
from datetime import UTC, date, datetime, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MONTHS = ["", "JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"]
_WEEKDAYS = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"]
_LONGEST_GAP = timedelta(hours=3)


class Tick(NamedTuple):
    """A minute (or second) of a zone's clock, and those that the clock skipped right before it."""

    moment: int
    """Seconds since the epoch."""
    local: datetime
    """Without a zone."""
    repeated: bool
    """Whether the clock has shown this local time before."""
    skipped: tuple[datetime, ...]


def walk(zone: str, start: datetime, length: timedelta, step: timedelta) -> list[Tick]:
    """Return every tick of ``step`` of the zone's clock from ``start`` (UTC) on."""
    ticks = []
    key = ZoneInfo(zone)
    before = (start - step).astimezone(key).replace(tzinfo=None)
    for n in range(length // step):
        now = start + n * step
        there = now.astimezone(key)
        local = there.replace(tzinfo=None)
        jump = range(1, (local - before) // step) if local - before > step else range(0)
        skipped = tuple(before + k * step for k in jump)
        ticks.append(Tick((now - _EPOCH) // timedelta(seconds=1), local, there.fold == 1, skipped))
        before = local
    return ticks


def moments(expression: str, ticks: list[Tick], step: timedelta) -> list[int]:
    """Return the moments of an expression among the ticks, by Debian's rule for clocks that are changed."""
    cron = SlowCron(expression)
    found = []
    for tick in ticks:
        on = cron.matches(tick.local) and (cron.interval or not tick.repeated)
        if not on and tick.skipped and not cron.interval and len(tick.skipped) * step <= _LONGEST_GAP:
            on = any(cron.matches(local) for local in tick.skipped)
        if on:
            found.append(tick.moment)
    return found


class SlowCron:
    """One expression, of which each question is answered by looking."""

    def __init__(self, expression: str) -> None:
        fields = expression.split()
        self.second = _numbers(fields.pop(0), 0, 59, []) if len(fields) == 6 else {0}
        minute, hour, self.day, month, self.weekday = fields
        self.minute, self.hour = _numbers(minute, 0, 59, []), _numbers(hour, 0, 23, [])
        self.month = _numbers(month, 1, 12, _MONTHS)
        self.interval = minute[0] == "*" or hour[0] == "*"
        self._days: dict[date, bool] = {}

    def matches(self, local: datetime) -> bool:
        """Say whether the expression names this local time."""
        if local.minute not in self.minute or local.hour not in self.hour or local.second not in self.second:
            return False
        day = local.date()
        if day not in self._days:
            self._days[day] = self.on_day(day)
        return self._days[day]

    def on_day(self, day: date) -> bool:
        """Say whether the expression names this day."""
        if day.month not in self.month:
            return False
        of_month = any(_is_day(item, day) for item in self.day.split(","))
        of_week = any(_is_weekday(item, day) for item in self.weekday.split(","))
        if self.day.startswith("*") or self.weekday.startswith("*"):
            return of_month and of_week
        return of_month or of_week


def _is_day(item: str, day: date) -> bool:
    last = monthrange(day.year, day.month)[1]
    if item == "LW":
        return day.weekday() < 5 and all(
            day.replace(day=later).weekday() >= 5 for later in range(day.day + 1, last + 1)
        )
    if item.startswith("L"):
        return last - day.day == int(item[2:] or 0)
    if item.endswith("W"):
        wanted = int(item[:-1])
        if wanted > last or day.weekday() >= 5:
            return False
        # The nearest weekday of the same month; of the same nearness there is none, as a weekend has two days.
        workdays = [d for d in range(1, last + 1) if day.replace(day=d).weekday() < 5]
        return day.day == min(workdays, key=lambda d: abs(d - wanted))
    return day.day in _numbers(item, 1, 31, [])


def _is_weekday(item: str, day: date) -> bool:
    number = day.isoweekday() % 7
    if "#" in item:
        name, nth = item.split("#")
        return number in _numbers(name, 0, 7, _WEEKDAYS) and (day.day + 6) // 7 == int(nth)
    if item.endswith("L"):
        return number in _numbers(item[:-1], 0, 7, _WEEKDAYS) and (day + timedelta(days=7)).month != day.month
    return number in _numbers(item, 0, 7, _WEEKDAYS)


def _numbers(text: str, low: int, high: int, names: list[str]) -> set[int]:
    """Count from the begin of each range to its end, over the end of the field if need be."""
    size = 7 if names is _WEEKDAYS else high - low + 1
    found = set()
    for item in text.split(","):
        span, _, step = item.partition("/")
        begin, _, end = span.partition("-")
        first = low if begin == "*" else names.index(begin) if begin in names else int(begin)
        if begin == "*" or (step and not end):
            last = max(low + size - 1, first)
        else:
            last = first if not end else names.index(end) if end in names else int(end)
        if first > last and names is _WEEKDAYS:
            first %= 7  # from Sunday on, which is before all others
        value, counted = first, 0
        while True:
            if counted % int(step or 1) == 0:
                found.add(low + (value - low) % size)
            if value == last:
                break
            value = low if first > last and value == low + size - 1 else value + 1
            counted += 1
    return found


def random_expression(rng: random.Random, *, seconds: bool = False, hours: tuple[int, ...] = tuple(range(24))) -> str:
    """Return an expression of any form.  ``hours``: those that fixed hours are drawn from, near a change of a clock."""
    minute = _random_field(rng, 0, 59, [], rng.choice([0, 15, 30, 45, 59]))
    hour = _random_field(rng, 0, 23, [], rng.choice(hours))
    month = rng.choice(["*"] * 4 + [_random_field(rng, 1, 12, _MONTHS, rng.randint(1, 12))])
    kind = rng.randrange(4)
    day = _random_day(rng) if kind in (1, 3) else "*"
    weekday = _random_weekday(rng) if kind in (2, 3) else "*"
    expression = f"{minute} {hour} {day} {month} {weekday}"
    return f"{_random_field(rng, 0, 59, [], rng.choice([0, 30]))} {expression}" if seconds else expression


def _random_field(rng: random.Random, low: int, high: int, names: list[str], likely: int) -> str:
    def one() -> str:
        value = rng.choice([likely, rng.randint(low, high)])
        return names[value] if names and value < len(names) and rng.random() < 0.3 else str(value)

    size = high - low + 1
    form = rng.randrange(8)
    if form == 0:
        return "*"
    if form == 1:
        return f"*/{rng.randint(1, size // 2)}"
    if form == 2:
        return f"{one()}-{one()}"
    if form == 3:
        return f"{one()}-{one()}/{rng.randint(1, size // 2)}"
    if form == 4:
        return f"{one()}/{rng.randint(1, size // 2)}"
    return ",".join(one() for _ in range(rng.choice([1, 1, 1, 2, 3])))


def _random_day(rng: random.Random) -> str:
    special = ["L", "LW", f"L-{rng.randint(1, 30)}", f"{rng.randint(1, 31)}W"]
    items = [_random_field(rng, 1, 31, [], rng.randint(1, 31))]
    if rng.random() < 0.4:
        items.append(rng.choice(special))
    return ",".join(rng.sample(items, rng.randint(1, len(items))))


def _random_weekday(rng: random.Random) -> str:
    day = rng.choice([str(rng.randint(0, 7)), rng.choice(_WEEKDAYS)])
    items = [_random_field(rng, 0, 7, _WEEKDAYS, rng.randint(0, 7))]
    if rng.random() < 0.4:
        items.append(rng.choice([f"{day}#{rng.randint(1, 5)}", f"{day}L"]))
    return ",".join(rng.sample(items, rng.randint(1, len(items))))
