"""Just enough of an HTTP/2 server over TLS to see whether requests share a connection, and to refuse them."""

from __future__ import annotations

import asyncio
import ssl
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
_DATA, _HEADERS, _RST_STREAM, _SETTINGS, _PING, _GOAWAY = 0, 1, 3, 4, 6, 7
REFUSED_STREAM, HTTP_1_1_REQUIRED = 7, 13
_END_STREAM = _ACK = 1
_END_HEADERS = 4
_STATUS_200 = b"\x88"  # of HPACK's static table


def _frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    return len(payload).to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big") + payload


Trouble: TypeAlias = "Callable[[_Connection, int], None]"
"""Does something to a connection and the stream of a request."""


class _Connection(asyncio.Protocol):
    transport: asyncio.Transport

    def __init__(self, server: Http2Endpoint) -> None:
        self.server = server
        self.buffer = b""
        self.ready: list[int] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self.server.opened.append(self)
        transport.write(_frame(_SETTINGS, 0, 0))

    def data_received(self, data: bytes) -> None:
        self.buffer = (self.buffer + data).removeprefix(_PREFACE)
        while len(self.buffer) >= 9 and not _PREFACE.startswith(self.buffer[:9]):
            length = int.from_bytes(self.buffer[:3], "big")
            if len(self.buffer) < 9 + length:
                return
            kind, flags = self.buffer[3], self.buffer[4]
            stream = int.from_bytes(self.buffer[5:9], "big")
            payload, self.buffer = self.buffer[9 : 9 + length], self.buffer[9 + length :]
            self._frame_received(kind, flags, stream, payload)

    def _frame_received(self, kind: int, flags: int, stream: int, payload: bytes) -> None:
        if kind in (_SETTINGS, _PING) and not flags & _ACK:
            self.transport.write(_frame(kind, _ACK, 0, payload if kind == _PING else b""))
        elif kind in (_DATA, _HEADERS) and flags & _END_STREAM:
            self.server.requests += 1
            if self.server.trouble:
                self.server.trouble.pop(0)(self, stream)
                return
            self.ready.append(stream)
            # Answers only when all are there: requests one after the other would never get one.
            if len(self.ready) >= self.server.together:
                for number in self.ready:
                    self.transport.write(_frame(_HEADERS, _END_HEADERS | _END_STREAM, number, _STATUS_200))
                self.ready.clear()


def reset(code: int) -> Trouble:
    """End the stream with this code of HTTP/2."""
    return lambda connection, stream: connection.transport.write(
        _frame(_RST_STREAM, 0, stream, code.to_bytes(4, "big"))
    )


def go_away(connection: _Connection, stream: int) -> None:
    """Say that no request after the one before this was worked on, as a server that shuts down does, and close."""
    connection.transport.write(_frame(_GOAWAY, 0, 0, max(0, stream - 2).to_bytes(4, "big") + bytes(4)))
    connection.transport.close()


def hang_up(connection: _Connection, _stream: int) -> None:
    """Close without a word."""
    connection.transport.close()


class Http2Endpoint:
    """Answers 200 as soon as ``together`` requests are open on one connection; a context manager."""

    def __init__(self, certificate: tuple[Path, Path]) -> None:
        self.together = 1
        self.trouble: list[Trouble] = []
        """What happens to the next requests instead of an answer, one each."""
        self.requests = 0
        self.opened: list[_Connection] = []
        self.port = 0
        self._tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._tls.load_cert_chain(*certificate)
        self._tls.set_alpn_protocols(["h2", "http/1.1"])
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._serve, name="http2", daemon=True)

    def __enter__(self) -> Http2Endpoint:
        self._thread.start()
        assert self._ready.wait(10)
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)

    def _serve(self) -> None:
        listening = self._loop.create_server(lambda: _Connection(self), "127.0.0.1", 0, ssl=self._tls)
        server = self._loop.run_until_complete(listening)
        self.port = server.sockets[0].getsockname()[1]
        self._ready.set()
        self._loop.run_forever()
        server.close()
        for connection in self.opened:
            connection.transport.abort()
        self._loop.run_until_complete(asyncio.sleep(0))
        self._loop.close()
