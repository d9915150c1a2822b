"""What a warning or the runbook tells an operator to do, done word for word on a real Redis."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import redis

from scheduler.errors import StoreUnavailable
from scheduler.message import Priority
from scheduler.redis_server.connections import check_server, connect
from tests.support.redis_server import RedisServer, binaries
from tests.support.store import NOW, Ticks, message, store_on, take
from tests.support.topologies import HOST, Node, Topology
from tests.support.waiting import free_port, wait_for

RUNBOOK = (Path(__file__).resolve().parents[2] / "docs" / "runbook.md").read_text(encoding="utf-8")


class Operated:
    """A Redis as a distribution sets it up: with a configuration file, which its operator may edit."""

    def __init__(self, folder: Path, binary: str, *lines: str) -> None:
        self.file = folder / "redis.conf"
        self.socket = folder / "redis.sock"
        self.file.write_text(
            f"port 0\nunixsocket {self.socket}\ndir {folder}\nlogfile {folder}/redis.log\n" + "\n".join(lines) + "\n"
        )
        self._command = [binary, str(self.file)]
        self._start()

    def _start(self) -> None:
        self._process = subprocess.Popen(self._command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_for("redis answers", self._answers)

    def _answers(self) -> bool:
        with self.client() as client:
            try:
                return bool(client.ping())
            except redis.ConnectionError:
                return False

    def client(self) -> redis.Redis:
        return connect(f"unix://{self.socket}")

    def restart(self) -> None:
        """As a service manager does: SIGTERM, and start."""
        self.stop()
        self._start()

    def stop(self) -> None:
        self._process.terminate()
        self._process.wait(10)


@contextmanager
def operated(folder: Path, binary: str, *lines: str) -> Iterator[Operated]:
    server = Operated(folder, binary, *lines)
    try:
        yield server
    finally:
        server.stop()


def follow(advice: str, client: redis.Redis) -> None:
    """Run its commands in their order, and wait for what it says to wait for."""
    steps = re.findall(r"CONFIG SET \S+ \w+|CONFIG REWRITE|\w+:0\b", advice)
    assert steps, advice
    for step in steps:
        if step.startswith("CONFIG"):
            client.execute_command(*step.split())  # type: ignore[no-untyped-call]
        else:
            name = step.removesuffix(":0")
            wait_for(step, lambda: client.info("persistence")[name] == 0)  # noqa: B023 - asked at once


@pytest.fixture(params=binaries())
def binary(request: pytest.FixtureRequest) -> str:
    path: str = request.param
    return path


@pytest.mark.parametrize("saves", ['save ""', "save 3600 1"])
def test_advice_on_a_redis_that_keeps_nothing(short_tmp: Path, binary: str, saves: str) -> None:
    """Followed in redis.conf alone it lost every message: Redis began with an empty append-only file."""
    with operated(short_tmp, binary, saves) as server:
        with server.client() as client:
            store_on(client).schedule([message(f"m{n}") for n in range(5)])
            (warning,) = check_server(client).warnings
            follow(warning, client)
        server.restart()
        with server.client() as client:
            assert store_on(client, Ticks(NOW - 1)).counts().scheduled[Priority.NORMAL] == 5
            assert check_server(client).warnings == []


def test_advice_on_a_redis_that_evicts(short_tmp: Path, binary: str) -> None:
    with operated(short_tmp, binary, "appendonly yes", "maxmemory-policy allkeys-lru") as server:
        with server.client() as client:
            (warning,) = check_server(client).warnings
            follow(warning, client)
        server.restart()
        with server.client() as client:
            assert check_server(client).warnings == []


def entry(title: str) -> str:
    """What the runbook says under a title, on one line."""
    return " ".join(RUNBOOK.split(f"\n## {title}\n")[1].split("\n## ")[0].split())


def test_runbook_on_a_full_redis(short_tmp: Path) -> None:
    (command,) = re.findall(r"CONFIG SET maxmemory \w+", entry("Redis is full"))
    with RedisServer(short_tmp) as server, server.client() as client:
        store = store_on(client)
        client.config_set("maxmemory", 1)
        with pytest.raises(StoreUnavailable, match="Redis is full"):
            store.schedule([message("a")])
        client.execute_command(*command.split())
        store.schedule([message("a")])


def test_the_advice_without_its_first_step_loses_everything(short_tmp: Path, binary: str) -> None:
    """Why it is not just "set appendonly yes in redis.conf"."""
    with operated(short_tmp, binary, 'save ""') as server:
        with server.client() as client:
            store_on(client).schedule([message("a")])
        server.file.write_text(server.file.read_text() + "appendonly yes\n")
        server.restart()
        with server.client() as client:
            assert client.dbsize() == 0


def test_runbook_on_a_move_to_another_redis(tmp_path: Path) -> None:
    words = entry("Before an upgrade or a move")
    first, last = re.findall(r"`REPLICAOF ([^`]*)`", words)
    (ready,) = re.findall(r"`INFO replication` says `(\w+:\w+)`", words)
    with Topology() as servers:
        old, new = (Node(tmp_path / name, free_port(), "--save", "") for name in ("old", "new"))
        servers.nodes += [old, new]
        with old.client() as before, new.client() as after:
            store = store_on(before, Ticks())
            store.open()
            store.schedule([message(f"m{n}") for n in range(5)])
            store.pause()
            host, port = first.replace("<old host> 6379", f"{HOST} {old.port}").split()
            after.replicaof(host, port)
            name, value = ready.split(":")
            wait_for(ready, lambda: after.info("replication").get(name) == value)
            after.replicaof(*last.split())
            moved = store_on(after, Ticks())
            moved.open()
            assert take(moved, 10, 1000).claims == [], "still paused"
            moved.resume()
            assert len(take(moved, 10, 1000).claims) == 5
