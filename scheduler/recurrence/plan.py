"""``Recurrence``: all the moments of a schedule, from its cron text or its interval, its zone and its bounds.

The plan is fixed once it is made: it does not depend on which of its moments were delivered, skipped or missed, nor on
when one asks.  ``max_runs`` counts its moments from ``start`` on, so it is nothing but another end, found when the plan
is made; nobody has to keep a count.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final, NamedTuple

from scheduler.errors import InvalidInput
from scheduler.recurrence.cron import Cron, cron_of
from scheduler.recurrence.every import Every, parse_every
from scheduler.recurrence.fields import split_zone
from scheduler.recurrence.zones import LAST_MOMENT, is_known
from scheduler.when import format_ms, parse_timezone

LAST_MS: Final = LAST_MOMENT * 1000
"""The last moment that a plan can have: 30 December 9999."""
MOST_RUNS: Final = 1_000_000
"""The largest ``max_runs``."""

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class Run(NamedTuple):
    """One moment of a plan, as it is shown."""

    at: str
    """``2026-03-29T01:00:00.000Z``"""
    at_ms: int
    local: str
    """In the plan's zone, with its offset: ``2026-03-29T03:00:00+02:00``; with milliseconds if it has any.  In UTC when
    this server does not know the zone.
    """


@dataclass(frozen=True, slots=True)
class Recurrence:
    """A plan.  Make one with ``of``; the store keeps ``encode()`` and reads it back with ``decode``.

    All moments are milliseconds since the epoch, UTC.
    """

    cron: str | None
    """The expression without its ``CRON_TZ=`` prefix; None when the plan has an interval."""
    every_ms: int | None
    timezone: str
    """IANA name.  An interval only uses it to show local times."""
    start_ms: int
    """The first moment that the plan may have.  An interval counts from here."""
    last_ms: int
    """The last moment that the plan may have: of ``end`` and ``max_runs`` what comes first."""

    @classmethod
    def of(
        cls,
        *,
        now_ms: int,
        cron: object = None,
        every: object = None,
        timezone: object = None,
        start_ms: int | None = None,
        end_ms: int | None = None,
        max_runs: int | None = None,
    ) -> Recurrence:
        """Return the plan of what a client asks for.

        ``start_ms`` and ``end_ms`` are inclusive.  Without a start the plan begins after ``now_ms``: a cron plan with
        its first moment after it, an interval one length later.  A start in the past is kept: the moments since then
        belong to the plan and count for ``max_runs``.
        Raises InvalidInput that names ``cron``, ``every``, ``timezone``, ``start``, ``end`` or ``max_runs``.
        """
        if (cron is None) == (every is None):
            raise InvalidInput.of(
                "cron", f"cron and every are {'both missing' if cron is None else 'both given'}; accepted: one of them"
            )
        if max_runs is not None and not 1 <= max_runs <= MOST_RUNS:
            raise InvalidInput.of("max_runs", f"is {max_runs}; accepted: 1 to {MOST_RUNS:,}")
        if start_ms is not None and not 0 <= start_ms <= LAST_MS:
            raise InvalidInput.of("start", "lies outside of what a plan can have; accepted: 1970 to 30 December 9999")
        last_ms = LAST_MS if end_ms is None else min(end_ms, LAST_MS)
        if every is not None:
            length = parse_every(every)
            start = now_ms + length if start_ms is None else start_ms
            plan = cls(None, length, _zone_key(timezone), start, last_ms)
        else:
            prefix, text = split_zone(cron)
            cron_of(text)
            zone = _zone_of_cron(prefix, timezone)
            plan = cls(text, None, zone, min(now_ms + 1, LAST_MS) if start_ms is None else start_ms, last_ms)
        plan._check_end(end_ms)
        return plan if max_runs is None else plan._with_runs(max_runs)

    def next_after(self, moment_ms: int) -> int | None:
        """Return the first moment of the plan after ``moment_ms``, or None: it has come to its end."""
        after = max(moment_ms, self.start_ms - 1)
        if after >= self.last_ms:
            return None
        if self.every_ms is not None:
            found: int | None = self._interval.next_after(after)
        else:
            found = _ms(self._cron.next_after(self.timezone, after // 1000))
        if found is None or found > self.last_ms:
            return None
        if found <= moment_ms:
            raise AssertionError(f"the moment after {moment_ms} of {self} cannot be {found}")
        return found

    def latest_at(self, moment_ms: int) -> int | None:
        """Return the last moment of the plan at or before ``moment_ms``, or None: it begins later."""
        at = min(moment_ms, self.last_ms)
        if self.every_ms is not None:
            found = self._interval.latest_at(at)
        else:
            found = _ms(self._cron.latest_at(self.timezone, at // 1000)) if at >= self.start_ms else None
        return None if found is None or found < self.start_ms else found

    def count(self, after_ms: int, until_ms: int) -> int:
        """Return how many moments of the plan lie after ``after_ms`` and not after ``until_ms``.

        Takes time by the months between them, not by the moments.
        """
        after, until = max(after_ms, self.start_ms - 1), min(until_ms, self.last_ms)
        if until <= after:
            return 0
        if self.every_ms is not None:
            return self._interval.count(after, until)
        return self._cron.count(self.timezone, after // 1000, until // 1000)

    @property
    def is_computable(self) -> bool:
        """Whether this server can say when it comes: its time zone data may lack the zone."""
        return self.cron is None or is_known(self.timezone)

    def preview(self, after_ms: int, count: int) -> list[Run]:
        """Return up to ``count`` moments of the plan, each after ``after_ms``."""
        runs: list[Run] = []
        while len(runs) < count and (moment := self.next_after(after_ms)) is not None:
            runs.append(self.shown(moment))
            after_ms = moment
        return runs

    def shown(self, moment_ms: int) -> Run:
        """Return how a moment is shown, in UTC and in the plan's zone."""
        zone = parse_timezone(self.timezone) if is_known(self.timezone) else UTC
        local = (_EPOCH + timedelta(milliseconds=moment_ms)).astimezone(zone)
        spec = "milliseconds" if moment_ms % 1000 else "seconds"
        return Run(format_ms(moment_ms), moment_ms, local.isoformat(timespec=spec))

    @property
    def shortest_distance_ms(self) -> int:
        """The least milliseconds between two moments, changes of the clock left aside."""
        return self.every_ms if self.every_ms is not None else self._cron.shortest_distance() * 1000

    def encode(self) -> dict[str, str | int]:
        """Return the plan as plain data, for ``decode``."""
        rule: dict[str, str | int] = {"cron": self.cron} if self.cron is not None else {"every": self.every_ms or 0}
        return {**rule, "timezone": self.timezone, "start": self.start_ms, "last": self.last_ms}

    @classmethod
    def decode(cls, data: dict[str, str | int]) -> Recurrence:
        """Return the plan that ``encode`` gave.  It was checked when it was made."""
        cron, every = data.get("cron"), data.get("every")
        return cls(
            None if cron is None else str(cron),
            None if every is None else int(every),
            str(data["timezone"]),
            int(data["start"]),
            int(data["last"]),
        )

    @property
    def _cron(self) -> Cron:
        return cron_of(self.cron or "")

    @property
    def _interval(self) -> Every:
        return Every(self.start_ms, self.every_ms or 0)

    def _check_end(self, end_ms: int | None) -> None:
        if end_ms is not None and self.next_after(self.start_ms - 1) is None:
            raise InvalidInput.of("end", "lies before the first run; accepted: the moment of a run or a later one")

    def _with_runs(self, max_runs: int) -> Recurrence:
        if self.every_ms is not None:
            last: int | None = self._interval.nth(max_runs)
        else:
            # The first whole second from start on.
            last = _ms(self._cron.nth(self.timezone, -(-self.start_ms // 1000), max_runs))
        last_ms = self.last_ms if last is None else min(last, self.last_ms)
        return Recurrence(self.cron, self.every_ms, self.timezone, self.start_ms, last_ms)


def _zone_of_cron(prefix: str | None, timezone: object) -> str:
    if prefix is None:
        return _zone_key(timezone)
    try:
        key = _zone_key(prefix)
    except InvalidInput as error:
        raise InvalidInput.of("cron", f"CRON_TZ: {error.errors[0].message}") from None
    if timezone is not None and _zone_key(timezone) != key:
        raise InvalidInput.of("timezone", f"differs from CRON_TZ={key} in cron; accepted: one of them, or the same")
    return key


def _zone_key(timezone: object) -> str:
    zone = parse_timezone(timezone)
    return "UTC" if zone is None else zone.key


def _ms(seconds: int | None) -> int | None:
    return None if seconds is None else seconds * 1000
