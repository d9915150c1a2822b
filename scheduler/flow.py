"""Flow control: what the messages of one flow key may do at once.  Pure, no I/O.

``docs/flow.md`` explains the words and the rules; ``scheduler/store/lua/_flow.lua`` carries them out.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal, NamedTuple

MOST: Final = 1_000_000
"""The highest concurrency, and the highest rate."""
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
