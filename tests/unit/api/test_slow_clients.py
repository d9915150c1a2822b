"""Which connection is closed when a body does not come, told by the kernel's own figures of real connections."""

from __future__ import annotations

import os
import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from scheduler.api.http.slow_clients import BODY_SECONDS, CROWDED_SECONDS, SlowClients
from tests.support.clock import FakeClock

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="Linux alone tells what a connection has been doing")

THREADS = 4


class Server:
    """One that accepts, and answers when it is told to; it shares this process with its clients."""

    def __init__(self, clock: FakeClock, opened: ExitStack) -> None:
        self._listening = opened.enter_context(socket.create_server(("127.0.0.1", 0)))
        self._opened = opened
        self.port = self._listening.getsockname()[1]
        self.watcher = SlowClients(clock, self.port, THREADS)

    def connect(self) -> tuple[socket.socket, socket.socket]:
        """A client's end and the server's."""
        client = self._opened.enter_context(socket.create_connection(("127.0.0.1", self.port), timeout=5))
        return client, self._opened.enter_context(self._listening.accept()[0])

    def reads(self, count: int) -> None:
        """So many threads wait for a body, until the end of the test."""
        over = threading.Event()
        begun = threading.Barrier(count + 1, timeout=5)

        def read() -> None:
            with self.watcher.reading():
                begun.wait()
                over.wait()

        threads = [threading.Thread(target=read) for _ in range(count)]
        for thread in threads:
            thread.start()
            self._opened.callback(thread.join)
        self._opened.callback(over.set)
        begun.wait()


@pytest.fixture
def server(clock: FakeClock) -> Iterator[Server]:
    with ExitStack() as opened:
        yield Server(clock, opened)


def said(client: socket.socket, served: socket.socket, data: bytes = b"x") -> None:
    """The client sends; returns when it has arrived."""
    client.sendall(data)
    assert served.recv(100) == data


def answered(client: socket.socket, served: socket.socket) -> None:
    served.sendall(b"answer")
    assert client.recv(100) == b"answer"


def is_closed(client: socket.socket) -> bool:
    client.setblocking(False)
    try:
        return client.recv(100) == b""
    except BlockingIOError:
        return False
    finally:
        client.setblocking(True)


def pass_by(clock: FakeClock, server: Server, seconds: float) -> None:
    """One look before, one after so long."""
    server.watcher.tick()
    clock.advance(seconds)
    server.watcher.tick()


def test_nothing_is_closed_while_no_read_waits(clock: FakeClock, server: Server) -> None:
    client, _ = server.connect()
    pass_by(clock, server, 1000)
    assert not is_closed(client)


@pytest.mark.parametrize("trickles", [False, True])
def test_one_read_has_its_time_and_then_its_connection_is_closed(
    clock: FakeClock, server: Server, trickles: bool
) -> None:
    others = [server.connect() for _ in range(3)]
    for pair in others:
        said(*pair)
        answered(*pair)
    slow = server.connect()
    said(*slow)
    server.reads(1)
    clock.advance(CROWDED_SECONDS)
    for _ in range(int(BODY_SECONDS) - 2):
        pass_by(clock, server, 1)
        if trickles:
            said(*slow)
    assert not is_closed(slow[0])
    pass_by(clock, server, 2)
    assert is_closed(slow[0])
    assert not [client for client, _ in others if is_closed(client)], "idle ones, of which nobody waits"


def test_when_most_threads_wait_they_get_a_second_and_nobody_else_is_closed(clock: FakeClock, server: Server) -> None:
    slow = [server.connect() for _ in range(THREADS // 2 + 1)]
    for pair in slow:
        said(*pair)
    server.reads(len(slow))
    clock.advance(CROWDED_SECONDS)
    server.watcher.tick()
    clock.advance(CROWDED_SECONDS)
    later = server.connect()
    said(*later)
    server.watcher.tick()
    assert [is_closed(client) for client, _ in slow] == [True] * len(slow)
    assert not is_closed(later[0])


def test_one_that_hides_behind_the_answer_to_another_request_is_found(clock: FakeClock, server: Server) -> None:
    slow = server.connect()
    said(*slow, b"a whole request and the first byte of another")
    answered(*slow)
    server.reads(1)
    clock.advance(CROWDED_SECONDS)
    pass_by(clock, server, BODY_SECONDS)
    assert is_closed(slow[0])


def test_the_other_connections_of_the_process_are_left_alone(clock: FakeClock, server: Server) -> None:
    with socket.create_server(("127.0.0.1", 0)) as redis, socket.create_connection(redis.getsockname()) as connection:
        server.reads(1)
        clock.advance(CROWDED_SECONDS)
        pass_by(clock, server, BODY_SECONDS)
        assert not is_closed(connection)
    assert server.connect(), "it still listens"


def test_looking_leaves_no_descriptor_behind(clock: FakeClock, server: Server, tmp_path: Path) -> None:
    """Files and pipes are among the descriptors too.  Each look once left a copy of each, and doubled them."""
    with (tmp_path / "a file").open("w"):
        server.reads(1)
        clock.advance(CROWDED_SECONDS)
        before = len(os.listdir("/proc/self/fd"))  # noqa: PTH208 - the folder's own descriptor is closed by then
        for _ in range(3):
            server.watcher.tick()
        assert len(os.listdir("/proc/self/fd")) == before  # noqa: PTH208
