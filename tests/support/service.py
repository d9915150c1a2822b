"""The real service: ``app.py`` and all of its processes, in a folder of its own, watched from outside."""

from __future__ import annotations

import http.client
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, closing, contextmanager
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Literal, NamedTuple

import psutil

from scheduler.clock import SystemClock
from scheduler.config.reading import SHORTCUTS, Settings
from scheduler.message import NewMessage
from scheduler.redis_server.connections import connect
from scheduler.redis_server.private import socket_path
from scheduler.store import MessageStore, store_for
from tests.support.waiting import wait_for

ROOT = Path(__file__).parents[2]


class Line(NamedTuple):
    """A line that a process wrote."""

    text: str
    at_ms: float
    """When it arrived, ms since the epoch."""


class Answer(NamedTuple):
    """What the HTTP API answered."""

    status: int
    text: str
    headers: Mapping[str, str]
    """Names in lower case."""

    def json(self) -> Any:
        return json.loads(self.text)


class Output:
    """The lines of one stream, read by a thread as they come."""

    def __init__(self) -> None:
        self.lines: list[Line] = []
        self._changed = threading.Condition()

    def read(self, stream: IO[bytes]) -> threading.Thread:
        """Read until the stream ends; lines of several runs follow each other."""
        thread = threading.Thread(target=self._read, args=(stream,), daemon=True)
        thread.start()
        return thread

    def texts(self) -> list[str]:
        return [line.text for line in list(self.lines)]

    def wait(self, what: str, found: Callable[[list[Line]], bool], seconds: float = 30.0) -> None:
        """Block until ``found(lines)``; AssertionError that names ``what`` after so long."""
        with self._changed:
            arrived = self._changed.wait_for(lambda: found(self.lines), seconds)
        assert arrived, f"not within {seconds} s: {what}; {len(self.lines)} lines, the last: {self.texts()[-20:]}"

    def wait_for(self, text: str, seconds: float = 30.0) -> Line:
        """The first line that contains the text, as soon as there is one."""
        self.wait(f"a line with {text!r}", lambda lines: any(text in line.text for line in lines), seconds)
        return next(line for line in self.lines if text in line.text)

    def wait_for_count(self, count: int, seconds: float = 30.0) -> None:
        """Block until there are so many lines."""
        self.wait(f"{count} lines", lambda lines: len(lines) >= count, seconds)

    def _read(self, stream: IO[bytes]) -> None:
        with stream:
            for raw in stream:
                with self._changed:
                    self.lines.append(Line(raw.decode().rstrip("\n"), time.time() * 1000))
                    self._changed.notify_all()


def is_redis(process: psutil.Process) -> bool:
    """Return whether a process is a Redis or Valkey server."""
    return process.name() in ("redis-server", "valkey-server")


class Service:
    """One server.  ``start`` and ``stop``, ``kill`` may be repeated: the folder, and with it the messages, stays.

    ``folder``: gets ``data/`` and ``logs/``.  ``redis_url``: None for the embedded one.  ``env``: more settings, as
    environment variables.  ``read_stdout``: False leaves its output in the pipe, which blocks it when that is full.
    ``command``: what starts it in ``folder``; None for the checkout's app.py.
    """

    def __init__(
        self,
        folder: Path,
        *,
        redis_url: str | None = None,
        role: Literal["all", "api", "worker"] = "all",
        env: Mapping[str, str] | None = None,
        read_stdout: bool = True,
        command: Sequence[str] | None = None,
    ) -> None:
        self._command = command or [sys.executable, str(ROOT / "app.py")]
        self._cwd = folder if command else ROOT
        self.data = folder / "data"
        self.logs = folder / "logs"
        self.role = role
        self.stdout = Output()
        """What the echo channel prints, of all runs."""
        self.stderr = Output()
        """What the service says about itself, of all runs."""
        self.port = 0
        self._read_stdout = read_stdout
        self._env = {
            **clean_environment(),
            "REDIS__DATADIRECTORY": str(self.data),
            "LOGS__DIRECTORY": str(self.logs),
            "PORT": "0",
            # Its driver takes a quarter of a second at each start; tests of the history turn it on.
            "HISTORY__URL": "off",
            "EVENTS__PORT": "0",
            "SERVER__ROLE": role,
            "SERVER__DRAINSECONDS": "0",
            "REDIS__WAITATSTART": "false",
            **({"REDIS_URL": redis_url} if redis_url else {}),
            **(env or {}),
        }
        self._process: subprocess.Popen[bytes] | None = None
        self._readers: list[threading.Thread] = []

    # -- process ---------------------------------------------------------------------------------------------------

    def launch(self, **env: str) -> Service:
        """Start the process and return at once.  ``env``: settings of this run alone."""
        self._process = subprocess.Popen(
            self._command,
            cwd=self._cwd,
            env={**self._env, **env},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
        assert self._process.stdout
        assert self._process.stderr
        self._readers = [self.stderr.read(self._process.stderr)]
        if self._read_stdout:
            self._readers.append(self.stdout.read(self._process.stdout))
        return self

    def start(self, **env: str) -> Service:
        """Start, and return when it answers ``/health`` with success (a worker: when it says that it runs).

        ``env``: settings of this run alone.
        """
        said = len(self.stderr.lines)
        self.launch(**env)
        wait_for("the service runs", lambda: self._runs(self.stderr.texts()[said:]), 30)
        if self.role != "worker":
            summary = "\n".join(self.stderr.texts()[said:])
            match = re.search(r"HTTP: +http://127\.0\.0\.1:(\d+)", summary)
            assert match, summary
            self.port = int(match[1])
            if self.role == "all":
                wait_for("healthy", lambda: self.get("/health").status == 200)
        return self

    def _runs(self, said: Sequence[str]) -> bool:
        assert self.process.poll() is None, f"it ended with code {self.process.returncode}: {said}"
        return any("Stop: " in line for line in said)

    @property
    def process(self) -> subprocess.Popen[bytes]:
        assert self._process is not None, "not started"
        return self._process

    @property
    def pid(self) -> int:
        return self.process.pid

    def send(self, number: int) -> None:
        self.process.send_signal(number)

    def wait(self, seconds: float = 30.0) -> int:
        """The exit code, once the process has ended and every line it wrote is read."""
        code = self.process.wait(seconds)
        for reader in self._readers:
            reader.join(seconds)
        if not self._read_stdout and self.process.stdout:
            self.process.stdout.close()
        return code

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Ask it to stop; its exit code."""
        self.send(number)
        return self.wait()

    def kill(self) -> None:
        """``kill -9`` of the scheduler process; returns when its children are gone too."""
        children = self.children()
        self.process.kill()
        self.wait()
        _, left = psutil.wait_procs(children, timeout=20)
        assert not left, f"left behind: {left}"

    def children(self) -> list[psutil.Process]:
        """The processes that it started, and theirs."""
        try:
            found: list[psutil.Process] = psutil.Process(self.pid).children(recursive=True)
            return found
        except psutil.NoSuchProcess:
            return []

    def private_redis(self) -> psutil.Process:
        """Return the process of its private Redis; AssertionError when it runs none."""
        found = [process for process in self.children() if is_redis(process)]
        assert len(found) == 1, found
        return found[0]

    def __enter__(self) -> Service:
        try:
            return self.start()
        except BaseException:
            self.__exit__(None, None, None)  # a start that fails leaves nothing behind either
            raise

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process is not None and self._process.poll() is None:
            self.kill()

    # -- what it holds and answers ---------------------------------------------------------------------------------

    def store(self) -> AbstractContextManager[MessageStore]:
        """The store in its embedded Redis."""
        return store_at(f"unix://{socket_path(self.data.absolute())}")

    def log(self, name: str = "scheduler.log") -> list[str]:
        """The lines of one of its log files, none when nothing has been written to it."""
        file = self.logs / name
        return file.read_text().splitlines() if file.exists() else []

    def request(self, method: str, path: str, body: Any = None, headers: Mapping[str, str] | None = None) -> Answer:
        """One request; ``body`` is sent as JSON.  Status 0: nobody answered."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        data = None if body is None else json.dumps(body).encode()
        given = {"Content-Type": "application/json", **(headers or {})} if data is not None else dict(headers or {})
        with closing(connection):
            try:
                connection.request(method, path, data, given)
                answer = connection.getresponse()
                text = answer.read().decode()
            except (OSError, http.client.HTTPException) as error:
                return Answer(0, repr(error), {})
            return Answer(answer.status, text, {name.lower(): value for name, value in answer.getheaders()})

    def get(self, path: str) -> Answer:
        return self.request("GET", path)

    def post(self, path: str, body: Any = None) -> Answer:
        return self.request("POST", path, body)

    def schedule(self, messages: Sequence[Mapping[str, Any]]) -> list[str]:
        """The ids of messages (bodies of ``POST /v1/messages``) that were accepted, in batches of 1,000."""
        ids: list[str] = []
        for first in range(0, len(messages), 1000):
            answer = self.post("/v1/messages/batch", {"messages": list(messages[first : first + 1000])})
            assert answer.status == 201, answer
            ids += [message["id"] for message in answer.json()["messages"]]
        return ids


def clean_environment() -> dict[str, str]:
    """This process's environment without a setting of the service in it."""
    return {name: value for name, value in os.environ.items() if name not in SHORTCUTS and "__" not in name}


@contextmanager
def store_at(url: str) -> Iterator[MessageStore]:
    """The store in this Redis, for a test beside the service."""
    store = store_for(Settings(), connect(url), SystemClock())
    store.open()
    try:
        yield store
    finally:
        store.close()


def add(store: MessageStore, messages: Sequence[tuple[str, int]]) -> list[str]:
    """The ids of new echo messages, given as text and due moment (ms; 0 is now)."""
    ids: list[str] = []
    for first in range(0, len(messages), 1000):
        part = messages[first : first + 1000]
        new = [
            NewMessage(id=id, payload=json.dumps(text), due_at=due_at)
            for id, (text, due_at) in zip(store.new_ids(len(part)), part, strict=True)
        ]
        store.schedule(new)
        ids += [message.id for message in new]
    return ids


def printed(lines: Sequence[str]) -> list[str]:
    """The messages of the echo channel's lines ``<moment> | <message>``."""
    return [text.partition(" | ")[2] for text in lines]


def attempts(log: Sequence[str]) -> dict[str, list[int]]:
    """id → the attempts that these log lines say were delivered, in order."""
    found: dict[str, list[int]] = {}
    for line in log:
        if match := re.search(r" ack id=(\S+) .*?attempt=(\d+) ", line):
            found.setdefault(match[1], []).append(int(match[2]))
    return found
