"""The outbox: finished messages on their way into the history."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from scheduler.message import Message
from scheduler.store import records
from scheduler.store.base import Base
from scheduler.store.scripts import Argument, Reply

ONLY_FIGURES: dict[str, Argument] = {"owner": "", "limit": 0, "max_bytes": 0, "lease_ms": 0}
"""The arguments of outbox.lua that read no messages."""


class Unarchived(NamedTuple):
    """A finished message that the history does not have yet."""

    member: str
    """Its name in the outbox; of a message that was redriven meanwhile: id, ``@`` and finish."""
    finished_at: int
    """ms"""
    message: Message | None
    """With its attempts; None: its hash was deleted by hand."""


class Batch(NamedTuple):
    """Some of what waits in one partition."""

    outbox_bytes: int
    """Of all that waits there."""
    messages: list[Unarchived]


class OutboxFigures(NamedTuple):
    """What waits for the history."""

    messages: int = 0
    bytes: int = 0
    dropped: int = 0
    """Since Redis is in use: messages that were dropped because the outbox was full."""
    oldest_at: int | None = None
    """ms: the finish of the message that waits longest."""


class Outbox(Base):
    """Verbs: unarchived, archived, outbox_figures."""

    def unarchived(self, partition: int, owner: str, *, limit: int, max_bytes: int, lease_ms: int) -> Batch:
        """Return the oldest messages of a partition's outbox; none while another archiver has the lease.

        The lease of ``lease_ms`` saves double work and nothing more.  At least one message is returned if there is any,
        and then more until they reach ``max_bytes``.
        """
        _, _, size, _, _, *rows = self.run(
            "outbox", partition, owner=owner, limit=limit, max_bytes=max_bytes, lease_ms=lease_ms
        )
        return Batch(size, [_unarchived(row) for row in rows])

    def archived(self, partition: int, owner: str, taken: Iterable[Unarchived]) -> int:
        """Take messages out of the outbox that the history has now; return how many.

        One that finished again meanwhile stays, because its finish is another one.
        """
        items = [value for one in taken for value in (one.member, one.finished_at)]
        return int(self.run("archived", partition, items, owner=owner))

    def outbox_figures(self) -> OutboxFigures:
        """Return the figures of all partitions that answer.  Raises ``StoreUnavailable`` when none does."""
        return outbox_figures_of(self.of_all("outbox", **ONLY_FIGURES)[0])


def outbox_figures_of(replies: Iterable[Reply]) -> OutboxFigures:
    """Return the sums of the replies of outbox.lua."""
    total = OutboxFigures()
    for _, count, size, dropped, oldest, *_ in replies:
        moments = [at for at in (total.oldest_at, _moment(oldest)) if at is not None]
        total = OutboxFigures(
            total.messages + count, total.bytes + size, total.dropped + dropped, min(moments, default=None)
        )
    return total


def _unarchived(row: Sequence[Any]) -> Unarchived:
    member, finish, fields = row
    id = member.partition("@")[0]
    message = records.finished_message(id, fields) if fields else None
    return Unarchived(member, _moment(finish) or 0, message)


def _moment(score: str) -> int | None:
    return int(float(score)) if score else None
