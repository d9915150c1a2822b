"""An HTTP server of the standard library, for an address that is asked now and then, before or beside the API."""

from __future__ import annotations

import socket
from http.server import BaseHTTPRequestHandler
from socketserver import ThreadingTCPServer
from typing import ClassVar


class SmallServer(ThreadingTCPServer):
    """A thread for each connection.  ``http.server``'s own asks DNS for a name that nobody reads, and waits for it."""

    allow_reuse_address = True
    daemon_threads = True

    def __init__(self, address: tuple[str, int], handler: type[QuietRequest]) -> None:
        """``address``: host and port, 0 for a free one.  Raises OSError when it cannot be used."""
        self.address_family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
        super().__init__(address, handler)

    @property
    def port(self) -> int:
        return int(self.server_address[1])

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that went away, or took too long, is not worth a traceback."""


class QuietRequest(BaseHTTPRequestHandler):
    """A request that is not logged."""

    timeout: ClassVar[float | None] = 5.0
    """How long a client may take for its request (seconds)."""

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name in the base class
        """A request is not worth a line."""
