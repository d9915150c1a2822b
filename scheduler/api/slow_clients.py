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

_DESCRIPTORS = Path("/proc/self/fd")
_TCP_INFO_SIZE = 56
_LAST_DATA_RECV = 52
"""Offset of ``tcpi_last_data_recv`` (ms, unsigned 32 bits) in the kernel's ``struct tcp_info``."""


class SlowClients:
    """Watches the reads of one process.  ``tick`` must be called now and then; it does nothing where no read stalls."""

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

    def tick(self) -> int:
        """Close what stalls; how many connections that were."""
        oldest = min(self._began.copy().values(), default=None)
        if oldest is None or self._clock.monotonic() - oldest < STALLED_SECONDS or sys.platform != "linux":
            return 0
        return sum(self._close_if_silent(int(entry.name)) for entry in _DESCRIPTORS.iterdir())

    def _close_if_silent(self, descriptor: int) -> bool:
        # A copy of the descriptor: the server may close its own at any moment, and its number may be given away again.
        with suppress(OSError), socket.socket(fileno=os.dup(descriptor)) as connection:
            if connection.family not in (socket.AF_INET, socket.AF_INET6) or connection.type != socket.SOCK_STREAM:
                return False
            if connection.getsockname()[1] != self._port or _silent_seconds(connection) < STALLED_SECONDS:
                return False
            connection.getpeername()  # raises on the socket that listens
            connection.shutdown(socket.SHUT_RDWR)
            return True
        return False


def _silent_seconds(connection: socket.socket) -> float:
    info = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _TCP_INFO_SIZE)
    (silent_ms,) = struct.unpack_from("=I", info, _LAST_DATA_RECV)
    return float(silent_ms) / 1000
