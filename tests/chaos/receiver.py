"""The HTTP endpoint that webhooks of a chaos run go to: it misbehaves when told to, and writes down what arrives."""

from __future__ import annotations

import json
import select
import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Literal

from tests.chaos.ledger import Delivery, Ledger, now_ms, seconds_of_work

Mode = Literal["ok", "hang", "reset", "late", "busy"]

TIMEOUT_SECONDS = 2.0
"""The time limit of each webhook, which ``late`` exceeds."""
MOST_SECONDS = 0.8
"""The longest that it takes when all is well: far from the time limit, on a busy machine too."""
_WAITS: dict[Mode, float] = {"hang": 10.0, "late": 2.5}


class Receiver:
    """``mode`` may be changed at any time.  ``/doomed`` answers 500 whatever the mode is, ``/flaky`` to the first
    attempt.
    """

    def __init__(self, ledger: Ledger) -> None:
        self.mode: Mode = "ok"
        self.ledger = ledger
        receiver = self

        class Handler(_Handler):
            owner = receiver

        self._server = _Quiet(("127.0.0.1", 0), Handler)
        self.port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.port}{path}"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


class _Quiet(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 512

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that was killed in the middle is what this is about."""


class _Handler(BaseHTTPRequestHandler):
    owner: Receiver
    protocol_version = "HTTP/1.1"
    timeout = 30

    def do_POST(self) -> None:
        mode = self.owner.mode
        at_ms = now_ms()
        body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        label, attempt = json.loads(body), int(self.headers["Scheduler-Attempt"])
        refused = self.path == "/doomed" or (self.path == "/flaky" and attempt == 1)
        status = 500 if refused else 503 if mode == "busy" else 200
        good = status == 200 and mode == "ok"
        left = mode != "reset" and self._left(_WAITS.get(mode, min(seconds_of_work(label), MOST_SECONDS)))
        # Before the answer: as soon as that has arrived, the next message of a flow key may begin.
        self.owner.ledger.add(Delivery(label, at_ms, "webhook", attempt, good, ended_ms=now_ms()))
        if left:
            self.close_connection = True
            return
        if mode == "reset":
            # No lingering: closing sends RST instead of FIN.
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")
            self.close_connection = True
            return
        self.send_response(status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def _left(self, seconds: float) -> bool:
        """Wait; True as soon as the sender has gone."""
        watch = select.poll()
        watch.register(self.connection, select.POLLIN)
        return bool(watch.poll(seconds * 1000))

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
        """The ledger says it."""
