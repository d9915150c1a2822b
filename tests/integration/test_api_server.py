"""The API's processes as they run: real sockets, real workers, a real Redis."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import psutil
import pytest

from scheduler.api.processes import child_variables
from scheduler.clock import SystemClock
from scheduler.config.reading import Settings
from scheduler.redis_server.connections import connect
from scheduler.store import MessageStore, store_for
from tests.support.redis_server import RedisServer
from tests.support.waiting import free_port, wait_for

ROOT = Path(__file__).parents[2]
TOKEN = "t0ken"


class Server:
    """``python -m scheduler.api.serve`` as its parent would start it.  ``code``: run in its place."""

    def __init__(self, redis_url: str, logs: Path, search_path: str = "", code: str = "", **server: Any) -> None:
        self.port = free_port()
        self.settings = Settings.model_validate(
            {
                "redis": {"connection_string": redis_url, "socket_timeout_seconds": 2},
                "server": {"port": self.port, "name": "here", **server},
                "scheduler": {"heartbeat_seconds": 0.2},
                "api": {"auth_token": TOKEN, "max_body_bytes": 50_000},
                "logs": {"directory": str(logs), "console": False},
            }
        )
        self.logs = logs
        self.client = connect(redis_url)
        self.store: MessageStore = store_for(self.settings, self.client, SystemClock())
        self.process = subprocess.Popen(
            [sys.executable, *(["-c", code] if code else ["-m", "scheduler.api.serve"])],
            cwd=ROOT,
            env=os.environ | child_variables(self.settings) | {"PYTHONPATH": search_path},
            stdin=subprocess.PIPE,
            start_new_session=True,
        )
        wait_for("the server answers", self._answers, 30)

    def _answers(self) -> bool:
        assert self.process.poll() is None
        try:
            return self.request("GET", "/")[0] == 200
        except OSError:
            return False

    def request(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        """(status, parsed body) of one request on a connection of its own.  Never sent twice: it may be stored."""
        with closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)) as connection:
            headers = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"}
            connection.request(method, path, None if body is None else json.dumps(body), headers)
            answer = connection.getresponse()
            return answer.status, json.loads(answer.read())

    def raw(self, data: bytes) -> socket.socket:
        """A connection on which these bytes were sent."""
        connection = socket.create_connection(("127.0.0.1", self.port), timeout=10)
        connection.sendall(data)
        return connection

    def workers(self) -> set[str]:
        return {name for name, snapshot in self.store.servers().items() if snapshot["role"] == "api"}

    def stop(self) -> int:
        """SIGTERM; the exit code."""
        self.process.terminate()
        return self.process.wait(20)

    def __enter__(self) -> Server:
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(20)
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.client.close()


def headers(method: str, path: str, *more: str) -> bytes:
    lines = (f"{method} {path} HTTP/1.1", "Host: x", f"Authorization: {TOKEN}", "Content-Type: application/json", *more)
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


@pytest.fixture
def server(redis_server: RedisServer, redis_client: Any, tmp_path: Path) -> Iterator[Server]:
    with Server(redis_server.url, tmp_path / "logs", api_processes=2, api_threads=4) as server:
        yield server


@pytest.fixture(scope="module")
def shared() -> Iterator[Server]:
    """One for the tests that leave it as it was."""
    with (
        tempfile.TemporaryDirectory(prefix="ms-", dir="/tmp") as name,
        RedisServer(Path(name)) as own,
        Server(own.url, Path(name) / "logs", api_processes=2, api_threads=4) as server,
    ):
        yield server


def test_every_worker_reports_serves_and_signs_off(server: Server) -> None:
    wait_for("both workers have reported", lambda: len(server.workers()) == 2)
    assert all(name.startswith("here/api-") for name in server.workers())
    with ThreadPoolExecutor(16) as pool:
        answers = list(
            pool.map(lambda n: server.request("POST", "/v1/messages", {"message": n, "delay": 60}), range(64))
        )
    assert {status for status, _ in answers} == {201}
    assert sum(server.store.counts().scheduled.values()) == 64
    status, stats = server.request("GET", "/v1/stats")
    assert (status, stats["scheduled"]["total"]) == (200, 64)
    assert {entry["role"] for entry in stats["servers"]} == {"api"}
    assert stats["redis"]["persistence"] == "none"
    assert server.stop() == 0
    assert server.workers() == set()
    assert {path.name for path in server.logs.glob(".api*.lock")} == {".api.lock", ".api-2.lock"}


@pytest.mark.parametrize("search_path", ["", str(ROOT / "tests/support/without_uvloop")])
def test_the_event_loop_is_uvloop_where_there_is_one(
    redis_server: RedisServer, redis_client: Any, tmp_path: Path, search_path: str
) -> None:
    with Server(redis_server.url, tmp_path / "logs", search_path, drain_seconds=0) as server:
        worker = max(psutil.Process(server.process.pid).children(recursive=True), key=lambda one: one.num_threads())
        loaded = any("uvloop" in file.path for file in worker.memory_maps())
        assert loaded == (not search_path)
        assert server.request("POST", "/v1/messages", {"message": 1, "delay": 60})[0] == 201
        assert server.request("GET", "/v1/messages")[0] == 200
        assert server.process.stdin is not None
        server.process.stdin.write(b"d")
        server.process.stdin.flush()
        wait_for("it drains", lambda: server.request("GET", "/health")[1] == {"status": "error", "message": "stopping"})
        assert server.stop() == 0
        assert server.workers() == set()


def test_it_gives_way_to_deliveries_where_there_are_any(
    shared: Server, redis_server: RedisServer, redis_client: Any, tmp_path: Path
) -> None:
    def niceness(server: Server) -> set[int]:
        process = psutil.Process(server.process.pid)
        return {one.nice() - os.getpriority(os.PRIO_PROCESS, 0) for one in (process, *process.children(recursive=True))}

    assert niceness(shared) == {5}
    with Server(redis_server.url, tmp_path / "logs", role="api") as alone:
        assert niceness(alone) == {0}


def test_it_serves_where_a_sandbox_forbids_that(redis_server: RedisServer, redis_client: Any, tmp_path: Path) -> None:
    forbidding = (
        "import os\ndef forbidden(_): raise PermissionError\nos.nice = forbidden\n"
        "from scheduler.api import serve; serve.main()"
    )
    with Server(redis_server.url, tmp_path / "logs", code=forbidding) as server:
        assert server.request("GET", "/v1/messages")[0] == 200


def test_a_worker_that_dies_is_replaced(server: Server) -> None:
    before = wait_for("both workers have reported", lambda: names if len(names := server.workers()) == 2 else None)
    os.kill(int(min(before).rpartition("-")[2]), signal.SIGKILL)
    wait_for("another one has reported", lambda: server.workers() - before, 30)
    assert server.request("GET", "/v1/messages")[0] == 200
    assert "Unexpected exit" in (server.logs / "http.log").read_text()


def test_ends_with_its_parent(redis_server: RedisServer, redis_client: Any, tmp_path: Path) -> None:
    with Server(redis_server.url, tmp_path / "logs") as server:
        _ends_with_its_parent(server)


def _ends_with_its_parent(server: Server) -> None:
    everyone = [psutil.Process(server.process.pid), *psutil.Process(server.process.pid).children(recursive=True)]
    assert server.process.stdin is not None
    server.process.stdin.close()
    assert server.process.wait(20) == 0
    _, alive = psutil.wait_procs(everyone, timeout=10)
    assert alive == []


def test_workers_end_with_the_server(server: Server) -> None:
    wait_for("both workers have reported", lambda: len(server.workers()) == 2)
    workers = psutil.Process(server.process.pid).children(recursive=True)
    server.process.kill()
    _, alive = psutil.wait_procs(workers, timeout=15)
    assert alive == []
    assert server.workers() == set()


def test_redis_away_and_back(short_tmp: Path, tmp_path: Path) -> None:
    with RedisServer(short_tmp) as own, Server(own.url, tmp_path / "logs", api_threads=4) as server:
        assert server.request("POST", "/v1/messages", {"message": 1, "delay": 60})[0] == 201
        own.kill()
        status, body = server.request("POST", "/v1/messages", {"message": 2, "delay": 60})
        assert (status, body["title"]) == (503, "Service Unavailable")
        assert server.request("GET", "/health")[1] == {"status": "error", "message": "Redis does not answer."}
        log = server.logs / "api.log"
        wait_for("the outage is in the log", lambda: log.exists() and "cannot beat" in log.read_text())
        own.start()
        wait_for("messages are accepted", lambda: server.request("POST", "/v1/messages", {"message": 3})[0] == 201)
        assert log.read_text().count("cannot beat") == 1
        assert server.stop() == 0


def test_bodies_over_a_socket(shared: Server) -> None:
    whole = b'{"message": "%s", "delay": 60}' % (b"x" * 40_000)
    length = f"Content-Length: {len(whole)}"
    for name, data, status in (
        ("in two parts", headers("POST", "/v1/messages", length) + whole[:100], b"201"),
        ("said to be too long", headers("POST", "/v1/messages", "Content-Length: 1000000000"), b"413"),
        ("not HTTP", b"\x16\x03\x01\x02\x00\x01\x00\r\n\r\n", b"400"),
        ("a negative length", headers("POST", "/v1/messages", "Content-Length: -1"), b"400"),
        ("two lengths", headers("POST", "/v1/messages", "Content-Length: 1", "Content-Length: 2"), b"400"),
    ):
        with shared.raw(data) as connection:
            if status == b"201":
                connection.sendall(whole[100:])
            assert connection.recv(4096).split(b" ")[1] == status, name


@pytest.mark.parametrize(("chunks", "status"), [(3, b"201"), (60, b"413")])
def test_chunked_bodies(shared: Server, chunks: int, status: bytes) -> None:
    text = b'{"delay": 60, "message": 1' + b" " * 1000 * chunks + b"}"
    with shared.raw(headers("POST", "/v1/messages", "Transfer-Encoding: chunked")) as connection:
        for at in range(0, len(text), 1000):
            part = text[at : at + 1000]
            connection.sendall(b"%x\r\n%s\r\n" % (len(part), part))
        connection.sendall(b"0\r\n\r\n")
        assert connection.recv(4096).split(b" ")[1] == status


def test_half_a_request_is_no_request(shared: Server) -> None:
    body = b'{"message": 1, "delay": 60}'
    before = sum(shared.store.counts().scheduled.values())
    # What came is a whole JSON text, but not all that was announced.
    with shared.raw(headers("POST", "/v1/messages", f"Content-Length: {len(body) + 1}") + body):
        pass
    with shared.raw(headers("POST", "/v1/messages", "Transfer-Encoding: chunked") + b"9\r\n" + body[:9] + b"\r\n"):
        pass
    assert shared.request("POST", "/v1/messages", {"message": "after", "delay": 60})[0] == 201
    assert sum(shared.store.counts().scheduled.values()) == before + 1


def test_clients_that_stall_do_not_stop_the_others(
    redis_server: RedisServer, redis_client: Any, tmp_path: Path
) -> None:
    """More connections than threads, each with half a body; and one with half a header."""
    impatient = "from scheduler.api import serve; serve.HEADER_SECONDS = 1; serve.main()"
    with Server(redis_server.url, tmp_path / "logs", code=impatient, api_threads=4) as server:
        _stall(server)


def _stall(server: Server) -> None:
    headless = server.raw(b"GET / HTTP/1.1\r\nHost: x\r\nX-Slow: ")
    stalled = [server.raw(headers("POST", "/v1/messages", "Content-Length: 100") + b'{"message":') for _ in range(24)]
    try:
        assert server.request("POST", "/v1/messages", {"message": 1, "delay": 60})[0] == 201
        assert sum(server.store.counts().scheduled.values()) == 1
        assert headless.recv(4096).split(b" ")[1:2] in ([], [b"408"])
    finally:
        for connection in (headless, *stalled):
            connection.close()
