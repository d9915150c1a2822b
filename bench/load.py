"""A load generator that costs little beside what it loads: one process, one thread, raw sockets and epoll.

``python -m bench.load`` reads a ``Plan`` as JSON and prints a ``Load`` as JSON.  Each connection is kept open and has
one request at a time on its way, as a client without pipelining has.
"""

from __future__ import annotations

import json
import math
import select
import socket
import subprocess
import sys
import time
from collections import deque
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from bench.table import Broken, check, percentile

PATIENCE = 30.0
"""Seconds without any answer after which the run is given up."""


class Plan(NamedTuple):
    port: int
    path: str
    body: str
    connections: int
    seconds: float
    """How long requests are sent, the warm-up included."""
    warm: float = 0.0
    """Seconds at the beginning that do not count."""
    rate: float = 0.0
    """Requests per second at fixed moments, over free connections; 0: the next one as soon as an answer is there."""
    method: str = "POST"
    headers: str = ""
    """Further lines, each with its end.  ``NUMBER`` in them is another number for each request."""


class Load(NamedTuple):
    answers: int
    """All of them, of the warm-up too."""
    failures: int
    """Answers with another status than 200 and 201."""
    per_second: float
    """After the warm-up."""
    cpu_seconds: float
    """Of the generator itself."""
    latencies: list[tuple[float, float]]
    """When each request that counts was meant to be sent (ms since the epoch), and after how many ms its answer was
    there."""

    @classmethod
    def of(cls, slices: Sequence[Load]) -> Load:
        """Several runs of a plan as one."""
        latencies = [latency for load in slices for latency in load.latencies]
        return cls(
            sum(load.answers for load in slices),
            sum(load.failures for load in slices),
            len(latencies) / sum(len(load.latencies) / load.per_second for load in slices),
            sum(load.cpu_seconds for load in slices),
            latencies,
        )

    def p(self, share: float) -> float:
        return percentile([late for _, late in self.latencies], share)


class Generator:
    """Runs one plan."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        head = (
            f"{plan.method} {plan.path} HTTP/1.1\r\nHost: 127.0.0.1:{plan.port}\r\nContent-Type: application/json\r\n"
            f"{plan.headers}Content-Length: {len(plan.body.encode())}\r\n\r\n"
        )
        self._parts_of_request = (head + plan.body).encode().split(b"NUMBER")
        self._number = 0
        self._epoll = select.epoll()
        self._sockets = [socket.create_connection(("127.0.0.1", plan.port)) for _ in range(plan.connections)]
        self._by_descriptor = {s.fileno(): s for s in self._sockets}
        self._begun: dict[int, float] = {}
        self._parts: dict[int, bytes] = {}
        self._free = deque(self._sockets)
        self._latencies: list[tuple[float, float]] = []
        self._answers = 0
        self._failures = 0

    def run(self) -> Load:
        for s in self._sockets:
            s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._epoll.register(s.fileno(), select.EPOLLIN)
        plan = self._plan
        start = time.perf_counter()
        end, sent = start + plan.seconds, 0
        while True:
            now = time.perf_counter()
            if now < end:
                due = math.inf if not plan.rate else (now - start) * plan.rate
                while self._free and sent <= due:
                    # From the moment it was meant for: a server that hangs is not spared the requests it delays.
                    self._send(start + sent / plan.rate if plan.rate else now)
                    sent += 1
                timeout = max(0.0, start + sent / plan.rate - now) if plan.rate and self._free else 0.5
            elif not self._begun:
                break
            else:
                check(now < end + PATIENCE, f"{len(self._begun)} requests were not answered within {PATIENCE:g} s")
                timeout = 0.5
            for descriptor, _ in self._epoll.poll(timeout):
                self._receive(descriptor)
        return self._load(start)

    def _send(self, meant_at: float) -> None:
        s = self._free.popleft()
        self._begun[s.fileno()] = meant_at
        self._number += 1
        s.sendall((b"%d" % self._number).join(self._parts_of_request))

    def _receive(self, descriptor: int) -> None:
        s = self._by_descriptor[descriptor]
        chunk = s.recv(1 << 18)
        if not chunk:
            raise Broken("the server closed a connection")
        answer = self._parts.pop(descriptor, b"") + chunk
        if not _complete(answer):
            self._parts[descriptor] = answer
            return
        now = time.perf_counter()
        begun = self._begun.pop(descriptor)
        self._latencies.append((begun, now - begun))
        self._answers += 1
        self._failures += answer[9:12] not in (b"200", b"201")
        self._free.append(s)

    def _load(self, start: float) -> Load:
        for s in self._sockets:
            s.close()
        self._epoll.close()
        from_ = start + self._plan.warm
        counted = [(at, late) for at, late in self._latencies if at + late >= from_]
        end = max(at + late for at, late in self._latencies)
        to_wall = time.time() - time.perf_counter()
        return Load(
            self._answers,
            self._failures,
            len(counted) / (end - from_),
            time.process_time(),
            [((at + to_wall) * 1000, late * 1000) for at, late in counted],
        )


def _complete(answer: bytes) -> bool:
    head = answer.find(b"\r\n\r\n")
    if head < 0:
        return False
    found = answer.lower().find(b"content-length:", 0, head)
    length = int(answer[found + 15 : answer.index(b"\r\n", found)])
    return len(answer) >= head + 4 + length


class Running:
    """A generator in a process of its own."""

    def __init__(self, plan: Plan) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "bench.load"],
            cwd=Path(__file__).parents[1],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdin
        with self._process.stdin as stdin:
            json.dump(plan._asdict(), stdin)

    def result(self) -> Load:
        """Wait for its end.  Raises ``Broken`` when a request was refused or not answered."""
        assert self._process.stdout
        with self._process.stdout as stdout:
            output = stdout.read()
        check(self._process.wait() == 0, "the load generator failed; its error stands above")
        fields: dict[str, Any] = json.loads(output)
        load = Load(**fields)
        check(load.failures == 0, f"{load.failures} of {load.answers} requests were refused")
        return load


def main() -> None:
    load = Generator(Plan(**json.load(sys.stdin))).run()
    print(json.dumps(load._asdict()))


if __name__ == "__main__":
    main()
