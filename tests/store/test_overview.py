"""All figures in one round trip are the same as those of the verbs one by one."""

from __future__ import annotations

from typing import Any

import pytest
import redis

from scheduler.flow import Flow, FlowLimits
from scheduler.message import IdGenerator, Priority
from scheduler.store import MessageStore, Overview
from tests.support.schedules import Planned
from tests.support.store import NOW, Ticks, message, outcomes, store_on, take


def one_by_one(store: MessageStore) -> Overview:
    return Overview(
        store.counts(),
        store.schedule_counts(),
        store.outbox_figures(),
        store.servers(),
        store.history_reports(),
        store.redis_info(),
    )


def comparable(overview: Overview) -> dict[str, Any]:
    """Without what every command changes."""
    return {**overview._asdict(), "redis": {**overview.redis, "used_memory": None}}


@pytest.fixture
def store(redis_client: redis.Redis) -> MessageStore:
    """Three partitions with some of everything."""
    ticks = Ticks()
    store = store_on(redis_client, ticks, partitions=3, outbox_bytes=1_000_000)
    store.open()
    mail: dict[str, Any] = {"priority": Priority.LOW, "type": "mail", "channel": "job"}
    store.schedule([message(f"m{n}", **(mail if n % 3 else {})) for n in range(20)])
    store.schedule([message("keyed", flow=Flow("key", FlowLimits(concurrency=1)))])
    store.schedule([message("later", NOW + 60_000)])
    store.settle(outcomes(take(store, 3, 1000)))
    store.settle(outcomes(take(store, 1, 1000), "dead"))
    store.settle(outcomes(take(store, 1, 1000), "retry", delay_ms=500))
    take(store, 2, 1000)
    plans = Planned(store, ticks)
    for n in range(5):
        plans.create(f"plan{n}", paused=n > 0)
    store.beat("one/scheduler", {"role": "scheduler"}, [[NOW, 1, 2, 3, {"4": 5}]])
    store.beat("two/api-1", {"role": "api"})
    ticks.now += 100
    return store


def test_it_is_what_the_verbs_say(store: MessageStore) -> None:
    found = store.overview()
    assert comparable(found) == comparable(one_by_one(store))
    assert (found.counts.dead, found.counts.processing, found.counts.retrying, found.counts.flow_keys) == (1, 2, 1, 1)
    assert (found.schedules.active, found.schedules.paused, found.outbox.messages) == (1, 4, 4)
    assert {name: server["age_ms"] for name, server in found.servers.items()} == {
        "one/scheduler": 100,
        "two/api-1": 100,
    }
    assert list(found.history) == ["one/scheduler"]


def test_it_takes_one_round_trip(
    store: MessageStore, redis_client: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.overview()
    asked: list[Any] = []
    send = redis_client.execute_command

    def note(*command: Any, **options: Any) -> Any:
        asked.append(command[0])
        return send(*command, **options)  # type: ignore[no-untyped-call]

    monkeypatch.setattr(redis_client, "execute_command", note)
    store.overview()
    assert asked == ["CONFIG GET"], "without an append-only file: whether there are snapshots"


def test_scripts_that_redis_has_lost_are_loaded(store: MessageStore, redis_client: redis.Redis) -> None:
    before = comparable(store.overview())
    redis_client.script_flush()
    assert comparable(store.overview()) == before


def test_it_goes_by_the_clock_that_tests_move(redis_client: redis.Redis) -> None:
    store = MessageStore(redis_client, new_id=IdGenerator(lambda: 1), test_clock=True)
    store.open()
    store.beat("one", {})
    moment = store.move_clock(store.redis_ms() + 86_400_000)
    found = store.overview()
    assert moment <= found.counts.redis_ms < moment + 5000
    assert found.servers["one"]["age_ms"] < 5000
