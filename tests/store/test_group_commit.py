"""Messages of several threads share a script call: each gets its own answer, and hears of a failure."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest
import redis

from scheduler.clock import SystemClock
from scheduler.errors import Conflict, StoreUnavailable
from scheduler.message import IdGenerator, NewMessage
from scheduler.store import MessageStore, Scheduled
from scheduler.store.group import MOST, GroupCommit
from tests.support.waiting import wait_for


class Writer:
    """A store whose first call waits until the test lets it go on."""

    def __init__(self, fails: BaseException | None = None) -> None:
        self.groups: list[list[str]] = []
        self.entered = threading.Event()
        self.go_on = threading.Event()
        self._fails = fails

    def __call__(self, messages: Sequence[NewMessage]) -> list[Scheduled]:
        self.groups.append([message.id for message in messages])
        if len(self.groups) == 1:
            self.entered.set()
            assert self.go_on.wait(10)
        elif self._fails is not None:
            raise self._fails
        return [Scheduled(message.id, 7) for message in messages]


def message(n: int) -> NewMessage:
    return NewMessage(id=f"m{n}", payload="1", due_at=7)


def together(writer: Writer, count: int) -> list[Scheduled | BaseException]:
    """What one thread that writes, and ``count`` that come meanwhile, get."""
    commit = GroupCommit(writer)
    with ThreadPoolExecutor(count + 1) as pool:
        futures = [pool.submit(commit, message(0))]
        assert writer.entered.wait(10)
        futures += [pool.submit(commit, message(n)) for n in range(1, count + 1)]
        wait_for("all others wait", lambda: len(commit._batching) == count)
        writer.go_on.set()
        return [future.exception(10) or future.result() for future in futures]


def test_a_lone_message_is_written_at_once() -> None:
    writer = Writer()
    writer.go_on.set()
    commit = GroupCommit(writer)
    assert commit(message(1)) == Scheduled("m1", 7)
    assert commit(message(2)) == Scheduled("m2", 7)
    assert writer.groups == [["m1"], ["m2"]]


def test_those_who_come_meanwhile_share_one_call_and_each_gets_its_own_answer() -> None:
    writer = Writer()
    assert together(writer, 8) == [Scheduled(f"m{n}", 7) for n in range(9)]
    assert [len(group) for group in writer.groups] == [1, 8]


def test_a_group_has_a_limit() -> None:
    writer = Writer()
    together(writer, MOST + 3)
    assert [len(group) for group in writer.groups] == [1, MOST, 3]


def test_all_who_wait_for_a_failed_call_hear_of_it_and_the_next_one_is_served() -> None:
    writer = Writer(fails=StoreUnavailable("away"))
    first, *others = together(writer, 5)
    assert first == Scheduled("m0", 7)
    assert [type(other) for other in others] == [StoreUnavailable] * 5


def test_threads_on_a_real_redis(redis_client: redis.Redis) -> None:
    store = MessageStore(redis_client, new_id=IdGenerator(SystemClock().now_ms), partitions=3)
    barrier = threading.Barrier(16)

    def accept(_: int) -> list[Scheduled]:
        barrier.wait(10)
        return [
            store.schedule_fresh(NewMessage(id=store.new_ids(1)[0], payload="1", due_at=9_000_000_000_000))
            for _ in range(50)
        ]

    with ThreadPoolExecutor(16) as pool:
        accepted = [one for part in pool.map(accept, range(16)) for one in part]
    assert len({one.id for one in accepted}) == 800
    assert sum(store.counts().scheduled.values()) == 800
    assert all(store.get(one.id).due_at == one.due_at for one in accepted[::50])


def test_an_id_that_exists_is_refused_and_the_next_message_is_not(redis_client: redis.Redis) -> None:
    store = MessageStore(redis_client, new_id=IdGenerator(SystemClock().now_ms))
    store.schedule([message(1)])
    with pytest.raises(Conflict, match="exists"):
        store.schedule_fresh(message(1))
    assert store.schedule_fresh(message(2))[:2] == ("m2", 7)
