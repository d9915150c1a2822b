"""Redis forgets its scripts (SCRIPT FLUSH, a restart, a failover): between any two calls, nobody notices."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import redis

from scheduler.message import Outcome
from scheduler.store import Changes, Limits, MessageStore
from scheduler.store.keys import PartitionKeys
from scheduler.store.scripts import load
from tests.support.store import NOW, Ticks, message, store_on, take


def test_flushed_before_every_single_call(redis_client: redis.Redis) -> None:
    ticks = Ticks()
    store = store_on(redis_client, ticks, partitions=2)
    store.open()
    steps: list[Callable[[], object]] = [
        lambda: store.schedule([message(f"m{n}") for n in range(6)]),
        store.page,
        store.counts,
        lambda: store.update("m0", Changes(due_at=NOW + 9)),
        lambda: store.cancel("m0"),
        lambda: store.cancel_matching(NOW, '"m1"'),
        lambda: store.get("m2"),
        lambda: store.beat("one", {}),
    ]
    for step in steps:
        redis_client.script_flush()
        step()
    redis_client.script_flush()
    claims = take(store, 10, 1000).claims
    assert sorted(claim.id for claim in claims) == ["m2", "m3", "m4", "m5"]
    redis_client.script_flush()
    assert store.renew(claims, 2000) == []
    redis_client.script_flush()
    assert store.settle([Outcome(claim, "dead") for claim in claims[:3]]) == [True] * 3
    ticks.now += 2000
    redis_client.script_flush()
    assert store.reap(10).scheduled == 1
    redis_client.script_flush()
    assert store.redrive(claims[0].id).attempt == 0
    redis_client.script_flush()
    assert store.redrive_many(limit=10) == 2
    redis_client.script_flush()
    assert store.trim("done", Limits(0, 0, 0), 10) == 2


def test_it_is_loaded_by_the_call_that_misses_it_and_not_again(redis_client: redis.Redis) -> None:
    script = load("stats")
    keys = PartitionKeys(0)
    assert redis_client.script_exists(script.sha) == [False]
    script.call(redis_client, keys, now=NOW)
    assert redis_client.script_exists(script.sha) == [True]
    before = redis_client.info("commandstats")["cmdstat_eval"]["calls"]
    script.call(redis_client, keys, now=NOW)
    assert redis_client.info("commandstats")["cmdstat_eval"]["calls"] == before


def test_a_restart_without_data_is_survived_by_the_same_store(redis_client: redis.Redis, store: MessageStore) -> None:
    store.schedule([message("a")])
    redis_client.flushall()
    redis_client.script_flush()
    assert take(store, 1, 1000).claims == []
    assert [s.id for s in store.schedule([message("a")])] == ["a"]


@pytest.fixture
def store(redis_client: redis.Redis) -> MessageStore:
    return store_on(redis_client, Ticks())
