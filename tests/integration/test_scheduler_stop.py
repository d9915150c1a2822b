"""The stop of a scheduler process with real threads on a real Redis, and what its end leaves to others."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
import redis

from scheduler.message import Message, Status
from tests.support.delivery import HeldChannel, acking
from tests.support.redis_server import RedisServer
from tests.support.running import QUICK, SHORT_LOCK, Counting, Running, redis_ms, with_settings
from tests.support.store import take
from tests.support.waiting import wait_for

LOCKS = "ms1:{0}:locks"


@pytest.fixture(autouse=True)
def _empty(redis_client: redis.Redis) -> None:
    """Every test begins with an empty Redis."""


def test_a_stop_waits_for_what_runs_and_its_lock_is_renewed_meanwhile(
    redis_url: str, redis_client: redis.Redis, held: HeldChannel
) -> None:
    with Running(redis_url, held, settings=with_settings(lock_seconds=SHORT_LOCK)) as runtime:
        [id] = runtime.add(channel="slow")
        held.wait_begun(1)
        later = runtime.add(5, due_at=redis_ms(runtime) + 3_600_000)
        stopping = threading.Thread(target=runtime.stop)
        stopping.start()
        wait_for("claiming has stopped", lambda: not any(t.name == "scheduler" for t in threading.enumerate()))
        first = float(redis_client.zscore(LOCKS, id) or 0)
        over = first + SHORT_LOCK * 1000
        wait_for("renewed for a life", lambda: float(redis_client.zscore(LOCKS, id) or 0) > over)
        assert stopping.is_alive()
        held.let_go()
        stopping.join(15)
        assert not stopping.is_alive()
    assert runtime.logger.count(f"ack id={id}") == 1
    assert redis_client.zcard(LOCKS) == 0
    assert redis_client.zcard("ms1:{0}:due:echo:normal") == len(later)
    assert runtime.logger.errors == []


def test_what_exceeds_the_grace_is_given_back_and_runs_elsewhere_under_a_higher_attempt(
    redis_url: str, redis_client: redis.Redis, held: HeldChannel
) -> None:
    quick = acking()
    quick.name = "slow"
    with Running(redis_url, held, settings=with_settings(grace_seconds=0.1)) as runtime:
        [id] = runtime.add(channel="slow")
        held.wait_begun(1)
        runtime.stop()
    assert redis_client.zcard(LOCKS) == 0
    assert runtime.logger.count("1 messages did not finish in 0.1 s and are given back") == 1
    with Running(redis_url, quick, name="next") as following:
        following.logger.wait_for(f"ack id={id} channel=slow attempt=2")


def test_a_stop_in_the_middle_of_a_drain_leaves_nothing_in_flight_and_repeats_nothing(
    redis_url: str, redis_client: redis.Redis
) -> None:
    log = Counting()
    runtime = Running(redis_url, logger=log)
    with runtime:
        ids = runtime.add(6_000)
        log.wait_for(500)
    assert redis_client.zcard(LOCKS) == 0
    done = len(log.acks)
    assert done < 6_000, "too quick to be stopped in the middle"
    with runtime:
        log.wait_for(6_000)
    log.once(ids)
    assert log.errors == []


def test_a_stop_while_redis_is_away_comes_to_an_end(short_tmp: Path) -> None:
    with RedisServer(short_tmp) as server:
        runtime = Running(server.url, settings=with_settings(grace_seconds=0.2))
        runtime.start()
        server.kill()
        stopping = threading.Thread(target=runtime.stop)
        stopping.start()
        stopping.join(20)
        assert not stopping.is_alive()
    assert runtime.logger.count("could not sign off") == 1


def test_a_message_whose_servers_die_one_after_the_other_ends_as_a_dead_letter(redis_url: str) -> None:
    """Each of them claims it and is never heard of again; the maintenance of the one that lives ends it."""
    settings = {**QUICK, "retry": {"max_attempts": 3}}
    with Running(redis_url, settings=settings) as runtime:
        runtime.dispatcher.stop()  # it must not get the message itself
        [id] = runtime.add()

        def claim_and_die() -> Message | None:
            take(runtime.store, 10, 1, "doomed")
            message = runtime.store.get(id)
            return message if message.status is Status.DEAD else None

        message = wait_for("dead", claim_and_die)
    assert [attempt["outcome"] for attempt in message.attempts or []] == ["lost"] * 3
    assert runtime.logger.count("reaped 1 messages of a server that stopped answering: now dead") == 1
