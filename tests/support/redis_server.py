"""A real redis-server for tests: on a unix socket in a folder of its own, nothing written to disk."""

from __future__ import annotations

import os
import subprocess
from functools import lru_cache
from pathlib import Path
from types import TracebackType

import pytest
import redis

from scheduler.errors import StartError
from scheduler.redis_server.binary import Server, find_server, servers
from tests.support.waiting import wait_for

CHOICE = "TEST_REDIS_SERVER"
"""Environment variable: the path of another server to test with."""


@lru_cache
def _find() -> Server | str:
    """Return the server, or why there is none."""
    if path := os.environ.get(CHOICE):
        return Server.at(path) or f"{CHOICE}={path} is not a Redis or Valkey server"
    try:
        return find_server()
    except StartError as error:
        return str(error)


def server() -> Server:
    """Return the server that all tests use: the service's own choice, or that of the environment (make compat).

    Without one the test is skipped, in CI (environment variable ``CI``) it fails.
    """
    found = _find()
    if isinstance(found, Server):
        return found
    if os.environ.get("CI"):
        pytest.fail(f"{found} CI must not skip these tests.")
    pytest.skip(found)


def find_binary() -> str:
    """Return the path of that server; skips or fails as ``server`` does."""
    return server().path


def described() -> str:
    """Return which server the tests use, for pytest's header."""
    return str(_find())


def start(*arguments: str, binary: str | None = None) -> subprocess.Popen[bytes]:
    """Start a server with these arguments, its output thrown away.  ``binary``: None for the one that all tests use."""
    chosen = server()
    return subprocess.Popen(
        [binary or chosen.path, *arguments],
        env=os.environ | (chosen.environment if binary in (None, chosen.path) else {}),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def binaries() -> list[str]:
    """Return every server of another version that this machine has; only the chosen one when one is chosen."""
    return [server().path] if os.environ.get(CHOICE) else [found.path for found in servers()]


class RedisServer:
    """One redis-server process.  ``start`` and ``kill`` may be repeated; ``arguments`` are extra options."""

    def __init__(self, folder: Path, *arguments: str, binary: str | None = None) -> None:
        """``binary``: None for the one that all tests use."""
        self.folder = folder
        self.socket = folder / "redis.sock"
        self._binary = binary
        self._arguments = [
            "--port", "0", "--unixsocket", str(self.socket), "--dir", str(folder),
            "--logfile", str(folder / "redis.log"), "--save", "", "--appendonly", "no", "--databases", "4",
            "--hash-max-ziplist-value", "1024", *arguments,
        ]  # fmt: skip
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"unix://{self.socket}"

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def client(self) -> redis.Redis:
        """A new client as the store wants it, text out, every read within 10 s; the caller closes it."""
        return redis.Redis.from_url(self.url, socket_timeout=10, socket_connect_timeout=10, decode_responses=True)

    def launch(self) -> None:
        """Start it, and do not wait until it answers."""
        self._process = start(*self._arguments, binary=self._binary)

    def start(self) -> RedisServer:
        self.launch()
        wait_for("redis-server answers", self._answers)
        return self

    def _answers(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, (self.folder / "redis.log").read_text()
        try:
            with self.client() as client:
                return bool(client.ping())
        except redis.ConnectionError:
            return False

    def kill(self) -> None:
        """``kill -9``."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(10)

    def stop(self) -> None:
        if self._process is not None:
            self._process.terminate()
            try:
                self._process.wait(10)
            except subprocess.TimeoutExpired:
                self.kill()
                raise

    def __enter__(self) -> RedisServer:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
