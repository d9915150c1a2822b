"""Redis's clock decides, and nobody else's."""

from __future__ import annotations

import pytest
import redis

from scheduler.message import FromNow, IdGenerator, Outcome
from scheduler.store import MessageStore
from tests.support.store import message, take

HOUR = 3_600_000


def wrong_clock(client: redis.Redis, by_ms: int) -> MessageStore:
    """A server whose own clock is off: Redis is asked for the time, as in service."""
    seconds, _ = client.time()
    return MessageStore(client, new_id=IdGenerator(lambda: int(seconds) * 1000 + by_ms))


def redis_ms(client: redis.Redis) -> int:
    seconds, micros = client.time()
    return int(seconds) * 1000 + int(micros) // 1000


@pytest.mark.parametrize(("sender", "worker"), [(HOUR, -HOUR), (-HOUR, HOUR)])
def test_servers_an_hour_apart_agree(redis_client: redis.Redis, sender: int, worker: int) -> None:
    accepting, delivering = wrong_clock(redis_client, sender), wrong_clock(redis_client, worker)
    before = redis_ms(redis_client)
    soon = before + 60_000
    accepted = accepting.schedule([message("now", FromNow(0)), message("soon", soon)])
    assert before <= accepted[0].due_at <= redis_ms(redis_client)
    claimed = take(delivering, 10, lock_ms=30_000)
    assert [claim.id for claim in claimed.claims] == ["now"]
    assert claimed.wait_ms is not None
    assert claimed.redis_ms + claimed.wait_ms == pytest.approx(soon, abs=0.01)
    assert accepting.reap(10).scheduled == 0, "a lock of 30 s is not over"
    assert delivering.renew(claimed.claims, 30_000) == []
    assert delivering.settle([Outcome(claimed.claims[0], "ack")]) == [True]
    delivered = accepting.get("now")
    assert delivered.finished_at is not None
    assert before <= delivered.created_at <= delivered.finished_at <= redis_ms(redis_client)


def test_the_age_of_a_heartbeat_is_by_redis(redis_client: redis.Redis) -> None:
    wrong_clock(redis_client, HOUR).beat("one", {})
    assert wrong_clock(redis_client, -HOUR).servers()["one"]["age_ms"] < 30_000


def test_what_redis_says_of_itself(redis_client: redis.Redis) -> None:
    store = wrong_clock(redis_client, 0)
    store.schedule([message("a")])
    info = store.redis_info()
    assert info["version"].count(".") == 2
    assert info["used_memory"] > 100_000
    assert (info["persistence"], info["maxmemory_policy"], info["keys"]) == ("none", "noeviction", 3)
    assert info["clients"] >= 1
