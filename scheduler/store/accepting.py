"""Accepting messages: stored whole before anybody is told, or not at all."""

from __future__ import annotations

from collections.abc import Sequence

from scheduler.errors import Conflict
from scheduler.message import NewMessage
from scheduler.store import records
from scheduler.store.base import Base
from scheduler.store.results import Scheduled


class Accepting(Base):
    """schedule"""

    def new_ids(self, count: int) -> list[str]:
        """Fresh ids that share a partition, so that one script stores them all or none."""
        first = self.new_id()
        return [first, *self._ids_in(self.partition_of(first), count - 1)]

    def idempotent_ids(self, key: str, count: int) -> list[str]:
        """Fresh ids in the partition where this Idempotency-Key is kept."""
        return self._ids_in(self.partition_of(key), count)

    def _ids_in(self, partition: int, count: int) -> list[str]:
        ids: list[str] = []
        while len(ids) < count:
            id = self.new_id()
            if self.partition_of(id) == partition:
                ids.append(id)
        return ids

    def schedule(
        self, messages: Sequence[NewMessage], *, idempotency_key: str | None = None, fingerprint: str = ""
    ) -> list[Scheduled]:
        """Accept messages, all or none.

        One script per partition.  A batch whose ids are spread over several partitions (own ids, Redis.Partitions > 1)
        is stored partition by partition and undone when one of them refuses.

        ``idempotency_key``: the first call with a key stores; later ones, within ``Api.IdempotencySeconds``, return
        what it stored.  Raises ``Conflict`` when an id exists, or the key was used with another ``fingerprint``.
        """
        groups: dict[int, list[NewMessage]] = {}
        for message in messages:
            groups.setdefault(self.partition_of(message.id), []).append(message)
        stored: list[str] = []
        due: dict[str, int] = {}
        try:
            for partition, group in groups.items():
                accepted = self._schedule(partition, group, idempotency_key or "", fingerprint)
                stored += [message.id for message in group]
                if idempotency_key and [a.id for a in accepted] != [m.id for m in group]:
                    return accepted
                due.update(accepted)
        except Conflict:
            for id in stored:
                self._forget(id)
            raise
        return [Scheduled(message.id, due[message.id]) for message in messages]

    def _schedule(self, partition: int, group: Sequence[NewMessage], key: str, fingerprint: str) -> list[Scheduled]:
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
                return [Scheduled(id, int(due)) for id, due in zip(words[::2], words[1::2], strict=True)]
            case 3:
                raise Conflict("This Idempotency-Key was used with another request body.")
        return [Scheduled(m.id, m.due_at or int(now)) for m in group]

    def _forget(self, id: str) -> None:
        """Undo of an accepted message that nobody was told of yet."""
        keys = self.partitions[self.partition_of(id)]
        for name in ("due_high", "due_normal", "due_low"):
            self.plain("ZREM", keys[name], id)
        self.plain("UNLINK", keys["msg"] + id)
