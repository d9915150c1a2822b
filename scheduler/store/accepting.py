"""Accept messages: a request is answered after its messages are stored, all of them or none."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from hashlib import sha256

from scheduler.errors import Conflict, StoreUnavailable
from scheduler.message import NewMessage, moment_of
from scheduler.store import records
from scheduler.store.base import Base
from scheduler.store.results import Scheduled


class Accepting(Base):
    """schedule"""

    def new_ids(self, count: int) -> list[str]:
        """Return new ids of one partition, so that one script call stores all messages or none."""
        first = self.new_id()
        return [first, *self.ids_in(self.partition_of(first), count - 1)]

    def idempotent_ids(self, key: str, count: int) -> list[str]:
        """Return new ids of the partition that keeps this Idempotency-Key."""
        return self.ids_in(self.partition_of(key), count)

    def ids_for(self, flow_keys: Sequence[str | None], idempotency_key: str | None = None) -> list[str]:
        """Return a new id for each message, in the partition of its flow key.

        Those without one share the partition that keeps the Idempotency-Key; without that, they share any.
        """
        home = self.partition_of(idempotency_key if idempotency_key is not None else self.new_id())
        partitions = [home if key is None else self.partition_of(key) for key in flow_keys]
        ids = {part: iter(self.ids_in(part, count)) for part, count in Counter(partitions).items()}
        return [next(ids[partition]) for partition in partitions]

    def schedule(
        self, messages: Sequence[NewMessage], *, idempotency_key: str | None = None, fingerprint: str = ""
    ) -> list[Scheduled]:
        """Accept messages, all or none.

        A batch with ids of several partitions (the sender's own ids, Redis.Partitions > 1) is stored partition by
        partition.  If a partition is away at the start, nothing is stored.  If an id exists already, the messages that
        other partitions stored are deleted again, except those that a worker has claimed meanwhile.  If a partition
        goes away in between, sending the same batch again stores the missing messages.

        ``idempotency_key``: the first call with a key stores; later calls within ``Api.IdempotencySeconds`` return what
        the first one stored.  Raises ``Conflict`` when an id exists, or the key was used with another ``fingerprint``.
        """
        groups: dict[int, list[NewMessage]] = {}
        if idempotency_key and len(self.partitions) > 1:
            # Its own partition knows it in any case: the flow keys of another body may lie elsewhere.
            groups[self.partition_of(idempotency_key)] = []
        for message in messages:
            groups.setdefault(self.partition_of(message.id), []).append(message)
        if len(groups) > 1:
            return self._spread(messages, groups, idempotency_key, fingerprint)
        key = idempotency_key or ""
        return [one for part, group in groups.items() for one in self._schedule(part, group, key, fingerprint)[0]]

    def _spread(
        self,
        messages: Sequence[NewMessage],
        groups: Mapping[int, list[NewMessage]],
        idempotency_key: str | None,
        fingerprint: str,
    ) -> list[Scheduled]:
        for partition in groups:
            self.require(partition)
            self.ask(partition)
        # A partition may store its part and the reply be lost.  Without a key, the batch sent again would be answered
        # 409 because of that part; the client would read it as "stored", and the other parts would never be.
        key = idempotency_key or _key_of(messages)
        fresh: dict[int, list[Scheduled]] = {}
        accepted: dict[str, Scheduled] = {}
        try:
            for partition, group in groups.items():
                stored, replayed = self._schedule(partition, group, key, fingerprint)
                if not replayed:
                    fresh[partition] = stored
                # A replay gives the ids of the first call, in the same order.
                accepted.update(zip([message.id for message in group], stored, strict=True))
        except Conflict:
            self._undo(fresh, key)
            raise
        if not fresh and not idempotency_key:
            raise _exists(messages[0].id)
        return [accepted[message.id] for message in messages]

    def _schedule(
        self, partition: int, group: Sequence[NewMessage], key: str, fingerprint: str
    ) -> tuple[list[Scheduled], bool]:
        """Store one partition's messages; return them, and whether an earlier call had stored them."""
        self.require(partition)
        code, now, detail = self.run(
            "schedule",
            partition,
            records.schedule_items(group),
            key=key,
            fingerprint=fingerprint,
            redriven_from=(group[0].redriven_from if group else None) or "",
            key_ttl=self.idempotency_ms,
            replicated=True,
        )
        match code:
            case 1:
                raise _exists(group[int(detail) - 1].id)
            case 2:
                words = detail.split()
                return [Scheduled(id, int(due)) for id, due in zip(words[::2], words[1::2], strict=True)], True
            case 3:
                raise Conflict("This Idempotency-Key was used with another request body.")
        created_at = int(now)
        return [Scheduled(m.id, moment_of(m.due_at, created_at), created_at) for m in group], False

    def _undo(self, stored: Mapping[int, Sequence[Scheduled]], key: str) -> None:
        """Delete stored messages whose sender has not been answered yet."""
        for partition, messages in stored.items():
            # A partition that is away now keeps its messages; they are delivered although the batch was refused.
            with suppress(StoreUnavailable):
                ids = [message.id for message in messages]
                self.run("undo", partition, ids, key=key, created_at=(messages[0].created_at or 0) if messages else 0)


def _key_of(messages: Sequence[NewMessage]) -> str:
    """Return an Idempotency-Key for a batch that came without one; the same messages get the same key."""
    # Each request has a trace of its own, also one that repeats another.
    items = records.schedule_items([message._replace(trace=None) for message in messages])
    # No client can send this key: it is not printable.
    return f"batch\n{sha256(repr(items).encode()).hexdigest()}"


def _exists(id: str) -> Conflict:
    return Conflict(f"A message with the id {id!r} exists.")
