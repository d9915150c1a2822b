"""A receiver of webhooks that records what comes, and answers as a test says."""

from __future__ import annotations

import json
import socket
import ssl
import struct
import threading
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from socketserver import ThreadingTCPServer
from typing import Any, Literal, Self

from message_scheduler_client.webhooks import Delivery, verify


@dataclass(frozen=True)
class Answer:
    """How one request is answered."""

    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    delay: float = 0.0
    """Seconds before the answer begins."""
    cut: Literal["", "reset", "silent", "within"] = ""
    """Break the connection instead: ``reset`` it, close it ``silent``ly, or ``within`` the body of the answer."""


@dataclass(frozen=True)
class Received:
    """One request as it arrived."""

    method: str
    path: str
    headers: Mapping[str, str]
    """Names in lower case."""
    body: bytes

    def json(self) -> Any:
        """Return the body as JSON."""
        return json.loads(self.body)

    def verify(self, secrets: str | Sequence[str]) -> Delivery:
        """Check its signature; see ``message_scheduler_client.verify``."""
        return verify(self.headers, self.body, secrets)


class Receiver:
    """An HTTP endpoint on 127.0.0.1; a context manager.  It answers 200 until a test says otherwise.

    ``tls``: for https; a certificate that the service does not trust shows what it does then.
    """

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self._answers: deque[Answer] = deque()
        self._usual = Answer()
        self._requests: list[Received] = []
        self._changed = threading.Condition()
        self._ended = threading.Event()
        self._server = _Server(self)
        if tls is not None:
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True, do_handshake_on_connect=False)
        self._scheme = "http" if tls is None else "https"
        # The default interval of 0.5 s is how long a close would take.
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Refuse connections from now on; answers that are delayed are not given any more."""
        self._ended.set()
        self._server.shutdown()
        self._thread.join()
        self._server.close_all()

    def url(self, path: str = "/") -> str:
        """Return the address of a path; every path is answered alike."""
        return f"{self._scheme}://127.0.0.1:{self._server.server_address[1]}{path}"

    def next(self, *answers: Answer | int) -> None:
        """Answer the next requests like this, one after the other; a number is a status."""
        with self._changed:
            self._answers.extend(_answer(one) for one in answers)

    def always(self, answer: Answer | int) -> None:
        """Answer all requests like this for which ``next`` said nothing."""
        with self._changed:
            self._usual = _answer(answer)

    @property
    def requests(self) -> list[Received]:
        """What has come so far, in order."""
        with self._changed:
            return list(self._requests)

    def wait_for(self, count: int = 1, timeout: float = 10.0) -> list[Received]:
        """Return all requests as soon as ``count`` have come; AssertionError after ``timeout`` seconds."""
        with self._changed:
            came = self._changed.wait_for(lambda: len(self._requests) >= count, timeout)
            assert came, f"{len(self._requests)} of {count} requests came within {timeout} s"
            return list(self._requests)

    def _take(self, received: Received) -> Answer:
        with self._changed:
            # Before it is answered: a test that sees the outcome finds the request here.
            self._requests.append(received)
            self._changed.notify_all()
            return self._answers.popleft() if self._answers else self._usual

    def _wait(self, seconds: float) -> bool:
        """Wait; return whether the receiver is still there."""
        return not self._ended.wait(seconds)


def _answer(given: Answer | int) -> Answer:
    return Answer(given) if isinstance(given, int) else given


class _Server(ThreadingTCPServer):  # not HTTPServer: it asks DNS for a name that nobody reads, and waits for it
    allow_reuse_address = True
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def __init__(self, receiver: Receiver) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.receiver = receiver
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()

    def process_request(self, request: Any, client_address: Any) -> None:
        with self._lock:
            self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        with self._lock:
            self._open.discard(request)
        super().shutdown_request(request)

    def close_all(self) -> None:
        """End the connections too: each is kept by a thread that waits for the next request."""
        self.server_close()
        with self._lock:
            left = list(self._open)
        for connection in left:
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue  # the other side was faster

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Stay silent: clients break off, and tests make them."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        headers = {name.lower(): value for name, value in self.headers.items()}
        receiver = self.server.receiver
        answer = receiver._take(Received(self.command, self.path, headers, body))  # noqa: SLF001 - its other half
        if not receiver._wait(answer.delay):  # noqa: SLF001 - its other half
            self.close_connection = True
        elif answer.cut in ("reset", "silent"):
            self._break(reset=answer.cut == "reset")
        else:
            self._send(answer)

    def _send(self, answer: Answer) -> None:
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        missing = 100 if answer.cut else 0
        if answer.status not in (204, 304):
            self.send_header("Content-Length", str(len(answer.body) + missing))
        self.end_headers()
        self.wfile.write(answer.body)
        if missing:
            self._break(reset=False)

    def _break(self, *, reset: bool) -> None:
        self.close_connection = True
        if reset:
            # No lingering: closing sends RST instead of FIN.
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.connection.close()

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = answer  # noqa: N815 - names of the base class

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name in the base class
        """Stay silent: the test shows what it needs."""
