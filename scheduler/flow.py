"""Flow control: what the messages of one flow key may do at once, and what the settings say of keys.  Pure, no I/O.

``docs/flow.md`` explains the words and the rules; ``scheduler/store/lua/_flow_keys.lua`` and ``_turns.lua`` carry
them out.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from hashlib import blake2b
from typing import Final, Literal, NamedTuple

from scheduler.errors import InvalidInput
from scheduler.when import parse_delay

MOST: Final = 1_000_000
"""The highest concurrency, and the highest rate."""
_LONGEST_KEY: Final = 128
"""As of the ids of messages."""
SHORTEST_MS: Final = 1_000
LONGEST_MS: Final = 7 * 86_400_000

Source = Literal["message", "settings", "pinned"]


class Rate(NamedTuple):
    """Attempts that may begin in a window."""

    most: int
    period_ms: int


class FlowLimits(NamedTuple):
    """What a flow key allows; None says nothing about it."""

    concurrency: int | None = None
    """Messages in flight at once, over all servers."""
    rate: Rate | None = None
    ordered: bool | None = None
    """One after the other, in the order of their moments, then of their acceptance."""

    def encode(self) -> str:
        """Return the form of the store: ``concurrency,rate/period_ms,ordered``."""
        concurrency = "" if self.concurrency is None else self.concurrency
        rate = "" if self.rate is None else f"{self.rate.most}/{self.rate.period_ms}"
        ordered = "" if self.ordered is None else int(self.ordered)
        return f"{concurrency},{rate},{ordered}"

    @classmethod
    def decode(cls, text: str) -> FlowLimits:
        """Read the form of the store."""
        concurrency, rate, ordered = text.split(",")
        most, _, period = rate.partition("/")
        return cls(
            int(concurrency) if concurrency else None,
            Rate(int(most), int(period)) if rate else None,
            ordered == "1" if ordered else None,
        )

    def over(self, older: FlowLimits) -> FlowLimits:
        """Return these limits, with those of ``older`` where these say nothing."""
        return FlowLimits(
            older.concurrency if self.concurrency is None else self.concurrency,
            older.rate if self.rate is None else self.rate,
            older.ordered if self.ordered is None else self.ordered,
        )


class Flow(NamedTuple):
    """What a message says of its flow key."""

    key: str
    limits: FlowLimits = FlowLimits()
    """They replace those that came with earlier messages, each for itself."""
    default: FlowLimits = FlowLimits()
    """Those of the settings, for what no message says."""

    def encode(self) -> str:
        """Return the form of the store: key, limits and default."""
        return f"{self.key} {self.limits.encode()} {self.default.encode()}"

    @classmethod
    def decode(cls, text: str | None) -> Flow | None:
        """Read the form of the store; None for nothing."""
        if not text:
            return None
        key, limits, default = text.split(" ")
        return cls(key, FlowLimits.decode(limits), FlowLimits.decode(default))


@dataclass(frozen=True, slots=True)
class FlowRules:
    """What the settings say of flow keys."""

    patterns: tuple[tuple[re.Pattern[str], FlowLimits], ...]
    per_destination: FlowLimits | None

    def flow_of(self, key: str | None, limits: FlowLimits, destination: str | None) -> Flow | None:
        """Return what a message says of its flow key, given or that of its destination; None: it has none."""
        if key is not None:
            return Flow(key, limits, self._default(key))
        if destination is None or self.per_destination is None:
            return None
        key = _short(destination)
        return Flow(key, default=self._default(key).over(self.per_destination))

    def _default(self, key: str) -> FlowLimits:
        return next((limits for pattern, limits in self.patterns if pattern.fullmatch(key)), FlowLimits())


def _short(destination: str) -> str:
    """Return a flow key for a destination: a host name may be longer than a key, and then its end is a checksum."""
    if len(destination) <= _LONGEST_KEY:
        return destination
    checksum = blake2b(destination.encode(), digest_size=8).hexdigest()
    return f"{destination[: _LONGEST_KEY - len(checksum) - 1]}-{checksum}"


LIMITS_ACCEPTED: Final = "concurrency=5, rate=10/1m, ordered, any of them with blanks in between"


@cache
def rules_of(defaults: str, per_destination: str) -> FlowRules:
    """Read the settings.  Raises ``ValueError`` with a sentence.

    ``defaults``: entries like ``tenant-* concurrency=5 rate=10/1m ordered`` with commas in between; ``*`` stands for
    any characters, and the first entry that fits a key counts.  ``per_destination``: limits alone, empty for none.
    """
    patterns = tuple(_entries(defaults))
    return FlowRules(patterns, limits_of(per_destination) if per_destination else None)


def _entries(defaults: str) -> Iterator[tuple[re.Pattern[str], FlowLimits]]:
    for entry in filter(None, (part.strip() for part in defaults.split(","))):
        pattern, _, limits = entry.partition(" ")
        if re.fullmatch(r"[A-Za-z0-9_.:*-]+", pattern) is None:
            raise ValueError(f"{pattern!r} is no pattern of a flow key; accepted: letters, digits and _ . : - *")
        yield re.compile(".*".join(map(re.escape, pattern.split("*")))), limits_of(limits)


def limits_of(text: str) -> FlowLimits:
    """Read limits as settings write them.  Raises ``ValueError`` with a sentence."""
    found: dict[str, object] = {}
    for word in text.split():
        name, _, value = word.partition("=")
        if name in found or name not in ("concurrency", "rate", "ordered"):
            raise ValueError(f"{word!r} is no limit, or is given twice; accepted: {LIMITS_ACCEPTED}")
        if name == "ordered":
            if value not in ("", "true", "false"):
                raise ValueError(f"{word!r}: accepted: ordered, or ordered=false")
            found[name] = value != "false"
        elif name == "concurrency":
            found[name] = _whole(word, value)
        else:
            most, _, period = value.partition("/")
            found[name] = Rate(_whole(word, most), period_of(period))
    if not found:
        raise ValueError(f"limits are missing; accepted: {LIMITS_ACCEPTED}")
    return FlowLimits(**found)  # type: ignore[arg-type]


def _whole(word: str, number: str) -> int:
    if not (number.isascii() and number.isdigit() and len(number) <= 9 and 1 <= int(number) <= MOST):
        raise ValueError(f"{word!r}: accepted: whole numbers from 1 to {MOST}")
    return int(number)


def period_of(value: object) -> int:
    """Return the milliseconds of a period, given as a delay is.  Raises ``ValueError`` with a sentence."""
    try:
        period_ms = parse_delay(value)
    except InvalidInput as error:
        raise ValueError(error.errors[0].message) from None
    if not SHORTEST_MS <= period_ms <= LONGEST_MS:
        raise ValueError("must be from 1 second to 7 days")
    return period_ms


@dataclass(frozen=True, slots=True, kw_only=True)
class FlowState:
    """A flow key as it is now."""

    key: str
    scheduled: int
    """Messages that wait for their moment, or for the key."""
    waiting: int
    """Those of ``scheduled`` that are due."""
    in_flight: int
    from_messages: FlowLimits
    from_settings: FlowLimits
    pinned: FlowLimits
    used: int
    """Attempts that began in the window."""
    window_ends_at: int | None
    """ms; None: no window runs."""
    paused: bool
    paused_until: int | None
    """ms; None: not paused, or until it is resumed."""
    oldest_due_at: int | None
    """ms: the due_at of the first of ``waiting``."""
    next_at: int | None
    """ms: the moment at which a message may go next; None: there is none, or another has to end first, or it is paused
    until it is resumed."""

    @property
    def limits(self) -> FlowLimits:
        """Return what is in force."""
        return self.pinned.over(self.from_messages.over(self.from_settings))

    def source(self, name: Literal["concurrency", "rate", "ordered"]) -> Source | None:
        """Return where a limit in force comes from; None: there is none."""
        places: tuple[tuple[Source, FlowLimits], ...] = (
            ("pinned", self.pinned), ("message", self.from_messages), ("settings", self.from_settings),
        )  # fmt: skip
        return next((place for place, limits in places if getattr(limits, name) is not None), None)
