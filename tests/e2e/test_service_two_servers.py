"""Two servers on one Redis: no leader, each message once, and who is killed is replaced."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from scheduler.message import NOW, NewMessage
from scheduler.store import MessageStore
from tests.support.redis_server import RedisServer
from tests.support.service import Service, add, attempts, printed, store_at
from tests.support.waiting import wait_for

RECOVERY_SECONDS = 20
"""The README promises eight with default settings: 5 s of a lock's life, a second until somebody looks.  A busy machine
is slower; docs/reliability.md has the measured figures.
"""


@pytest.fixture
def redis_server(short_tmp: Path) -> Iterator[RedisServer]:
    with RedisServer(short_tmp) as server:
        yield server


@pytest.fixture
def store(redis_server: RedisServer) -> Iterator[MessageStore]:
    with store_at(redis_server.url) as store:
        yield store


def worker(folder: Path, server: RedisServer, **env: str) -> Service:
    return Service(folder, redis_url=server.url, role="worker", env=env)


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


def test_the_work_of_a_server_that_is_killed_runs_elsewhere(
    short_tmp: Path, redis_server: RedisServer, store: MessageStore
) -> None:
    """The doomed one's handlers never end: its work stays in flight, its locks renewed, until it is killed."""
    stubborn = {"JOBS__MODULES": "tests.support.stubborn_jobs", "JOBS__WORKERS": "30"}
    with worker(short_tmp / "a", redis_server, **stubborn) as doomed:
        ids = [NewMessage(id=id, payload="{}", due_at=NOW, channel="job", type="hold") for id in store.new_ids(30)]
        store.schedule(ids)
        wait_for("in flight", lambda: store.counts().processing == 30)
        with worker(short_tmp / "b", redis_server, JOBS__MODULES="tests.support.quick_jobs") as other:
            wait_for("both are known", lambda: len(store.servers()) == 2)
            doomed.kill()
            wait_for("carried out", lambda: store.counts().finished == 30, RECOVERY_SECONDS)
            assert other.stop() == 0
    assert attempts(other.log()) == {message.id: [2] for message in ids}
