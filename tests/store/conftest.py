"""The store over each of its backends."""

from __future__ import annotations

from collections.abc import Iterator

import fakeredis
import pytest
import redis

from scheduler.store import MessageStore
from tests.support.schedules import Planned
from tests.support.store import Ticks, broken_rules, store_on


@pytest.fixture
def ticks() -> Ticks:
    return Ticks()


@pytest.fixture(params=["redis", "fakeredis"])
def client(request: pytest.FixtureRequest) -> redis.Redis:
    """An empty Redis: a real server, and the one that users of the library test with."""
    if request.param == "redis":
        real: redis.Redis = request.getfixturevalue("redis_client")
        return real
    return fakeredis.FakeRedis(server=fakeredis.FakeServer(), decode_responses=True)


@pytest.fixture(params=[1, 3], ids=["1 partition", "3 partitions"])
def partitions(request: pytest.FixtureRequest) -> int:
    count: int = request.param
    return count


@pytest.fixture
def store(client: redis.Redis, ticks: Ticks, partitions: int) -> Iterator[MessageStore]:
    """An open store.  After every test each id must be in exactly one place."""
    opened = store_on(client, ticks, partitions=partitions)
    opened.open()
    yield opened
    for partition in range(partitions):
        assert broken_rules(client, partition, now=ticks.now) == []


@pytest.fixture
def plans(store: MessageStore, ticks: Ticks) -> Planned:
    return Planned(store, ticks)
