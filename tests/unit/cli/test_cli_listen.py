"""``listen``: what it prints of a request, and how it judges a signature."""

from __future__ import annotations

import base64
import http.client
import json
import threading
from contextlib import closing
from pathlib import Path

import pytest

from scheduler.channels.webhook.signing import Signer
from scheduler.cli.exits import Exit
from scheduler.clock import SystemClock
from tests.support.cli import beside, cli
from tests.support.waiting import free_port

SECRET = "whsec_" + base64.b64encode(b"a" * 32).decode()
OTHER = "whsec_" + base64.b64encode(b"b" * 32).decode()
BODY = b'{"order": 4711}'


class Listening:
    """``listen`` in a thread; it ends after so many requests."""

    def __init__(self, count: int, *options: str) -> None:
        self.port = free_port()
        self.done = beside("listen", "--port", str(self.port), "--count", str(count), *options)

    def post(self, headers: dict[str, str], body: bytes = BODY) -> int:
        """The status that it answers, once it listens."""
        for _ in range(200):
            with closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)) as connection:
                try:
                    connection.request("POST", "/hook", body, headers)
                    return connection.getresponse().status
                except ConnectionRefusedError:
                    threading.Event().wait(0.05)
        raise AssertionError("it does not listen")


def signed(secret: str = SECRET, *, id: str = "a", seconds_ago: int = 0, body: bytes = BODY) -> dict[str, str]:
    timestamp = SystemClock().now_ms() // 1000 - seconds_ago
    signature = Signer([secret]).sign(id, timestamp, body)
    assert signature
    return {"webhook-id": id, "webhook-timestamp": str(timestamp), "webhook-signature": signature}


def test_signatures_and_repeats() -> None:
    listening = Listening(6, "--secret", SECRET, "--secret", OTHER, "--json")
    requests = [
        signed(),
        signed(OTHER, id="b"),
        signed(),
        signed(seconds_ago=3600, id="c"),
        signed(id="d") | {"webhook-signature": "v1,AAAA"},
        {},
    ]
    assert {listening.post(headers) for headers in requests} == {204}
    found = [json.loads(line) for line in listening.done().out.splitlines()]
    assert [each["signature"].partition(":")[0] for each in found] == ["valid", "valid", "valid", *["WRONG"] * 3]
    assert "3600 s off" in found[3]["signature"] or "3601 s off" in found[3]["signature"]
    assert "another secret" in found[4]["signature"]
    assert "webhook-id is missing" in found[5]["signature"]
    assert [each["repeat"] for each in found] == [False, False, True, False, False, False]
    assert (found[0]["method"], found[0]["path"], found[0]["body"]) == ("POST", "/hook", BODY.decode())


def test_the_secrets_of_the_settings_and_another_answer(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("WEBHOOK__SECRETS", SECRET)
    listening = Listening(1, "--answer", "503")
    assert listening.post(signed()) == 503
    done = listening.done()
    assert done.code == 0
    assert "valid" in done.out
    assert BODY.decode() in done.out
    assert f"Listening on http://127.0.0.1:{listening.port}" in done.err


def test_without_a_secret_nothing_is_verified(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    listening = Listening(2)
    listening.post(signed())
    listening.post({})
    out = listening.done().out
    assert "not verified: no secret is known here" in out


def test_what_it_cannot_do_is_a_sentence() -> None:
    assert "--secret: secret 1 must be whsec_" in cli("listen", "--secret", "short").err
    done = cli("listen", "--host", "192.0.2.1")
    assert done.code == Exit.FAILED
    assert "Cannot listen on 192.0.2.1:8000" in done.err
