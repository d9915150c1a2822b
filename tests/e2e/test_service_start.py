"""What the service says when it cannot start: one clear sentence per problem, an exit code, nothing left running."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import psutil
import pytest

from tests.support.redis_server import RedisServer
from tests.support.service import Service
from tests.support.waiting import free_port


@pytest.fixture
def taken_port() -> Iterator[int]:
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        yield int(listener.getsockname()[1])


@pytest.fixture
def old_redis() -> Iterator[str]:
    """Something that answers like a Redis 5: the connection string of it."""
    info = b"redis_version:5.0.7\r\nrole:master\r\nloading:0\r\n"
    answers = {b"INFO": b"$%d\r\n%s\r\n" % (len(info), info), b"PING": b"+PONG\r\n"}

    def serve(connection: socket.socket) -> None:
        with connection, connection.makefile("rb") as requests:
            while count := requests.readline():
                words = [requests.readline() and requests.readline() for _ in range(int(count[1:]))]
                connection.sendall(answers.get(words[0].strip().upper(), b"+OK\r\n"))

    def accept() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=serve, args=(connection,), daemon=True).start()

    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        threading.Thread(target=accept, daemon=True).start()
        yield f"redis://127.0.0.1:{listener.getsockname()[1]}"
        listener.shutdown(socket.SHUT_RDWR)


def refused(service: Service, code: int) -> str:
    """Start it; what it said before it ended with this code."""
    assert service.launch().wait() == code
    said = "\n".join(service.stderr.texts())
    assert "Traceback" not in said
    assert service.stdout.lines == []
    return said


def test_every_unusable_setting_is_named_at_once(short_tmp: Path) -> None:
    env = {"PORT": "none", "SCHEDULER__WORKERS": "0", "SCHEDULER__WORKER": "5"}
    said = refused(Service(short_tmp, env=env), 2)
    assert len(said.splitlines()) == 3
    for name in env:
        assert f"{name}:" in said


def test_a_redis_that_is_away_is_named_without_its_password(short_tmp: Path) -> None:
    said = refused(Service(short_tmp, redis_url="redis://me:geheim@127.0.0.1:1"), 1)
    assert "Redis does not answer" in said
    assert "REDIS_URL" in said
    assert "geheim" not in said


def test_a_database_that_does_not_exist_is_a_sentence(short_tmp: Path, redis_server: RedisServer) -> None:
    (line,) = refused(Service(short_tmp, redis_url=f"{redis_server.url}?db=99"), 1).splitlines()
    assert "DB index is out of range" in line
    assert "REDIS_URL" in line


def test_a_user_without_rights_is_a_sentence(short_tmp: Path, redis_server: RedisServer) -> None:
    with redis_server.client() as client:
        client.acl_setuser("nothing", enabled=True, passwords=["+geheim"])
        try:
            url = redis_server.url.replace("unix://", "unix://nothing:geheim@")
            (line,) = refused(Service(short_tmp, redis_url=url), 1).splitlines()
        finally:
            client.acl_deluser("nothing")
    assert "lacks a right" in line
    assert "geheim" not in line


def test_a_redis_in_protected_mode_is_a_sentence(short_tmp: Path) -> None:
    """A default install that is asked from another machine: this one by its own address from outside."""
    address = next((a for a in own_addresses() if a != "127.0.0.1"), None)
    if address is None:
        pytest.skip("this machine has no address but the loopback one")
    port = free_port()
    options = ("--bind", "0.0.0.0", "--protected-mode", "yes", "--port", str(port))
    with RedisServer(short_tmp, *options):
        (line,) = refused(Service(short_tmp, redis_url=f"redis://{address}:{port}"), 1).splitlines()
    assert "protected mode" in line
    assert "REDIS_URL" in line


def own_addresses() -> list[str]:
    return [
        entry.address
        for entries in psutil.net_if_addrs().values()
        for entry in entries
        if entry.family == socket.AF_INET
    ]


def test_a_redis_that_is_too_old_is_refused(short_tmp: Path, old_redis: str) -> None:
    said = refused(Service(short_tmp, redis_url=old_redis), 1)
    assert "Redis 5.0.7 is too old: 6.2 or newer is needed" in said


def test_a_port_that_is_taken_is_a_sentence_and_ends_the_private_redis_too(short_tmp: Path, taken_port: int) -> None:
    service = Service(short_tmp, env={"PORT": str(taken_port)})
    said = refused(service, 1)
    assert f"Cannot listen on 127.0.0.1:{taken_port}" in said
    assert "PORT" in said
    with Service(short_tmp, role="worker") as again:  # the folder is free again
        assert again.stop() == 0


def test_a_log_folder_that_cannot_be_used_is_a_sentence(short_tmp: Path) -> None:
    (short_tmp / "file").write_text("")
    said = refused(Service(short_tmp, env={"LOGS__DIRECTORY": str(short_tmp / "file")}), 1)
    assert "The log folder" in said
    assert "LOGS__DIRECTORY" in said


def test_a_redis_with_another_number_of_partitions_is_refused(short_tmp: Path, redis_server: RedisServer) -> None:
    with redis_server.client() as client:
        client.flushall()
        client.hset("ms1:meta", mapping={"layout": "1", "partitions": "7"})
        said = refused(Service(short_tmp, redis_url=redis_server.url), 1)
        client.flushall()
    assert "Set Redis.Partitions to 7" in said


def test_a_redis_that_may_lose_messages_is_warned_of(short_tmp: Path) -> None:
    with (
        RedisServer(short_tmp, "--maxmemory-policy", "allkeys-lru") as server,
        Service(short_tmp, redis_url=server.url, role="worker") as service,
    ):
        service.stderr.wait_for("maxmemory-policy is allkeys-lru")
        service.stderr.wait_for("Redis keeps nothing on disk")
