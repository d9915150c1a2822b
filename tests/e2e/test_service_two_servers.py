"""Two servers on one Redis: no leader, each message once, and who is killed is replaced."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from scheduler.store import MessageStore
from tests.support.redis_server import RedisServer
from tests.support.service import Service, add, attempts, printed, store_at
from tests.support.waiting import wait_for

pytestmark = pytest.mark.timeout(120)

RECOVERY_SECONDS = 8
"""What the README promises with default settings: 5 s of a lock's life, a second until somebody looks."""


@pytest.fixture
def redis_server(short_tmp: Path) -> Iterator[RedisServer]:
    with RedisServer(short_tmp) as server:
        yield server


@pytest.fixture
def store(redis_server: RedisServer) -> Iterator[MessageStore]:
    with store_at(redis_server.url) as store:
        yield store


def worker(folder: Path, server: RedisServer, *, read_stdout: bool = True) -> Service:
    return Service(folder, redis_url=server.url, role="worker", read_stdout=read_stdout)


def test_two_servers_deliver_each_message_once_in_sum(
    short_tmp: Path, redis_server: RedisServer, store: MessageStore
) -> None:
    texts = [f"m{n}" for n in range(5_000)]
    with worker(short_tmp / "a", redis_server) as one, worker(short_tmp / "b", redis_server) as two:
        store.pause()
        ids = add(store, [(text, 0) for text in texts])
        store.resume()
        wait_for("all printed", lambda: len(one.stdout.lines) + len(two.stdout.lines) >= 5_000, 40)
        assert one.stop() == 0
        assert two.stop() == 0
    first, second = printed(one.stdout.texts()), printed(two.stdout.texts())
    assert Counter(first + second) == Counter(texts)
    assert first
    assert second
    logged = attempts(one.log()), attempts(two.log())
    assert not set(logged[0]) & set(logged[1])
    assert set(logged[0]) | set(logged[1]) == set(ids)
    assert store.counts().finished == 5_000


def test_the_work_of_a_server_that_is_killed_runs_elsewhere_within_eight_seconds(
    short_tmp: Path, redis_server: RedisServer, store: MessageStore
) -> None:
    """The doomed one's console is read by nobody: once the pipe is full its work stays in flight until it is killed."""
    texts = [f"m{n} {'x' * 4_000}" for n in range(150)]
    with worker(short_tmp / "a", redis_server, read_stdout=False) as doomed:
        ids = add(store, [(text, 0) for text in texts])
        wait_for("hanging", lambda: store.counts().processing == 150)
        with worker(short_tmp / "b", redis_server) as other:
            wait_for("both are known", lambda: len(store.servers()) == 2)
            doomed.kill()
            other.stdout.wait_for_count(150, RECOVERY_SECONDS)
            wait_for("recorded", lambda: store.counts().finished == 150)
            assert other.stop() == 0
    assert Counter(printed(other.stdout.texts())) == Counter(texts)
    assert attempts(other.log()) == {id: [2] for id in ids}
