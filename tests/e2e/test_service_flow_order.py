"""An ordered flow key over two servers, one of which is killed in the middle of an attempt, while others fail."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from scheduler.flow import Flow, FlowLimits
from scheduler.message import NOW, NewMessage
from scheduler.retry import RetryPolicy
from scheduler.store import MessageStore
from tests.support.redis_server import RedisServer
from tests.support.service import Service, store_at
from tests.support.waiting import wait_for

COUNT = 40
HELD = 20
"""The message whose server is killed."""
FAIL = frozenset({7, HELD + 2, 31})
"""Those whose first attempt is answered 500."""


class Attempt(NamedTuple):
    number: int
    attempt: int
    begins: bool


class _Server(ThreadingHTTPServer):
    """Writes down what begins and what ends, and keeps the first attempt of one message until it is let go."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.seen: list[Attempt] = []
        self.let_go = threading.Event()

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that was killed in the middle is what this is about."""


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        number = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        attempt = int(self.headers["Scheduler-Attempt"])
        self.server.seen.append(Attempt(number, attempt, begins=True))
        if (number, attempt) == (HELD, 1):
            self.server.let_go.wait(30)
            self.close_connection = True
            return
        # Before the answer: as soon as that has arrived, the next one may begin.
        self.server.seen.append(Attempt(number, attempt, begins=False))
        self.send_response(500 if number in FAIL and attempt == 1 else 200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
        """What was seen says it."""


@pytest.fixture
def endpoint() -> Iterator[_Server]:
    with _Server() as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.let_go.set()
        server.shutdown()


def worker(folder: Path, name: str, url: str) -> Service:
    quick: dict[str, Any] = {
        "SERVER__NAME": name,
        "SCHEDULER__LOCKSECONDS": "2",
        "SCHEDULER__REAPSECONDS": "0.1",
        "REDIS__SOCKETTIMEOUTSECONDS": "1",
        "WEBHOOK__ALLOWPRIVATENETWORKS": "true",
    }
    return Service(folder / name, redis_url=url, role="worker", env=quick)


def add(store: MessageStore, port: int) -> list[str]:
    flow = Flow("line", FlowLimits(ordered=True))
    ids = store.ids_for(["line"] * COUNT)
    target = json.dumps({"url": f"http://127.0.0.1:{port}/", "timeout": 5})
    retry = RetryPolicy(max_attempts=5, base=0.1)
    store.schedule(
        [
            NewMessage(id, str(number), NOW, "webhook", target=target, retry=retry, flow=flow)
            for number, id in enumerate(ids)
        ]
    )
    return ids


def test_order_is_kept_when_a_server_is_killed_and_attempts_fail(short_tmp: Path, endpoint: _Server) -> None:
    with RedisServer(short_tmp) as redis, store_at(redis.url) as store:
        servers = {name: worker(short_tmp, name, redis.url) for name in ("one", "two")}
        with servers["one"], servers["two"]:
            ids = add(store, endpoint.server_port)
            wait_for("the attempt to be cut off", lambda: Attempt(HELD, 1, begins=True) in endpoint.seen)
            owner = str(store.client.hget(f"ms1:{{0}}:msg:{ids[HELD]}", "k")).partition(".")[0]
            servers[owner].kill()
            wait_for("all are delivered", lambda: store.counts().finished == COUNT, 30)
        left = store.flows().flows
    attempts = [(number, attempt) for number in range(COUNT) for attempt in _of(number)]
    expected = [
        Attempt(number, attempt, begins)
        for number, attempt in attempts
        for begins in ((True,) if (number, attempt) == (HELD, 1) else (True, False))
    ]
    assert endpoint.seen == expected
    assert left == []


def _of(number: int) -> tuple[int, ...]:
    return (1, 2) if number in FAIL or number == HELD else (1,)
