"""docs/receivers.md: its two receivers do each thing once, whatever comes twice and whenever they die."""

from __future__ import annotations

import base64
import http.client
import json
import os
import re
import shutil
import sqlite3
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from scheduler.channels.webhook.signing import Signer
from scheduler.clock import SystemClock
from tests.support.waiting import free_port, wait_for

PAGE = (Path(__file__).parents[3] / "docs" / "receivers.md").read_text("utf-8")
SECRET = "whsec_" + base64.b64encode(b"a" * 32).decode()
OTHER = "whsec_" + base64.b64encode(b"b" * 32).decode()
ORDER = {"article": "lamp", "count": 2}


def block(language: str) -> str:
    (found,) = re.findall(rf"^```{language}\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    return str(found)


def delivery(id: str, *, secret: str = SECRET, seconds_ago: int = 0, body: Any = ORDER) -> tuple[dict[str, str], bytes]:
    """Headers and body as this service sends them."""
    raw = json.dumps(body).encode()
    timestamp = SystemClock().now_ms() // 1000 - seconds_ago
    signature = Signer([secret]).sign(id, timestamp, raw)
    assert signature
    headers = {"webhook-id": id, "webhook-timestamp": str(timestamp), "webhook-signature": signature}
    return {**headers, "Content-Type": "application/json"}, raw


class TestPython:
    @pytest.fixture
    def receiver(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
        monkeypatch.chdir(tmp_path)
        monkeypatch.setenv("WEBHOOK__SECRETS", f"{OTHER},{SECRET}")
        names: dict[str, Any] = {"__name__": "receiver"}
        exec(compile(block("python"), "receivers.md", "exec"), names)
        with closing(sqlite3.connect("shop.db")) as database, database:
            database.execute("INSERT INTO stock VALUES ('lamp', 100)")
        return names

    def post(self, receiver: dict[str, Any], headers: dict[str, str], body: bytes) -> int:
        return int(receiver["app"].test_client().post("/hook", headers=headers, data=body).status_code)

    def left(self) -> int:
        with closing(sqlite3.connect("shop.db")) as database:
            return int(database.execute("SELECT count FROM stock").fetchone()[0])

    def test_each_delivery_counts_once(self, receiver: dict[str, Any]) -> None:
        assert [self.post(receiver, *delivery(id)) for id in ("a", "b", "a")] == [204] * 3
        assert self.left() == 96

    def test_repeats_that_come_at_once(self, receiver: dict[str, Any]) -> None:
        with ThreadPoolExecutor(8) as threads:
            codes = list(threads.map(lambda _: self.post(receiver, *delivery("a")), range(8)))
        assert (codes, self.left()) == ([204] * 8, 98)

    def test_work_that_fails_is_done_by_the_repeat(self, receiver: dict[str, Any]) -> None:
        headers, body = delivery("a", body={"article": "lamp"})
        assert self.post(receiver, headers, body) == 500
        assert self.post(receiver, *delivery("a")) == 204
        assert self.left() == 98

    def test_what_this_service_did_not_sign_is_refused(self, receiver: dict[str, Any]) -> None:
        headers, body = delivery("a")
        for wrong in (delivery("a", seconds_ago=3600), (headers, body + b" "), ({}, body)):
            assert self.post(receiver, *wrong) == 401
        assert self.left() == 100


class TestNode:
    @contextmanager
    def receiver(self, folder: Path) -> Iterator[tuple[int, subprocess.Popen[str]]]:
        """Its port and its process; it is killed at the end."""
        node = shutil.which("node")
        if node is None:
            pytest.skip("no node on PATH")
        (folder / "receiver.mjs").write_text(block("js"))
        port = free_port()
        environment = os.environ | {"PORT": str(port), "WEBHOOK__SECRETS": f"{OTHER},{SECRET}"}
        with subprocess.Popen(
            [node, "receiver.mjs"], cwd=folder, env=environment, stdout=subprocess.PIPE, text=True
        ) as process:
            try:
                wait_for("it listens", lambda: self.post(port, {}, b"{}") == 401)
                yield port, process
            finally:
                process.kill()

    def post(self, port: int, headers: dict[str, str], body: bytes) -> int:
        with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=10)) as connection:
            try:
                connection.request("POST", "/hook", body, headers)
                return connection.getresponse().status
            except OSError:
                return 0

    def test_each_delivery_counts_once_and_a_killed_receiver_goes_on(self, tmp_path: Path) -> None:
        with self.receiver(tmp_path) as (port, process):
            assert [self.post(port, *delivery(id)) for id in ("a", "b:1", "a")] == [204] * 3
            assert process.stdout
            said = [process.stdout.readline() for _ in range(2)]
            wait_for("both are done", lambda: len(list((tmp_path / "done").iterdir())) == 2)
            headers, body = delivery("c")
            for wrong in (delivery("c", seconds_ago=3600), (headers, body + b" ")):
                assert self.post(port, *wrong) == 401
        assert said == ["ships 2 of lamp for a\n", "ships 2 of lamp for b:1\n"]
        (tmp_path / "inbox" / "late.json").write_text(json.dumps(ORDER))  # kept, and then it was killed
        with self.receiver(tmp_path) as (port, process):
            assert self.post(port, *delivery("late")) == 204
            assert self.post(port, *delivery("a")) == 204
            wait_for("it is done", (tmp_path / "done" / "late.json").exists)
            process.kill()
            assert process.stdout
            assert process.stdout.read() == "ships 2 of lamp for late\n"
