"""The listener for wake-ups: none that is published while it listens is missed, and it comes back by itself."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator
from typing import NoReturn

import pytest
import redis
from redis.backoff import NoBackoff
from redis.exceptions import RedisClusterException
from redis.retry import Retry

from scheduler.clock import SystemClock
from scheduler.logs.sinks import adapt
from scheduler.store.keys import WAKE
from scheduler.store.wake import WakeListener
from tests.support.logger import RecordingLogger
from tests.support.redis_server import RedisServer
from tests.support.store import message, store_on


class Woken:
    """Counts wake-ups, and how many subscribers Redis knew of at each."""

    def __init__(self, client: redis.Redis) -> None:
        self._client = client
        self._seen: queue.Queue[int] = queue.Queue()

    def __call__(self) -> None:
        try:
            ((_, subscribers),) = self._client.pubsub_numsub(WAKE)
        except redis.ConnectionError:
            subscribers = -1
        self._seen.put(subscribers)

    def next(self) -> int:
        return self._seen.get(timeout=10)


@pytest.fixture
def listening(redis_client: redis.Redis, redis_server: RedisServer) -> Iterator[redis.Redis]:
    with redis_server.client() as client:
        client.set_retry(Retry(NoBackoff(), 0))
        yield client


@pytest.fixture
def woken(listening: redis.Redis, redis_client: redis.Redis) -> Iterator[Woken]:
    counter = Woken(redis_client)
    listener = WakeListener(listening, counter, SystemClock(), adapt(RecordingLogger()))
    listener.start()
    yield counter
    listener.stop()
    assert [thread.name for thread in threading.enumerate() if thread.name == "wake"] == []


def test_it_wakes_once_redis_knows_that_it_listens(woken: Woken) -> None:
    assert woken.next() == 1, "what is published from here on arrives"


def test_a_message_that_becomes_the_earliest_wakes(woken: Woken, redis_client: redis.Redis) -> None:
    woken.next()
    store_on(redis_client).schedule([message("a")])
    assert woken.next() == 1


def test_a_dead_connection_heals_and_wakes_for_what_was_missed(woken: Woken, redis_client: redis.Redis) -> None:
    woken.next()
    assert redis_client.execute_command("CLIENT", "KILL", "TYPE", "pubsub") >= 1  # type: ignore[no-untyped-call]
    assert woken.next() == 1
    redis_client.publish(WAKE, "0 1")
    assert woken.next() == 1


def test_a_stop_ends_the_read(
    listening: redis.Redis, redis_client: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("scheduler.store.wake._READ_SECONDS", 3600.0)
    woken = Woken(redis_client)
    listener = WakeListener(listening, woken, SystemClock(), adapt(RecordingLogger()))
    listener.start()
    woken.next()
    stopping = threading.Thread(target=listener.stop, daemon=True)
    stopping.start()
    stopping.join(10)
    assert not stopping.is_alive()


class Failing:
    """A client whose subscriptions fail with each of these errors, and then the test ends."""

    def __init__(self, *errors: Exception) -> None:
        self.errors = list(errors)
        self.used_up = threading.Event()

    def publish(self, *_: str) -> NoReturn:
        raise redis.ConnectionError("no nodes")

    def pubsub(self) -> NoReturn:
        error = self.errors.pop(0)
        if not self.errors:
            self.used_up.set()
            self.errors.append(error)
        raise error


@pytest.mark.parametrize(("error", "logged"), [(RedisClusterException("no nodes"), 0), (ValueError("a defect"), 1)])
def test_no_error_ends_it_and_only_a_defect_is_told(error: Exception, logged: int) -> None:
    client, log = Failing(error, error, error), RecordingLogger()
    listener = WakeListener(client, lambda: None, SystemClock(), adapt(log))  # type: ignore[arg-type]
    listener.start()
    assert client.used_up.wait(10)
    listener.stop()
    assert log.count("listening for wake-ups failed, trying on: a defect") == logged
    assert len(log.errors) == logged
