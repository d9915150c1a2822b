"""Viewers of live events that cost little beside what they watch: one process, one thread, raw sockets and epoll.

``python -m bench.viewers`` reads a ``Plan`` as JSON from the first line of stdin, says ``ready`` when all viewers are
greeted, and prints a ``Seen`` as JSON some time after stdin has ended.
"""

from __future__ import annotations

import json
import os
import resource
import select
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple

from bench.table import Broken, check, percentile

QUIET_SECONDS = 2.0
"""Nothing came for so long: nothing more will."""
_HANDSHAKE = (
    b"GET /v1/events HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)


class Plan(NamedTuple):
    port: int
    viewers: int
    watched: int
    """So many of them read what they get; the others take it in and count bytes."""


class Seen(NamedTuple):
    fewest_bytes: int
    """That a viewer got, the greeting included."""
    most_bytes: int
    events: int
    """That a watched viewer got."""
    frames: int
    gaps: int
    p50: float
    """From Redis's time of an event to its arrival, ms."""
    p99: float
    largest: float
    cpu_seconds: float
    """Of the viewers themselves."""


class _Viewer:
    def __init__(self, port: int, *, watched: bool) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.sendall(_HANDSHAKE)
        self.bytes = 0
        self.watched = watched
        self.rest = b""
        self.greeted = False

    def receive(self) -> list[bytes]:
        """The frames that are complete, of a watched viewer; the greeting is none."""
        chunk = self.socket.recv(1 << 18)
        if not chunk:
            raise Broken("the server closed a viewer")
        self.bytes += len(chunk)
        if self.greeted and not self.watched:
            return []
        self.rest += chunk
        if not self.greeted:
            head, end, body = self.rest.partition(b"\r\n\r\n")
            if not end or len(body) < 2 or len(body) < 2 + body[1]:
                return []
            if b" 101 " not in head[:20]:
                raise Broken(f"a viewer was refused: {head.decode()}")
            self.greeted = True
            self.bytes -= len(head)
            self.rest = body[2 + body[1] :]
        frames = []
        while (frame := _frame(self.rest)) is not None:
            payload, self.rest = frame
            frames.append(payload)
        return frames


def _frame(data: bytes) -> tuple[bytes, bytes] | None:
    """The first frame's payload and what follows it; None when it is not complete.  A server's frames have no mask."""
    if len(data) < 2:
        return None
    length, start = data[1], 2
    if length == 126:
        length, start = int.from_bytes(data[2:4], "big"), 4
    elif length == 127:
        length, start = int.from_bytes(data[2:10], "big"), 10
    return (data[start : start + length], data[start + length :]) if len(data) >= start + length else None


class Audience:
    """All viewers of one plan."""

    def __init__(self, plan: Plan) -> None:
        self._epoll = select.epoll()
        self._viewers: dict[int, _Viewer] = {}
        self._watched = plan.watched
        self._events = self._frames = self._gaps = 0
        self._delays: list[float] = []
        for number in range(plan.viewers):
            viewer = _Viewer(plan.port, watched=number < plan.watched)
            self._viewers[viewer.socket.fileno()] = viewer
            self._epoll.register(viewer.socket.fileno(), select.EPOLLIN)
        while not all(viewer.greeted for viewer in self._viewers.values()):
            self._turn(QUIET_SECONDS)

    def run(self) -> Seen:
        """Take in what comes until stdin has ended and nothing comes any more."""
        self._epoll.register(sys.stdin.fileno(), select.EPOLLIN)
        over = False
        while self._turn(QUIET_SECONDS) or not over:
            if not over and select.select([sys.stdin], [], [], 0)[0]:
                self._epoll.unregister(sys.stdin.fileno())
                over = True
        counts = [viewer.bytes for viewer in self._viewers.values()]
        delays = self._delays or [0.0]
        return Seen(
            min(counts),
            max(counts),
            self._events // self._watched,
            self._frames // self._watched,
            self._gaps // self._watched,
            percentile(delays, 0.5),
            percentile(delays, 0.99),
            max(delays),
            time.process_time(),
        )

    def _turn(self, seconds: float) -> bool:
        ready = self._epoll.poll(seconds)
        for descriptor, _ in ready:
            if descriptor in self._viewers:
                for frame in self._viewers[descriptor].receive():
                    self._read(frame, time.time() * 1000)
        return bool(ready)

    def _read(self, frame: bytes, now_ms: float) -> None:
        self._frames += 1
        found = json.loads(frame)
        if isinstance(found, dict):
            self._gaps += 1
            return
        self._events += len(found)
        self._delays += [now_ms - event["at"] for event in found]


class Watching:
    """Viewers in a process of their own; they are there when this is made."""

    def __init__(self, plan: Plan) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "bench.viewers"],
            cwd=Path(__file__).parents[1],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(json.dumps(plan._asdict()) + "\n")
        self._process.stdin.flush()
        check(self._process.stdout.readline() == "ready\n", "the viewers failed; their error stands above")

    def leave(self) -> Seen:
        """End them.  Raises ``Broken`` when one was refused or closed."""
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.close()
        with self._process.stdout as stdout:
            output = stdout.read()
        check(self._process.wait() == 0, "the viewers failed; their error stands above")
        return Seen(**json.loads(output))


def main() -> None:
    # Not through Python's buffer: epoll asks the descriptor whether there is more.
    line = b""
    while not line.endswith(b"\n"):
        line += os.read(0, 1)
    plan = Plan(**json.loads(line))
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    audience = Audience(plan)
    print("ready", flush=True)
    print(json.dumps(audience.run()._asdict()))


if __name__ == "__main__":
    main()
