"""A real HTTP endpoint on loopback that behaves as its path says, and remembers what it received.

========================  ==========================================================================================
path                      behaviour
========================  ==========================================================================================
``/status/<code>``        answers with this status; the query gives response headers (``?Retry-After=5``)
``/slow/<ms>``            answers 200 after so many milliseconds
``/body/<bytes>``         answers 200 with a body of this size
``/stream/<bytes>``       likewise, sent as fast as it is read
``/text/<text>``          answers 200 with this (percent-decoded) text, byte by byte
``/reset``                resets the connection after the request
``/cut``                  promises a body of 100 bytes, sends 10 and closes
``/gone``                 closes after the request without a word
``/raw/<bytes>``          sends exactly these (percent-decoded) bytes and closes
``/canned/<name>``        sends the bytes that the test put into ``canned`` and keeps the connection
``/garbage``              answers with something that is not HTTP
``/hang``                 never answers
``/close``                answers 200 and closes the connection
``/hold``                 answers when the test calls ``let_go``
``/flaky/<n>``            503 to the first n requests with one webhook-id, then 200
anything else             answers 200 ``ok``
========================  ==========================================================================================

``Endpoint`` runs in a thread of the test and records requests; ``EndpointProcess`` is the same server in a process of
its own that only counts, for benchmarks.
"""

from __future__ import annotations

import asyncio
import json
import socket
import ssl
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote_to_bytes, urlsplit

_OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Type: text/plain\r\n\r\nok"
_CHUNK = bytes(65_536)


@dataclass(frozen=True)
class Received:
    """One request as it arrived."""

    method: str
    path: str
    headers: dict[str, str]
    """Names in lower case."""
    body: bytes
    connection: int
    """Which connection of the endpoint's life it came on, from 1."""

    def json(self) -> Any:
        return json.loads(self.body)


class _Connection(asyncio.Protocol):
    """HTTP/1.1 as far as a client of ours speaks it: requests with Content-Length, one after the other."""

    transport: asyncio.Transport

    def __init__(self, server: _Server) -> None:
        self.server = server
        self.buffer = b""
        self.writable = asyncio.Event()
        self.writable.set()
        self.number = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self.number = self.server.connected(self)

    def connection_lost(self, _exc: Exception | None) -> None:
        self.server.connections.discard(self)
        self.writable.set()

    def pause_writing(self) -> None:
        self.writable.clear()

    def resume_writing(self) -> None:
        self.writable.set()

    def data_received(self, data: bytes) -> None:
        buffer = self.buffer + data if self.buffer else data
        while (end := buffer.find(b"\r\n\r\n")) >= 0:
            head = buffer[:end]
            mark = head.lower().find(b"content-length:")
            length = int(head[mark + 15 :].split(b"\r\n", 1)[0]) if mark >= 0 else 0
            if len(buffer) < end + 4 + length:
                break
            body = buffer[end + 4 : end + 4 + length]
            buffer = buffer[end + 4 + length :]
            self.server.handle(self, head, body)
        self.buffer = buffer

    def answer(self, status: int = 200, headers: dict[str, str] | None = None, body: bytes = b"ok") -> None:
        lines = [f"HTTP/1.1 {status} X", f"Content-Length: {len(body)}"]
        lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
        self.transport.write("\r\n".join(lines).encode() + b"\r\n\r\n" + body)


class _Server:
    """The behaviours, and what was received."""

    def __init__(self, record: bool) -> None:
        self.record = record
        self.requests: list[Received] = []
        self.count = 0
        self.opened = 0
        self.most_open = 0
        self.connections: set[_Connection] = set()
        self.held: list[_Connection] = []
        self.canned: dict[str, bytes] = {}
        self.tasks: set[asyncio.Task[None]] = set()
        self.changed = threading.Condition()
        self.seen: Counter[str] = Counter()

    def connected(self, connection: _Connection) -> int:
        self.connections.add(connection)
        self.opened += 1
        self.most_open = max(self.most_open, len(self.connections))
        return self.opened

    def handle(self, connection: _Connection, head: bytes, body: bytes) -> None:
        self.count += 1
        method, path, _ = head.split(b"\r\n", 1)[0].decode("latin-1").split(" ")
        received = None
        if self.record:
            lines = head.decode("latin-1").split("\r\n")[1:]
            headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
            received = Received(method, path, headers, body, connection.number)
        if received:
            # Before the answer: who has the outcome finds the request here.
            with self.changed:
                self.requests.append(received)
                self.changed.notify_all()
        self._behave(connection, path, received)

    def _behave(self, connection: _Connection, path: str, received: Received | None) -> None:
        parts = urlsplit(path)
        _, verb, argument = (parts.path + "//").split("/", 2)
        argument = argument.strip("/")
        if verb == "status":
            connection.answer(int(argument), dict(parse_qsl(parts.query)), b"" if argument == "204" else b"ok")
        elif verb in _BODIES:
            connection.answer(body=_BODIES[verb](argument))
        elif verb == "canned":
            connection.transport.write(self.canned[argument])
        elif verb in _BREAKS:
            _BREAKS[verb](connection.transport, argument)
        elif verb == "slow":
            asyncio.get_running_loop().call_later(int(argument) / 1000, connection.transport.write, _OK)
        elif verb == "stream":
            task = asyncio.get_running_loop().create_task(_stream(connection, int(argument)))
            self.tasks.add(task)
            task.add_done_callback(self.tasks.discard)
        elif verb == "hold":
            self.held.append(connection)
        elif verb == "flaky" and received:
            message_id = received.headers["webhook-id"]
            self.seen[message_id] += 1
            connection.answer(503 if self.seen[message_id] <= int(argument) else 200)
        elif verb != "hang":
            connection.transport.write(_OK)

    def let_go(self) -> None:
        for connection in self.held:
            connection.transport.write(_OK)
        self.held.clear()


async def _stream(connection: _Connection, size: int) -> None:
    connection.transport.write(f"HTTP/1.1 200 OK\r\nContent-Length: {size}\r\n\r\n".encode())
    for _ in range(size // len(_CHUNK)):
        await connection.writable.wait()
        if connection.transport.is_closing():
            return
        connection.transport.write(_CHUNK)


def _reset(transport: asyncio.Transport, _argument: str) -> None:
    sock = transport.get_extra_info("socket")
    # No lingering: closing sends RST instead of FIN.
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")
    transport.abort()


def _answer_and_close(transport: asyncio.Transport, answer: bytes) -> None:
    transport.write(answer)
    transport.close()


_BODIES: dict[str, Callable[[str], bytes]] = {
    "body": lambda argument: b"x" * int(argument),
    "text": unquote_to_bytes,
}
_BREAKS: dict[str, Callable[[asyncio.Transport, str], None]] = {
    "reset": _reset,
    "gone": lambda transport, _argument: transport.close(),
    "cut": lambda transport, _argument: _answer_and_close(
        transport, b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n0123456789"
    ),
    "garbage": lambda transport, _argument: _answer_and_close(transport, b"\x00\x01 this is not HTTP\r\n\r\n"),
    "close": lambda transport, _argument: _answer_and_close(transport, _OK),
    "raw": lambda transport, argument: _answer_and_close(transport, unquote_to_bytes(argument)),
}


class Endpoint:
    """The server in a thread of this process; a context manager."""

    def __init__(self, certificate: tuple[Path, Path] | None = None, host: str = "127.0.0.1") -> None:
        """``certificate``: files of the certificate and its key; then it speaks TLS."""
        self._server = _Server(record=True)
        self._host = host
        self._tls: ssl.SSLContext | None = None
        if certificate:
            self._tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self._tls.load_cert_chain(*certificate)
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._serve, name="endpoint", daemon=True)
        self.port = 0

    def __enter__(self) -> Endpoint:
        self._thread.start()
        assert self._ready.wait(10)
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)

    def url(self, path: str = "/") -> str:
        host = f"[{self._host}]" if ":" in self._host else self._host
        return f"{'https' if self._tls else 'http'}://{host}:{self.port}{path}"

    @property
    def canned(self) -> dict[str, bytes]:
        """What ``/canned/<name>`` sends."""
        return self._server.canned

    @property
    def requests(self) -> list[Received]:
        """What was received so far, in order."""
        with self._server.changed:
            return list(self._server.requests)

    @property
    def connections(self) -> int:
        """How many connections were opened so far."""
        return self._server.opened

    @property
    def most_open(self) -> int:
        """How many connections were open at once, at most."""
        return self._server.most_open

    def wait_for(self, count: int, seconds: float = 30.0) -> list[Received]:
        """Block until so many requests arrived; AssertionError after ``seconds``."""
        with self._server.changed:
            arrived = self._server.changed.wait_for(lambda: len(self._server.requests) >= count, seconds)
            assert arrived, f"{len(self._server.requests)} of {count} requests arrived"
            return list(self._server.requests)

    def let_go(self) -> None:
        """Answer everything that ``/hold`` keeps waiting."""
        self._loop.call_soon_threadsafe(self._server.let_go)

    def _serve(self) -> None:
        asyncio.set_event_loop(self._loop)
        server = self._loop.run_until_complete(_listen(self._loop, self._server, self._host, self._tls))
        self.port = server.sockets[0].getsockname()[1]
        self._ready.set()
        try:
            self._loop.run_forever()
        finally:
            self._loop.run_until_complete(_close(self._server, server))
            self._loop.close()


class EndpointProcess:
    """The server in a process of its own, without recording; a context manager."""

    def __enter__(self) -> EndpointProcess:
        root = Path(__file__).resolve().parents[2]
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.support.endpoint"],
            cwd=root,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdout
        self.port = int(self._process.stdout.readline())
        return self

    def __exit__(self, *_: object) -> None:
        # It ends when its standard input does, also when this process is killed.
        self._process.communicate()

    def url(self, path: str = "/") -> str:
        return f"http://127.0.0.1:{self.port}{path}"


class BlackHole:
    """An address that never answers: a listener whose queue is full, so that the kernel drops what comes."""

    def __enter__(self) -> BlackHole:
        self._listener = socket.socket()
        self._listener.bind(("127.0.0.1", 0))
        self._listener.listen(0)
        self.port = self._listener.getsockname()[1]
        self._fillers = [socket.socket() for _ in range(4)]
        for filler in self._fillers:
            filler.setblocking(False)
            filler.connect_ex(("127.0.0.1", self.port))
        return self

    def __exit__(self, *_: object) -> None:
        for sock in (self._listener, *self._fillers):
            sock.close()

    def url(self, path: str = "/") -> str:
        return f"http://127.0.0.1:{self.port}{path}"


async def _listen(
    loop: asyncio.AbstractEventLoop, server: _Server, host: str, tls: ssl.SSLContext | None
) -> asyncio.Server:
    make: Callable[[], asyncio.Protocol] = lambda: _Connection(server)  # noqa: E731 - of no arguments
    return await loop.create_server(make, host, 0, ssl=tls, backlog=4096)


async def _close(state: _Server, server: asyncio.Server) -> None:
    server.close()
    for task in state.tasks:
        task.cancel()
    await asyncio.gather(*state.tasks, return_exceptions=True)
    for connection in list(state.connections):
        connection.transport.abort()
    # One more turn of the loop, in which the aborted transports close their sockets.
    await asyncio.sleep(0)


async def _alone() -> None:
    """The server of ``EndpointProcess``: print the port, serve until standard input ends."""
    loop = asyncio.get_running_loop()
    server = await _listen(loop, _Server(record=False), "127.0.0.1", None)
    print(server.sockets[0].getsockname()[1], flush=True)  # noqa: T201 - read by the parent
    await loop.run_in_executor(None, sys.stdin.read)


if __name__ == "__main__":
    import resource

    resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
    asyncio.run(_alone())
