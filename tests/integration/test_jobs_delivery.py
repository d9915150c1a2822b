"""Jobs on a real Redis with real threads: locks, retries, stops, and what is left of them after a restart."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import redis

from scheduler.jobs import REGISTRY, Dead, JobContext, Retry
from scheduler.message import Message, Status
from scheduler.retry import RetryPolicy
from tests.support.redis_server import RedisServer
from tests.support.running import SHORT_LOCK, Running, with_settings
from tests.support.waiting import wait_for

SECONDS = 30.0
AT_ONCE = RetryPolicy(max_attempts=3, base=0.01, factor=1, cap=0.01, jitter=False)
_handlers: dict[str, Callable[[Any, JobContext], Any]] = {}


@REGISTRY.handler("of_this_test", time_limit=SECONDS)
def _of_this_test(payload: Any, context: JobContext) -> Any:
    return _handlers["now"](payload, context)


@pytest.fixture(autouse=True)
def _empty(redis_client: redis.Redis) -> Iterator[None]:
    yield
    _handlers.clear()


def add(runtime: Running, *, type: str = "of_this_test", **more: Any) -> str:
    [id] = runtime.add(channel="job", type=type, retry=AT_ONCE, **more)
    return id


def ended(runtime: Running, id: str) -> Message:
    def probe() -> Message | None:
        message = runtime.store.get(id)
        return message if message.status in (Status.DELIVERED, Status.DEAD) else None

    return wait_for(f"{id} ended", probe)


def test_result_and_every_attempt_are_kept(redis_url: str) -> None:
    def third_time(payload: Any, context: JobContext) -> Any:
        if context.attempt == 1:
            raise Retry("not yet", after=0)
        if context.attempt == 2:
            raise KeyError("x")
        return {"attempt": context.attempt, "payload": payload}

    _handlers["now"] = third_time
    with Running(redis_url) as runtime:
        message = ended(runtime, add(runtime, text="hello"))
    assert message.result == '{"attempt":3,"payload":"hello0"}'
    first, second, third = message.attempts or []
    assert [first["outcome"], second["outcome"], third["outcome"]] == ["failed", "failed", "delivered"]
    assert first["error"] == "not yet"
    assert (second["error"], second["traceback"][:9]) == ("KeyError: 'x'", "Traceback")


def test_dead_at_once(redis_url: str) -> None:
    def hopeless(payload: Any, context: JobContext) -> None:
        raise Dead("no such user")

    _handlers["now"] = hopeless
    with Running(redis_url) as runtime:
        given_up = ended(runtime, add(runtime))
    assert (given_up.status, given_up.attempt, given_up.last_error) == (Status.DEAD, 1, "no such user")


def test_a_job_that_outlives_its_lock_keeps_it(redis_url: str) -> None:
    begun, go = threading.Event(), threading.Event()
    answers: list[bool] = []

    def long(payload: Any, context: JobContext) -> None:
        begun.set()
        assert go.wait(SECONDS)
        answers.append(context.renewed())

    _handlers["now"] = long
    short = with_settings(lock_seconds=SHORT_LOCK)
    with Running(redis_url, settings=short) as runtime, Running(redis_url, name="other", settings=short):
        id = add(runtime)
        assert begun.wait(SECONDS)
        expiry = lock_expiry(runtime, id)
        # One more life of the lock: without renewal the other server would have reaped it.
        wait_for("renewed", lambda: lock_expiry(runtime, id) > expiry + 1000 * SHORT_LOCK)
        go.set()
        message = ended(runtime, id)
    assert (message.status, message.attempt, answers) == (Status.DELIVERED, 1, [True])


def lock_expiry(runtime: Running, id: str) -> float:
    return float(runtime.store.client.zscore("ms1:{0}:locks", id) or 0)


def test_a_job_whose_lock_was_lost_learns_of_it(redis_url: str) -> None:
    begun, noticed = threading.Event(), threading.Event()

    def watchful(payload: Any, context: JobContext) -> None:
        if begun.is_set():
            return
        begun.set()
        wait_for("cancelled", context.cancelled)
        assert not context.renewed()
        noticed.set()

    _handlers["now"] = watchful
    with Running(redis_url, settings=with_settings(lock_seconds=SHORT_LOCK)) as runtime:
        id = add(runtime)
        assert begun.wait(SECONDS)
        runtime.store.client.hset(f"ms1:{{0}}:msg:{id}", "k", "somebody else's token")
        assert noticed.wait(SECONDS)
        runtime.logger.wait_for(f"lock lost id={id}")


def test_a_stop_gives_back_what_gives_way(redis_url: str) -> None:
    begun = threading.Event()

    def waiting(payload: Any, context: JobContext) -> None:
        begun.set()
        wait_for("cancelled", context.cancelled)
        raise Retry("asked to stop")

    _handlers["now"] = waiting
    runtime = Running(redis_url)
    runtime.start()
    id = add(runtime)
    assert begun.wait(SECONDS)
    runtime.stop()
    _handlers["now"] = lambda payload, context: context.attempt
    with Running(redis_url, name="next") as following:
        assert ended(following, id).result == "1"


def test_a_handler_that_ignores_the_stop_holds_nobody_up(redis_url: str) -> None:
    begun, go = threading.Event(), threading.Event()

    def deaf(payload: Any, context: JobContext) -> None:
        begun.set()
        go.wait(60)

    _handlers["now"] = deaf
    with Running(redis_url, settings=with_settings(grace_seconds=0.1)) as runtime:
        id = add(runtime)
        assert begun.wait(SECONDS)
    with Running(redis_url, name="next") as following:
        message = following.store.get(id)
        assert (message.status, message.attempt) in [(Status.SCHEDULED, 1), (Status.PROCESSING, 2)]
        go.set()


def test_history_survives_a_restart_of_everything(short_tmp: Path) -> None:
    def failing(payload: Any, context: JobContext) -> Any:
        if payload == "good0":
            return [context.attempt]
        raise ValueError("bad payload")

    _handlers["now"] = failing
    server = RedisServer(short_tmp, "--appendonly", "yes", "--appendfsync", "always")
    with server, Running(server.url) as runtime:
        good, bad = add(runtime, text="good"), add(runtime, text="bad")
        ended(runtime, good)
        ended(runtime, bad)
        moment = runtime.store.get(bad).finished_at or 0
    with server, Running(server.url) as runtime:
        assert runtime.store.get(good).result == "[1]"
        page = runtime.store.page(
            status=Status.DEAD, channel="job", type="of_this_test", since=moment, until=moment
        ).messages
        assert [message.id for message in page] == [bad]
        attempts = runtime.store.get(bad).attempts or []
        assert [attempt["attempt"] for attempt in attempts] == [1, 2, 3]
        assert all("ValueError: bad payload" in attempt["traceback"] for attempt in attempts)
