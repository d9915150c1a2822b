"""Read messages: one of them, a page of a list, or only their counts."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from scheduler.errors import NotFound
from scheduler.message import Message, Priority, Status
from scheduler.store import paging, records
from scheduler.store.base import SCAN, Base
from scheduler.store.results import Counts, LaneCounts, Page
from scheduler.store.scripts import Argument, Reply, load


class Reading(Base):
    """Verbs: get, page, counts."""

    def get(self, id: str) -> Message:
        """Return the message with its attempts.  Raises ``NotFound``."""
        self.require(self.partition_of(id))
        snapshot = self.run("get", self.partition_of(id), id=id)
        if not snapshot:
            raise NotFound(f"There is no message {id!r}; it never was, or its retention has ended.")
        return records.whole_message(id, snapshot)

    def page(
        self,
        *,
        status: Status | None = None,
        channel: str | None = None,
        priority: Priority | None = None,
        type: str | None = None,
        owner: str | None = None,
        typed: bool = False,
        schedule: str | None = None,
        flow_key: str | None = None,
        since: int | None = None,
        until: int | None = None,
        limit: int = 50,
        cursor: str | None = None,
    ) -> Page:
        """Return a page of messages with these properties.

        Scheduled and processing messages come soonest first (by ``due_at``, by lock expiry), dead and finished ones
        newest first.  Without a status: processing, scheduled, dead, finished, in that order.  ``since``/``until`` (ms)
        bound the time by which that status is ordered.  ``typed``: only messages that have a type.  ``schedule``,
        ``flow_key``: only those of this one.

        The cost depends on ``limit``, not on the number of messages: with a filter that few messages pass, pages are
        short or empty and still have a cursor.  Raises ``InvalidInput`` for a malformed cursor.
        """
        filters: dict[str, Argument] = {
            "status": status if status in (Status.DELIVERED, Status.CANCELLED) else "",
            "channel": channel or "",
            "priority": priority or "",
            "type_": type or "",
            "owner": owner or "",
            "typed": "1" if typed else "",
            "schedule": schedule or "",
            "flow_key": flow_key or "",
            "low": "-inf" if since is None else since,
            "high": "+inf" if until is None else until,
            "scan": max(SCAN, limit),
        }

        def read(section: int, after: paging.Position | None, rows: int) -> list[paging.Part[Message]]:
            name, down = paging.SECTIONS[section]
            return [
                self._part(partition, kept, rows, after, filters | {"reverse": int(down)})
                for partition in self._with_messages_of(schedule or flow_key)
                for kept in (self._due_sets(partition, channel, priority) if name == "scheduled" else (name,))
            ]

        position = paging.PageCursor.decode(cursor) if cursor else None
        found, more = paging.collect(read, paging.sections_of(status), limit, position)
        return Page(found, more.encode() if more else None)

    def _with_messages_of(self, name: str | None) -> Sequence[int]:
        """Return the partitions of the messages of a schedule or flow key."""
        return range(len(self.partitions)) if name is None else [self.partition_of(name)]

    def _due_sets(self, partition: int, channel: str | None, priority: Priority | None) -> list[str]:
        """Return the due sets of a partition that may hold messages of this channel and priority."""
        reply = self.run("lanes", partition)
        return [
            f"{'flow:' if keyed else ''}due:{lane}:{urgency}"
            for lane, urgency, keyed in zip(reply[::3], reply[1::3], reply[2::3], strict=True)
            if channel in (None, lane.partition(":")[0]) and priority in (None, urgency)
        ]

    def _part(
        self, partition: int, name: str, limit: int, after: paging.Position | None, filters: dict[str, Argument]
    ) -> paging.Part[Message]:
        keys = self.partitions[partition].using(set=name)
        score, id = (f"{after.score:.0f}", after.id) if after else ("", "")
        more, last_score, last_id, *rows = self.call(
            load("page"),
            keys,
            partition,
            records.PAGE_FIELDS,
            replicated=False,
            after_score=score,
            after_id=id,
            limit=limit,
            **filters,
        )
        reached = paging.Position(float(last_score), last_id) if int(more) else None
        return paging.Part(
            [(paging.Position(float(row[1]), row[0]), records.listed_message(row)) for row in rows], reached
        )

    def counts(self) -> Counts:
        """Count the messages by status, lane and priority.  O(lanes log n) per partition.

        Partitions that do not answer are left out.  Raises ``StoreUnavailable`` when none answers.
        """
        return counts_of(*self.of_all("stats"))


def counts_of(replies: Iterable[Reply], away: int) -> Counts:
    """Return the counts of the partitions that answered, from the replies of stats.lua; ``away``: how many did not."""
    total = Counts(scheduled=dict.fromkeys(Priority, 0), due_of=dict.fromkeys(Priority, 0), partitions_away=away)
    for now, processing, dead, done, done_bytes, paused, *rest in replies:
        retrying, held_back, oldest_held, flow_keys, flow_waiting, oldest_waiting, *lanes = rest
        for row in lanes:
            _add_lane(total, row)
        total.retrying += retrying
        total.held_back += held_back
        total.oldest_held_at = _earlier(total.oldest_held_at, oldest_held)
        total.flow_keys += flow_keys
        total.flow_waiting += flow_waiting
        total.oldest_waiting_at = _earlier(total.oldest_waiting_at, oldest_waiting)
        total.processing += processing
        total.dead += dead
        total.finished += done
        total.finished_bytes += done_bytes
        total.paused = total.paused or bool(paused)
        total.redis_ms = int(now)
    return total


def _add_lane(total: Counts, row: Sequence[Any]) -> None:
    """Add one lane's row of the reply of stats.lua."""
    name, *numbers, oldest, coming = row
    scheduled, due_of = numbers[:3], numbers[3:]
    lane = total.lanes.setdefault(name, LaneCounts())
    for priority, n, due in zip(Priority, scheduled, due_of, strict=True):
        total.scheduled[priority] += n
        total.due_of[priority] += due
        lane.scheduled += n
        lane.due += due
    total.due += sum(due_of)
    lane.oldest_due_at = _earlier(lane.oldest_due_at, oldest)
    total.oldest_due_at = _earlier(total.oldest_due_at, oldest)
    total.next_due_at = _earlier(total.next_due_at, coming)


def _earlier(known: int | None, moment: str) -> int | None:
    """Return the earlier of two moments (ms); ``moment`` is text from Redis, '' for none."""
    return min(filter(None, (known, int(moment or 0))), default=None)
