"""A real service for a row to measure: ``python app.py`` in a folder of its own, with its own Redis unless told."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType

import psutil
from redis import Redis

from bench import profiling
from bench.console import Console
from bench.messages import open_store
from bench.table import Broken, check, note_server
from scheduler.logs.sinks import adapt
from scheduler.redis_server.private import EmbeddedRedis, socket_path
from scheduler.store import MessageStore

ROOT = Path(__file__).parents[1]
START_SECONDS = 300.0
STOP_SECONDS = 60.0
SHOWN = 15
"""The last lines of what a service said, shown when a row fails."""
_KEPT = ("PATH", "HOME", "LANG", "LD_LIBRARY_PATH", "TMPDIR", "VIRTUAL_ENV")
"""The environment that the service gets: no setting of whoever runs the benchmark plays a part."""


class Service:
    """One server.  A context manager: started on entry, stopped on exit."""

    def __init__(
        self,
        folder: Path,
        console: Console,
        *,
        role: str = "all",
        redis_url: str = "",
        config: str = "",
        **settings: str,
    ) -> None:
        """``redis_url``: empty for a private Redis.  ``config``: a settings file, for a setting that is empty, which no
        variable can say.  ``settings``: further ``SECTION__KEY`` variables.
        """
        folder.mkdir(exist_ok=True)
        self.console = console
        self.logs = folder / "logs"
        self.redis_url = redis_url or f"unix://{socket_path(folder / 'data')}"
        self._folder = folder
        program = ["-m", "scheduler.cli", "serve", "--config", config] if config else ["app.py"]
        self._command = [sys.executable, *program]
        self._env = {name: os.environ[name] for name in _KEPT if name in os.environ} | {
            "REDIS_URL": redis_url or "embedded",
            "REDIS__DATADIRECTORY": str(folder / "data"),
            "LOGS__DIRECTORY": str(self.logs),
            "PORT": "0",
            "EVENTS__PORT": "0",
            "SERVER__ROLE": role,
            **settings,
        }

    def __enter__(self) -> Service:
        with (self._folder / "stderr.txt").open("wb") as stderr:
            self._process = subprocess.Popen(
                self._command,
                cwd=ROOT,
                env=self._env,
                stdin=subprocess.DEVNULL,
                stdout=self.console.stdout,
                stderr=stderr,
                # As a service has it that systemd or a container starts: what puts the load on it is somebody else,
                # and its niceness (docs/why.md 59) must not count against that.
                start_new_session=True,
            )
        try:
            self._wait_until_it_runs()
            self.store: MessageStore = open_store(self.redis_url, int(self._env.get("REDIS__PARTITIONS", 1)))
            note_servers(self.store.client)
            self._profiler = profiling.attach(self.processes())
        except BaseException:
            self.kill()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.store.client.close()
        if self._profiler:
            self._profiler.stop()
        if self._process.returncode is None:
            self._process.terminate()
            try:
                code = self._process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self.kill()
                raise Broken(f"the service did not stop within {STOP_SECONDS:g} s") from None
            if error is not None:
                print("\n".join(self.said().splitlines()[-SHOWN:]), file=sys.stderr)
            else:
                check(code == 0, f"the service ended with exit code {code}:\n{self.said()}")

    def kill(self) -> None:
        """``kill -9``; its children notice by themselves."""
        self._process.kill()
        self._process.wait()

    def _wait_until_it_runs(self) -> None:
        deadline = time.monotonic() + START_SECONDS
        while "Stop:" not in self.said():
            check(self._process.poll() is None, f"the service did not start:\n{self.said()}")
            check(time.monotonic() < deadline, f"the service did not start within {START_SECONDS:g} s")
            time.sleep(0.02)

    def said(self) -> str:
        """What it told its console since its start."""
        return (self._folder / "stderr.txt").read_text(errors="replace")

    @property
    def port(self) -> int:
        """Where HTTP is."""
        return int(self.said().rpartition("http://127.0.0.1:")[2].split("/")[0])

    @property
    def client(self) -> Redis:
        return self.store.client

    def processes(self) -> dict[str, list[psutil.Process]]:
        """Its processes by what they do: ``scheduler``, ``api`` (all of its processes), ``redis``."""
        parent = psutil.Process(self._process.pid)
        found: dict[str, list[psutil.Process]] = {"scheduler": [parent]}
        for child in parent.children(recursive=True):
            found.setdefault("redis" if child.name() in ("redis-server", "valkey-server") else "api", []).append(child)
        return found

    def cpu_seconds(self) -> dict[str, float]:
        """CPU time since their start, by role."""
        return cpu_seconds(self.processes())

    def log_text(self) -> str:
        """The scheduler's log file."""
        return (self.logs / "scheduler.log").read_text()

    def wait_settled(self, seconds: float) -> None:
        """Wait until nothing that is due waits or is in flight.  Raises ``Broken``."""
        deadline = time.monotonic() + seconds
        while (counts := self.store.counts()).due or counts.processing:
            check(
                time.monotonic() < deadline, f"{counts.due} due and {counts.processing} in flight after {seconds:g} s"
            )
            time.sleep(0.002)

    def signal(self, number: signal.Signals) -> None:
        self._process.send_signal(number)


def cpu_seconds(processes: Mapping[str, Sequence[psutil.Process]]) -> dict[str, float]:
    """User and system time of these processes since their start, by role; in steps of 10 ms."""
    used: dict[str, float] = defaultdict(float)
    for role, members in processes.items():
        for process in members:
            times = process.cpu_times()
            used[role] += times.user + times.system
    return used


def in_words(before: Mapping[str, float], after: Mapping[str, float], messages: int, what: str = "message") -> str:
    """``CPU per message: scheduler 31 µs, redis 12 µs``."""
    parts = [f"{role} {(after[role] - before[role]) / messages * 1e6:.0f} µs" for role in sorted(after, reverse=True)]
    return f"CPU per {what}: {', '.join(parts)}"


def wait_quiet(client: Redis) -> None:
    """Wait until Redis has no file to rewrite."""
    while True:
        info = client.info("persistence")
        if not info["aof_rewrite_in_progress"] and not info["aof_rewrite_scheduled"]:
            return
        time.sleep(0.05)


def note_servers(client: Redis) -> None:
    """Remember what this client speaks to, for the note of the row."""
    found = client.info("server")
    # A cluster answers by node.
    for info in found.values() if all(isinstance(value, dict) for value in found.values()) else [found]:
        note_server(info)


@contextmanager
def folder() -> Iterator[Path]:
    """An empty folder with a short path, for a socket in it."""
    with tempfile.TemporaryDirectory(prefix="ms-bench-") as path:
        yield Path(path)


@contextmanager
def private_redis(data: Path) -> Iterator[MessageStore]:
    """The Redis that a service on this folder would start, without the service; and the store on it."""
    redis = EmbeddedRedis(data, adapt(_Quiet()))
    redis.start()
    try:
        store = open_store(redis.url)
        note_servers(store.client)
        try:
            yield store
        finally:
            store.client.close()
    finally:
        redis.stop()


class _Quiet:
    def info(self, message: str, /) -> None:
        """Not of interest here."""

    def error(self, message: str, /) -> None:
        print(message, file=sys.stderr)
