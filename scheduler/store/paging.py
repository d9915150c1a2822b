"""A page out of several sorted sets: merged in order, with a cursor that survives moves.

The sets that make up a list (every lane, priority and partition) are read from the same position and merged.  A set
that was not read to its end limits how far the merge may go: behind its last position it may hold something earlier
than what the others have.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Sequence
from typing import NamedTuple

from scheduler.errors import InvalidInput
from scheduler.message import Message, Status

SECTIONS: tuple[tuple[str, bool], ...] = (
    ("locks", False),
    ("scheduled", False),
    ("dead", True),
    ("done", True),
)
"""Name and whether it is read from the highest score down (newest first).  ``scheduled`` stands for all due sets."""


class Position(NamedTuple):
    """Where in a set's order: by score, then by id."""

    score: float
    id: str


class Part(NamedTuple):
    """What was read of one set."""

    rows: Sequence[tuple[Position, Message]]
    reached: Position | None
    """The last position that was looked at when the set goes on after it; None: it was read to its end."""


class Cursor(NamedTuple):
    section: int
    after: Position | None

    def encode(self) -> str:
        after = f"{self.after.score:.0f} {self.after.id}" if self.after else ""
        return base64.urlsafe_b64encode(f"{self.section} {after}".encode()).decode().rstrip("=")

    @classmethod
    def decode(cls, text: str) -> Cursor:
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
    """The sections that a list of this status reads, by index."""
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


def merge(parts: Sequence[Part], limit: int, down: bool) -> tuple[list[Message], Position | None]:
    """The first ``limit`` rows of all parts in order, and the position to go on after; None when there is no more."""

    def before(a: Position, b: Position) -> bool:
        return a > b if down else a < b

    horizon: Position | None = None
    for part in parts:
        if part.reached is not None and (horizon is None or before(part.reached, horizon)):
            horizon = part.reached
    rows = sorted((row for part in parts for row in part.rows), key=lambda row: row[0], reverse=down)
    # Beyond the horizon another set may hold something earlier that was not read.
    safe = rows if horizon is None else [row for row in rows if not before(horizon, row[0])]
    taken = safe[:limit]
    if len(taken) < len(rows):
        return [m for _, m in taken], taken[-1][0] if len(taken) == limit else horizon
    return [m for _, m in taken], horizon


def collect(
    read: Callable[[int, Position | None, int], Sequence[Part]], sections: range, limit: int, cursor: Cursor | None
) -> tuple[list[Message], Cursor | None]:
    """Fill a page section by section.  ``read(section, after, limit)`` gives one ``Part`` per set."""
    found: list[Message] = []
    section, after = (cursor.section, cursor.after) if cursor else (sections.start, None)
    while section in sections:
        part, more = merge(read(section, after, limit - len(found)), limit - len(found), SECTIONS[section][1])
        found += part
        if more is not None:
            return found, Cursor(section, more)
        section, after = section + 1, None
        if len(found) == limit and section in sections:
            return found, Cursor(section, None)
    return found, None
