"""What HTTP clients are told while the API cannot run yet."""

from __future__ import annotations

import http.client
import json
from contextlib import closing

import pytest

from scheduler.api.waiting import WaitingRoom
from scheduler.errors import StartError
from tests.support.waiting import free_port

WORDS = "Redis is loading its data: 43 % of 2.9 GiB."
PROBLEM = {"type": "about:blank", "title": "Service Unavailable", "status": 503, "detail": WORDS}


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "/health", {"status": "error", "message": WORDS}),
        ("POST", "/echoAtTime?x=1", {"status": "error", "message": WORDS}),
        ("DELETE", "/api/jobs/1", {"detail": WORDS}),
        ("BREW", "/schedule", {"status": 503, "error": WORDS}),
        ("PUT", "/v1/schedules/a", PROBLEM),
    ],
)
def test_every_request_is_told_how_far_redis_is(method: str, path: str, body: dict[str, object]) -> None:
    port = free_port()
    room = WaitingRoom("localhost", port, lambda: WORDS)
    room.open()
    try:
        with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=10)) as connection:
            connection.request(method, path, body=b"{}")
            answer = connection.getresponse()
            assert (answer.status, answer.headers["Retry-After"], json.loads(answer.read())) == (503, "1", body)
        with pytest.raises(StartError, match=f"Cannot listen on 127.0.0.1:{port}"):
            WaitingRoom("localhost", port, lambda: WORDS).open()
    finally:
        room.close()
    room.close()
    WaitingRoom("127.0.0.1", 0, lambda: WORDS).open()


def test_it_opens_where_no_dns_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    def asked(name: str = "") -> str:
        raise AssertionError(f"DNS was asked for {name!r}: a start would wait for it")

    monkeypatch.setattr("socket.getfqdn", asked)
    room = WaitingRoom("127.0.0.1", free_port(), lambda: WORDS)
    room.open()
    room.close()
