"""Accepting messages: stored whole before anybody is told, or not at all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

from redis import Redis

from scheduler.errors import Conflict, StoreUnavailable
from scheduler.keys import ending_in
from scheduler.message import NewMessage
from scheduler.store import records
from scheduler.store.base import Base
from scheduler.store.group import GroupCommit
from scheduler.store.results import Scheduled


class Accepting(Base):
    """schedule"""

    def __init__(self, client: Redis, **options: Any) -> None:
        """See ``Base``."""
        super().__init__(client, **options)
        # One for each partition: in a cluster, a node that is away refuses its own messages only.
        self._together = [GroupCommit(self.schedule) for _ in self.partitions]

    def new_ids(self, count: int) -> list[str]:
        """Fresh ids that share a partition, so that one script stores them all or none."""
        first = self.new_id()
        return [first, *self._ids_in(self.partition_of(first), count - 1)]

    def idempotent_ids(self, key: str, count: int) -> list[str]:
        """Fresh ids in the partition where this Idempotency-Key is kept."""
        return self._ids_in(self.partition_of(key), count)

    def _ids_in(self, partition: int, count: int) -> list[str]:
        choose = ending_in(partition, len(self.partitions))
        return [self.new_id.ending(choose) for _ in range(count)]

    def schedule(
        self, messages: Sequence[NewMessage], *, idempotency_key: str | None = None, fingerprint: str = ""
    ) -> list[Scheduled]:
        """Accept messages, all or none.

        One script per partition.  A batch whose ids are spread over several partitions (own ids, Redis.Partitions > 1)
        is stored partition by partition and undone when one of them refuses or is away; a worker may have begun to
        deliver one that was due at once.

        ``idempotency_key``: the first call with a key stores; later ones, within ``Api.IdempotencySeconds``, return
        what it stored.  Raises ``Conflict`` when an id exists, or the key was used with another ``fingerprint``.
        """
        groups: dict[int, list[NewMessage]] = {}
        for message in messages:
            groups.setdefault(self.partition_of(message.id), []).append(message)
        fresh: dict[int, list[str]] = {}
        accepted: dict[str, Scheduled] = {}
        try:
            for partition, group in groups.items():
                stored, replayed = self._schedule(partition, group, idempotency_key or "", fingerprint)
                if not replayed:
                    fresh[partition] = [message.id for message in group]
                # A replay gives the ids of the first call, in the same order.
                accepted.update(zip([message.id for message in group], stored, strict=True))
        except (Conflict, StoreUnavailable):
            self._undo(fresh, idempotency_key)
            raise
        return [accepted[message.id] for message in messages]

    def schedule_fresh(self, message: NewMessage) -> Scheduled:
        """Accept one message under an id of ``new_ids``; what several threads accept at once shares a script call.

        Only fresh ids: one that exists refuses the whole group, of which nothing is stored then.
        """
        return self._together[self.partition_of(message.id)](message)

    def _schedule(
        self, partition: int, group: Sequence[NewMessage], key: str, fingerprint: str
    ) -> tuple[list[Scheduled], bool]:
        """What is stored, and whether it was so before."""
        code, now, detail = self.run(
            "schedule",
            partition,
            records.schedule_items(group),
            key=key,
            fingerprint=fingerprint,
            key_ttl=self.idempotency_ms,
        )
        match code:
            case 1:
                raise Conflict(f"A message with the id {group[int(detail) - 1].id!r} exists.")
            case 2:
                words = detail.split(" ")
                return [Scheduled(id, int(due)) for id, due in zip(words[::2], words[1::2], strict=True)], True
            case 3:
                raise Conflict("This Idempotency-Key was used with another request body.")
        created_at = int(now)
        return [Scheduled(m.id, m.due_at if m.due_at > 0 else created_at - m.due_at, created_at) for m in group], False

    def _undo(self, stored: Mapping[int, Sequence[str]], idempotency_key: str | None) -> None:
        """Forget accepted messages that nobody was told of yet."""
        for partition, ids in stored.items():
            keys = self.partitions[partition]
            # The key in the same command, or a repeated call would be told that they are stored.
            gone = [keys["msg"] + id for id in ids] + ([keys["idem"] + idempotency_key] if idempotency_key else [])
            # A partition that went away meanwhile keeps what it has: at least once, never lost.
            with suppress(StoreUnavailable):
                self.plain("UNLINK", *gone)
                for name in ("due_high", "due_normal", "due_low"):
                    self.plain("ZREM", keys[name], *ids)
