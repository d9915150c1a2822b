"""What a database of the history can do, and the questions it is asked.  Pure, no I/O."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple, Protocol

from scheduler.errors import InvalidInput, ServiceError
from scheduler.history.finished import Finished

SCAN = 10_000
"""Rows that one page looks at, at most, for filters that no index answers."""
HOUR_MS = 3_600_000
CONNECT_SECONDS = 5
CALL_SECONDS = 30
"""No call may wait longer for a database, or the stop of the service would."""


class RowRefused(ServiceError):
    """The database cannot hold a value of this batch; nothing of it was written."""


class Query(NamedTuple):
    """Which rows, in which order; None: no bound."""

    status: str | None = None
    channel: str | None = None
    type: str | None = None
    schedule_id: str | None = None
    flow_key: str | None = None
    destination: str | None = None
    text: str | None = None
    """In the payload or the last error; upper and lower case do not matter."""
    by: Literal["finish", "due"] = "finish"
    """The moment that ``since`` and ``until`` bound, and that rows are ordered by, newest first."""
    since: int | None = None
    until: int | None = None

    @property
    def moment(self) -> str:
        """Return the column of that moment."""
        return "finished_at" if self.by == "finish" else "due_at"

    def filters(self) -> tuple[dict[str, str], dict[str, str]]:
        """Return the filters by column: the one that an index answers in this order, and the others.

        The leading one is the one that most likely matches fewest rows, whatever the database's planner believes.
        """
        rare = ("schedule_id", "flow_key", "destination", "type")
        common = ("channel", "status") if self.status == "delivered" else ("status", "channel")
        given = {name: value for name in (*rare, *common) if (value := getattr(self, name)) is not None}
        lead = next(iter(given), None) if self.by == "finish" else None
        return {name: given.pop(name) for name in (lead,) if name}, given


class Position(NamedTuple):
    """A place in a list; it holds when rows come and go."""

    moment: int
    id: str
    finished_at: int

    def encode(self, by: str) -> str:
        """Return the cursor of the page after it."""
        text = f"{by} {self.moment} {self.finished_at} {self.id}"
        return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")

    @classmethod
    def decode(cls, cursor: str, by: str) -> Position:
        """Raises ``InvalidInput`` for what is no cursor of such a list."""
        try:
            padded = cursor.encode("ascii") + b"=" * (-len(cursor) % 4)
            order, moment, finished_at, id = base64.b64decode(padded, b"-_", validate=True).decode().split(" ", 3)
            # PostgreSQL takes no NUL.
            if order != by or not id.isprintable():
                raise ValueError(order)
            return cls(_bounded(moment), id, _bounded(finished_at))
        except (ValueError, binascii.Error) as error:
            raise InvalidInput.of(
                "cursor", "is not a cursor of this list; use next_cursor as it was given, with the same filters"
            ) from error


def _bounded(text: str) -> int:
    number = int(text)
    if abs(number) >= 2**53:
        raise ValueError(text)
    return number


class Page(NamedTuple):
    """Rows, and where the list goes on; ``after`` None: nowhere."""

    rows: list[Finished]
    after: Position | None

    @classmethod
    def cut(cls, rows: list[Finished], query: Query, limit: int) -> Page:
        """Return a page of ``limit`` rows; more rows than that say that the list goes on."""
        if len(rows) <= limit:
            return cls(rows, None)
        last = rows[limit - 1]
        return cls(rows[:limit], Position(getattr(last, query.moment), last.id, last.finished_at))


def on_one_line(error: object) -> str:
    """Return the words of a driver's error for the log, on one line."""
    return " ".join(str(error).split())[:500]


@dataclass(slots=True, frozen=True)
class HourCount:
    """How many messages of one channel ended in one hour, with one status and in one bucket of lateness."""

    hour: int
    """Since the epoch."""
    channel: str
    status: str
    lateness_bucket: int | None
    n: int


class Database(Protocol):
    """Every method raises ``HistoryUnavailable`` when the database does not answer or refuses.  Thread-safe."""

    def prepare(self) -> None:
        """Create or migrate the tables, under a lock that all servers share."""

    def write(self, rows: Sequence[Finished]) -> None:
        """Store rows, all or none, as durably as the database can; a row that is there already stays as it is.

        Raises ``RowRefused`` when the database cannot hold a value of them.
        """

    def page(self, query: Query, limit: int, after: Position | None = None) -> Page:
        """Return up to ``limit`` rows after a position.  The cost is bounded, so a page may be short or empty."""

    def one(self, id: str) -> Finished | None:
        """Return the last finish of a message."""

    def summary(self, since: int, until: int, channel: str | None) -> list[HourCount]:
        """Count what ended from ``since`` until before ``until`` (ms)."""

    def delete_old(self, before: int, max_rows: int, limit: int) -> int:
        """Delete about ``limit`` of the oldest rows that ended before this moment (ms) or are beyond ``max_rows``
        (0: without limit); return how many.
        """

    def close(self) -> None:
        """Close the connections."""


def every_page(database: Database, query: Query, size: int, after: Position | None = None) -> Iterator[list[Finished]]:
    """Yield the rows of a list page by page: each read is short, so that a long export holds up no writer."""
    while True:
        page = database.page(query, size, after)
        yield page.rows
        if page.after is None:
            return
        after = page.after
