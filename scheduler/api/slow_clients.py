"""Clients that begin a request and never end it.

Granian bounds the time for the headers.  For the body it has no limit (its maintainers leave that to a proxy), and each
body that is waited for holds one of ``Server.ApiThreads``: 32 connections that send half a body would stop the API.  So
a read that has waited ``STALLED_SECONDS`` has all connections closed on which nothing came in for that long: stalled
ones, and idle ones, which their clients open again.  A client that sends a byte now and then is not caught: a service
that strangers can reach belongs behind a proxy.
"""

from __future__ import annotations

import os
import socket
import struct
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from scheduler.clock import Clock

STALLED_SECONDS = 10.0

_EVERY_SECONDS = 1.0

_DESCRIPTORS = Path("/proc/self/fd")
_TCP_INFO_SIZE = 56
_LAST_DATA_RECV = 52
"""Offset of ``tcpi_last_data_recv`` (ms, unsigned 32 bits) in the kernel's ``struct tcp_info``."""


class SlowClients:
    """Watches the reads of one process: a ``scheduler.maintenance.Task``."""

    name = "close stalled connections"

    def __init__(self, clock: Clock, port: int) -> None:
        """``port``: the one this process listens on.  Other connections, to Redis for one, are never touched."""
        self._clock = clock
        self._port = port
        self._began: dict[int, float] = {}

    @contextmanager
    def reading(self) -> Iterator[None]:
        """Around the read of one body, in the thread that reads it."""
        thread = threading.get_ident()
        self._began[thread] = self._clock.monotonic()
        try:
            yield
        finally:
            del self._began[thread]

    def tick(self) -> float:
        """Close what stalls.  Does nothing where no read does."""
        oldest = min(self._began.copy().values(), default=None)
        stalled = oldest is not None and self._clock.monotonic() - oldest >= STALLED_SECONDS
        if stalled and sys.platform == "linux":
            for entry in _DESCRIPTORS.iterdir():
                self._close_if_silent(int(entry.name))
        return _EVERY_SECONDS

    def _close_if_silent(self, descriptor: int) -> None:
        # A copy of the descriptor: the server may close its own at any moment, and its number may be given away again.
        with suppress(OSError), socket.socket(fileno=os.dup(descriptor)) as connection:
            if connection.family not in (socket.AF_INET, socket.AF_INET6) or connection.type != socket.SOCK_STREAM:
                return
            if connection.getsockname()[1] == self._port and _silent_seconds(connection) >= STALLED_SECONDS:
                connection.getpeername()  # raises on the socket that listens
                connection.shutdown(socket.SHUT_RDWR)


def _silent_seconds(connection: socket.socket) -> float:
    info = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _TCP_INFO_SIZE)
    (silent_ms,) = struct.unpack_from("=I", info, _LAST_DATA_RECV)
    return float(silent_ms) / 1000
