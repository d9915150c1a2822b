"""The HTTP server of ``listen``."""

from __future__ import annotations

import queue
from typing import Any, ClassVar, Final

from scheduler.clock import SystemClock
from scheduler.small_http import QuietRequest, SmallServer

_BODY_BYTES: Final = 16 * 2**20


class Receiver(SmallServer):
    """Puts what it receives into ``requests``."""

    def __init__(self, address: tuple[str, int], status: int) -> None:
        super().__init__(address, _Request)
        self.status = status
        self.requests: queue.Queue[dict[str, Any]] = queue.Queue()
        self.clock = SystemClock()


class _Request(QuietRequest):
    server: Receiver
    timeout: ClassVar[float | None] = None  # a connection that is kept alive may be idle
    protocol_version = "HTTP/1.1"

    def _receive(self) -> None:
        length = self.headers.get("Content-Length", "0")
        if not (length.isascii() and length.isdigit() and int(length) <= _BODY_BYTES):
            self.send_error(413)
            return
        raw = self.rfile.read(int(length))
        headers = {name.lower(): value for name, value in self.headers.items()}
        found = {"at_ms": self.server.clock.now_ms(), "method": self.command, "path": self.path, "headers": headers}
        self.server.requests.put({**found, "body": raw.decode(errors="replace"), "raw": raw})
        self.send_response(self.server.status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _receive  # noqa: N815 - the names that the base class calls
