"""The outbox as the archiver sees it, over every backend and any number of partitions."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import redis

from scheduler.errors import StoreUnavailable
from scheduler.message import Status
from scheduler.store import Limits, MessageStore, Unarchived
from tests.support.store import Ticks, message, outcomes, store_on, take

Read = Callable[[MessageStore], list[Unarchived]]


@pytest.fixture
def store(client: redis.Redis, ticks: Ticks, partitions: int) -> MessageStore:
    opened = store_on(client, ticks, partitions=partitions, outbox_bytes=2**20)
    opened.open()
    return opened


def everything(store: MessageStore, owner: str = "me") -> list[Unarchived]:
    found = []
    for partition in range(len(store.partitions)):
        found += store.unarchived(partition, owner, limit=100, max_bytes=2**20, lease_ms=1000).messages
    return sorted(found, key=lambda one: (one.finished_at, one.member))


def test_what_waits_has_its_message_with_attempts(store: MessageStore, ticks: Ticks) -> None:
    store.schedule([message("a"), message("b"), message("c")])
    store.settle(outcomes(take(store, 2, 1000), "dead", error="boom"))
    ticks.now += 1
    store.cancel("c")
    found = everything(store)
    assert [one.member for one in found] == ["a", "b", "c"]
    dead, cancelled = found[0].message, found[2].message
    assert dead is not None
    assert (dead.status, dead.last_error, dead.finished_at) == (Status.DEAD, "boom", ticks.now - 1)
    assert [attempt["error"] for attempt in dead.attempts or []] == ["boom"]
    assert cancelled is not None
    assert (cancelled.status, cancelled.due_at, cancelled.attempts) == (Status.CANCELLED, ticks.now - 1, [])


def test_a_purge_erases(store: MessageStore) -> None:
    store.schedule([message(f"m{n}", channel="webhook", type="x") for n in range(9)])
    store.cancel("m0")
    assert store.purge_typed("webhook") == 8
    assert [one.member for one in everything(store)] == ["m0"]


def test_what_is_archived_does_not_wait_any_more(store: MessageStore, ticks: Ticks) -> None:
    store.schedule([message(f"m{n}") for n in range(9)])
    store.settle(outcomes(take(store, 9, 1000)))
    figures = store.outbox_figures()
    assert (figures.messages, figures.oldest_at, figures.dropped) == (9, ticks.now, 0)
    assert figures.bytes > 9 * 150
    for partition in range(len(store.partitions)):
        found = store.unarchived(partition, "me", limit=100, max_bytes=2**20, lease_ms=1000).messages
        assert store.archived(partition, "me", found) == len(found)
    assert store.outbox_figures() == (0, 0, 0, None)
    assert store.counts().finished == 9


def test_a_message_is_in_redis_until_the_history_has_it(store: MessageStore) -> None:
    store.schedule([message("a")])
    store.settle(outcomes(take(store, 1, 1000)))
    assert store.trim("done", Limits(0, 0, 0), 10) == 0
    assert store.get("a").status is Status.DELIVERED
    partition = store.partition_of("a")
    store.archived(partition, "me", everything(store))
    assert store.trim("done", Limits(0, 0, 0), 10) == 1


def test_another_archiver_is_kept_out_while_the_lease_lasts(store: MessageStore, ticks: Ticks) -> None:
    store.schedule([message("a")])
    store.settle(outcomes(take(store, 1, 1000)))
    partition = store.partition_of("a")
    assert store.unarchived(partition, "one", limit=1, max_bytes=1, lease_ms=1000).messages
    assert not store.unarchived(partition, "two", limit=1, max_bytes=1, lease_ms=1000).messages
    ticks.now += 1000
    assert store.unarchived(partition, "two", limit=1, max_bytes=1, lease_ms=1000).messages


def test_settling_waits_and_goes_on_when_there_is_room(client: redis.Redis, ticks: Ticks) -> None:
    store = store_on(client, ticks, outbox_bytes=100, outbox_waits=True)
    store.schedule([message("a"), message("b")])
    first, second = take(store, 1, 1000), take(store, 1, 1000)
    assert store.settle(outcomes(first)) == [True]
    with pytest.raises(StoreUnavailable, match="outbox of the history is full"):
        store.settle(outcomes(second))
    store.archived(0, "me", everything(store))
    assert store.settle(outcomes(second)) == [True]
