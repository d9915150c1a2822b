"""Change messages that are not in flight."""

from __future__ import annotations

from itertools import product

from scheduler.errors import Conflict, NotFound
from scheduler.message import Message, Status
from scheduler.store import records
from scheduler.store.base import SCAN, Base
from scheduler.store.keys import PartitionKeys, scheduled_sets
from scheduler.store.results import Changes
from scheduler.store.scripts import Argument, load

_MISSING, _ELSEWHERE = 1, 2


class Changing(Base):
    """Verbs: update, cancel, redrive, purge, adopt, pause."""

    def update(self, id: str, changes: Changes) -> Message:
        """Change a scheduled message.  Raises ``NotFound``, ``Conflict`` (in flight or finished)."""
        return self._changed(
            "update",
            id,
            due_at="" if changes.due_at is None else records.due_cell(changes.due_at),
            payload=changes.payload or "",
            target=changes.target or "",
            priority=changes.priority or "",
            retry=changes.retry.encode() if changes.retry else "",
        )

    def cancel(self, id: str) -> Message:
        """Cancel a scheduled message.  Raises ``NotFound``, ``Conflict``."""
        return self._changed("cancel", id)

    def redrive(self, id: str) -> Message:
        """Schedule a dead letter again: due now, attempts reset, evidence kept.  Raises ``NotFound``, ``Conflict``."""
        return self._changed("redrive", id, offset=0, scan=0, limit=0, channel="", dry_run="")

    def _changed(self, verb: str, id: str, **arguments: Argument) -> Message:
        self.require(self.partition_of(id))
        code, status, snapshot = self.run(verb, self.partition_of(id), id=id, replicated=True, **arguments)
        if code == _MISSING:
            raise NotFound(f"There is no message {id!r}; it never was, or its retention has ended.")
        if code == _ELSEWHERE:
            wanted = Status.DEAD if verb == "redrive" else Status.SCHEDULED
            raise Conflict(f"Message {id!r} is {status}; only a message that is {wanted} can be changed this way.")
        return records.whole_message(id, snapshot)

    def cancel_matching(self, due_at: int, payload: str, *, lane: str = "echo") -> list[str]:
        """Cancel the scheduled messages of this lane with exactly this ``due_at`` (ms) and payload; return their ids.

        The cost grows with the number of messages that are due in the same millisecond.
        """
        cancelled = []
        for id in self._matching(due_at, payload, lane):
            try:
                cancelled.append(self.cancel(id).id)
            except (NotFound, Conflict):
                continue  # claimed since it was found: it is being delivered, so it is not among the cancelled ones
        return cancelled

    def _matching(self, due_at: int, payload: str, lane: str) -> list[str]:
        found: list[str] = []
        for keys, name in product(self.partitions, scheduled_sets(lane)):
            offset, scanned = 0, SCAN
            while scanned == SCAN:
                scanned, *ids = self.call(
                    load("match"),
                    keys.using(set=name),
                    keys.partition,
                    due_at=due_at,
                    offset=offset,
                    limit=SCAN,
                    payload=payload,
                )
                found += ids
                offset += scanned
        return found

    def redrive_many(self, *, limit: int, channel: str | None = None, dry_run: bool = False) -> int:
        """Redrive up to ``limit`` dead letters, oldest first; return how many.  ``dry_run``: only count them."""
        redriven = 0
        for partition in range(len(self.partitions)):
            offset, scanned = 0, SCAN
            while scanned == SCAN and redriven < limit:
                found, scanned = self.run(
                    "redrive",
                    partition,
                    id="",
                    offset=offset,
                    scan=SCAN,
                    limit=limit - redriven,
                    channel=channel or "",
                    dry_run=int(dry_run),
                    replicated=True,
                )
                redriven += found
                # Redriven messages have left the set, so the positions of the rest have moved up.
                offset += scanned if dry_run else scanned - found
        return redriven

    def purge_typed(self, channel: str) -> int:
        """Delete every scheduled message of this channel that has a type; return how many.

        Reads each scheduled message of the channel's lane.  Messages that are accepted meanwhile may be deleted too.
        """
        return sum(self._purge(keys, name, channel) for keys, name in product(self.partitions, scheduled_sets(channel)))

    def _purge(self, keys: PartitionKeys, name: str, channel: str) -> int:
        deleted, more, position = 0, 1, ("", "")
        while more:
            gone, more, *position = self.call(
                load("purge"),
                keys.using(set=name),
                keys.partition,
                after_score=position[0],
                after_id=position[1],
                scan=SCAN,
                channel=channel,
                replicated=True,
            )
            deleted += gone
        return deleted

    def adopt(self, source: str, lane: str) -> int:
        """Move the scheduled messages of the lane ``source`` into ``lane``; return how many."""
        moved = 0
        for partition in range(len(self.partitions)):
            more = SCAN
            while more == SCAN:
                more = int(self.run("adopt", partition, source=source, lane=lane, limit=SCAN))
                moved += more
        return moved

    def pause(self) -> None:
        """Stop claiming on all servers; messages are still accepted."""
        self._pause("1")

    def resume(self) -> None:
        """End a pause, and wake every dispatcher."""
        self._pause("")

    def _pause(self, paused: str) -> None:
        for partition in range(len(self.partitions)):
            self.run("pause", partition, paused=paused, replicated=True)
