"""Merge several sorted sets into one page, with a cursor that stays valid when messages move.

The sets of a list (one for each lane, priority and partition) are read from the same position and merged.  When a set
was not read to its end, the merge stops at the last position that was read of it: behind that, it may hold a message
that comes before those of the other sets.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Sequence
from typing import Generic, NamedTuple, TypeVar

from scheduler.errors import InvalidInput
from scheduler.message import Status

T = TypeVar("T")

SECTIONS: tuple[tuple[str, bool], ...] = (
    ("locks", False),
    ("scheduled", False),
    ("dead", True),
    ("done", True),
)
"""(name, newest first) of each section of a list, in order.  ``scheduled`` stands for all due sets."""


class Position(NamedTuple):
    """A place in a sorted set, which is ordered by score, then by id."""

    score: float
    id: str


class Part(NamedTuple, Generic[T]):
    """The rows that were read of one set."""

    rows: Sequence[tuple[Position, T]]
    reached: Position | None
    """The last position that was read; None: the set was read to its end."""


class PageCursor(NamedTuple):
    section: int
    after: Position | None

    def encode(self) -> str:
        after = f"{self.after.score:.0f} {self.after.id}" if self.after else ""
        return base64.urlsafe_b64encode(f"{self.section} {after}".encode()).decode().rstrip("=")

    @classmethod
    def decode(cls, text: str) -> PageCursor:
        """Raises ``InvalidInput``."""
        try:
            padded = text.encode("ascii") + b"=" * (-len(text) % 4)
            section, _, after = base64.b64decode(padded, b"-_", validate=True).decode().partition(" ")
            score, _, id = after.partition(" ")
            position = Position(float(int(score)), id) if after else None
            if not 0 <= int(section) < len(SECTIONS):
                raise ValueError(section)
            return cls(int(section), position)
        except (ValueError, OverflowError, binascii.Error) as error:
            raise InvalidInput.of(
                "cursor", "is not a cursor of this service; use next_cursor as it was given"
            ) from error


def sections_of(status: Status | None) -> range:
    """Return the indexes of the sections that a list of this status reads."""
    match status:
        case None:
            return range(len(SECTIONS))
        case Status.PROCESSING:
            return range(1)
        case Status.SCHEDULED:
            return range(1, 2)
        case Status.DEAD:
            return range(2, 3)
        case _:
            return range(3, 4)


def merge(parts: Sequence[Part[T]], limit: int, down: bool) -> tuple[list[T], Position | None]:
    """Return the first ``limit`` rows of all parts in order, and the position to continue after; None: no more."""

    def before(a: Position, b: Position) -> bool:
        return a > b if down else a < b

    horizon: Position | None = None
    for part in parts:
        if part.reached is not None and (horizon is None or before(part.reached, horizon)):
            horizon = part.reached
    rows = sorted((row for part in parts for row in part.rows), key=lambda row: row[0], reverse=down)
    # Beyond the horizon, a set may hold an earlier row that was not read.
    safe = rows if horizon is None else [row for row in rows if not before(horizon, row[0])]
    taken = safe[:limit]
    if len(taken) < len(rows):
        return [m for _, m in taken], taken[-1][0] if len(taken) == limit else horizon
    return [m for _, m in taken], horizon


def collect(
    read: Callable[[int, Position | None, int], Sequence[Part[T]]],
    sections: range,
    limit: int,
    cursor: PageCursor | None,
) -> tuple[list[T], PageCursor | None]:
    """Fill a page section by section.  ``read(section, after, limit)`` returns one ``Part`` per set."""
    found: list[T] = []
    section, after = (cursor.section, cursor.after) if cursor else (sections.start, None)
    while section in sections:
        part, more = merge(read(section, after, limit - len(found)), limit - len(found), SECTIONS[section][1])
        found += part
        if more is not None:
            return found, PageCursor(section, more)
        section, after = section + 1, None
        if len(found) == limit and section in sections:
            return found, PageCursor(section, None)
    return found, None
