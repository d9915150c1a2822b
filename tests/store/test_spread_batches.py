"""Batches with ids of their own that spread over several partitions: stored whole, or completed by the same batch sent
again; whoever is told that they are stored can rely on it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import redis
from redis import exceptions

from scheduler.errors import Conflict, StoreUnavailable
from scheduler.message import Priority
from scheduler.store.scripts import load
from tests.support.store import Ticks, broken_rules, dump, message, store_on, take

PARTITIONS = 3
BATCH = [message(f"id{n:02}") for n in range(20)]


class Meddled:
    """A client that calls ``before`` with the command's number before each command, and ``after`` after it."""

    def __init__(
        self,
        client: redis.Redis,
        before: Callable[[int, tuple[Any, ...]], None] = lambda *_: None,
        after: Callable[[int, tuple[Any, ...]], None] = lambda *_: None,
    ) -> None:
        self._client = client
        self._before = before
        self._after = after
        self.commands = 0

    def execute_command(self, *args: Any, **options: Any) -> Any:
        number, self.commands = self.commands, self.commands + 1
        self._before(number, args)
        reply = self._client.execute_command(*args, **options)  # type: ignore[no-untyped-call]
        self._after(number, args)
        return reply


def stored(client: redis.Redis) -> int:
    assert [broken_rules(client, partition) for partition in range(PARTITIONS)] == [[]] * PARTITIONS
    return store_on(client, Ticks(), partitions=PARTITIONS).counts().scheduled[Priority.NORMAL]


def loads_all(client: redis.Redis) -> None:
    """No call is repeated because Redis does not know its script."""
    for name in ("schedule", "undo"):
        client.script_load(load(name).source)


@pytest.mark.parametrize("lost", ["request", "reply"])
@pytest.mark.parametrize("key", [None, "K"])
def test_the_same_batch_sent_again_stores_what_is_missing(
    redis_client: redis.Redis, lost: str, key: str | None
) -> None:
    """A partition's reply was lost, the others were undone, and 409 by the one that had it was taken for "stored"."""
    loads_all(redis_client)

    def cut(number: int, _: tuple[Any, ...]) -> None:
        if number == at:
            raise exceptions.ConnectionError("cut off")

    for at in range(2 * PARTITIONS):
        redis_client.flushall()
        cutting = Meddled(redis_client, **{"before" if lost == "request" else "after": cut})
        with pytest.raises(StoreUnavailable):
            store_on(cutting, partitions=PARTITIONS).schedule(BATCH, idempotency_key=key, fingerprint="f")  # type: ignore[arg-type]
        again = store_on(redis_client, partitions=PARTITIONS)
        # A request that is sent again belongs to another trace, or to another step of it.
        batch = [message._replace(trace=f"trace {at}") for message in BATCH]
        try:
            assert [s.id for s in again.schedule(batch, idempotency_key=key, fingerprint="f")] == [m.id for m in BATCH]
        except Conflict:
            assert key is None
            assert (lost, at) == ("reply", 2 * PARTITIONS - 1), "it was stored whole"
        assert stored(redis_client) == len(BATCH)


def test_a_batch_that_is_there_is_a_conflict_and_one_with_other_words_too(redis_client: redis.Redis) -> None:
    store = store_on(redis_client, partitions=PARTITIONS)
    store.schedule(BATCH)
    before = dump(redis_client)
    with pytest.raises(Conflict, match="'id00' exists"):
        store.schedule(BATCH)
    with pytest.raises(Conflict, match="exists"):
        store.schedule([message(m.id, payload='"other"') for m in BATCH])
    assert dump(redis_client) == before


def test_a_conflict_in_one_partition_leaves_nothing_in_the_others(redis_client: redis.Redis) -> None:
    store = store_on(redis_client, partitions=PARTITIONS)
    for taken in BATCH:
        redis_client.flushall()
        store.schedule([taken])
        before = dump(redis_client)
        for batch in (BATCH, BATCH[::-1]):
            with pytest.raises(Conflict, match=f"{taken.id!r} exists"):
                store.schedule(batch)
            assert dump(redis_client) == before


def test_who_stores_while_another_batch_is_undone_keeps_what_was_stored(redis_client: redis.Redis) -> None:
    """The hash was deleted by one command and the due entry by another: a message that was stored between the two was
    told 201 and never delivered.
    """
    loads_all(redis_client)
    taken = BATCH[-1]
    other = [m for m in BATCH if m is not taken]
    at, told, commands = 0, 0, 1
    while at < commands:
        redis_client.flushall()
        owner = store_on(redis_client, partitions=PARTITIONS)
        owner.schedule([taken])
        kept: list[str] = []

        def meddle(number: int, _: tuple[Any, ...]) -> None:
            if number == at:  # noqa: B023 - called at once
                for one in other:
                    try:
                        kept.extend(s.id for s in owner.schedule([one]))  # noqa: B023 - called at once
                    except Conflict:
                        continue

        meddled = Meddled(redis_client, before=meddle)
        with pytest.raises(Conflict):
            store_on(meddled, partitions=PARTITIONS).schedule(BATCH)  # type: ignore[arg-type]
        assert stored(redis_client) == 1 + len(kept), f"before command {at}"
        told += len(kept)
        at, commands = at + 1, meddled.commands
    assert told > len(other)


def test_what_is_claimed_meanwhile_is_delivered(redis_client: redis.Redis) -> None:
    loads_all(redis_client)
    store = store_on(redis_client, Ticks(), partitions=PARTITIONS)
    last = store.partition_of(BATCH[-1].id)
    taken = next(m for m in BATCH if store.partition_of(m.id) == last)
    store.schedule([taken])

    def claim(_: int, command: tuple[Any, ...]) -> None:
        if command[1] == load("undo").sha:
            take(store, 100, 1000)

    order = sorted(BATCH, key=lambda m: store.partition_of(m.id) == last)
    with pytest.raises(Conflict):
        store_on(Meddled(redis_client, before=claim), Ticks(), partitions=PARTITIONS).schedule(order)  # type: ignore[arg-type]
    assert stored(redis_client) == 0
    assert store.counts().processing > 1
