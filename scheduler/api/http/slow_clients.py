"""Clients that begin a request and never end it: with half a body, or with a byte of it now and then.

Granian bounds the time for the headers.  For the body it has no limit (its maintainers leave that to a proxy), and each
body that is waited for holds one of ``Server.ApiThreads``: 32 such connections would stop the API.  So a body may take
``BODY_SECONDS``, and only ``CROWDED_SECONDS`` while more than half of the threads wait for bodies.  After that its
connection is closed.

Which connection a read waits on, Granian does not say.  The kernel tells of each when data came in and went out last:
as many as reads have waited too long are closed, those first whose client has been heard for the longest without an
answer.  Threads are given out in that order, so these are the ones that hold them.
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
from typing import NamedTuple

from scheduler.clock import Clock

BODY_SECONDS = 30.0
CROWDED_SECONDS = 1.0

_EVERY_SECONDS = 0.5

_DESCRIPTORS = Path("/proc/self/fd")
_TCP_INFO = struct.Struct("=B43xI4xI100xI")
"""The kernel's ``struct tcp_info``: state, ms since data went out last, ms since some came in last, segments sent."""
_ESTABLISHED = 1


class _Connection(NamedTuple):
    """One connection of a client.  They sort as they are to be closed."""

    idle: bool
    """Nothing came in since the last answer, as far as one can see."""
    since: float
    """Since when the client is heard without an answer, or silent (s, by the clock)."""
    answers: int
    """Grows with every answer: segments of data that were sent."""
    inode: int
    """Of the socket.  The number of a descriptor is given away again at any moment, this one is not."""
    descriptor: int


class SlowClients:
    """Watches the reads of one process: a ``scheduler.delivery.maintenance.Task``."""

    name = "close stalled connections"

    def __init__(self, clock: Clock, port: int, threads: int) -> None:
        """``port``: the one this process listens on.  Other connections, to Redis for one, are never touched.

        ``threads``: how many it answers requests with.
        """
        self._clock = clock
        self._port = port
        self._threads = threads
        self._began: dict[int, float] = {}
        self._seen: dict[int, _Connection] = {}

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
        """Close what holds a thread for too long.  Costs nothing while every body comes at once."""
        now = self._clock.monotonic()
        waits = [wait for began in self._began.copy().values() if (wait := now - began) >= CROWDED_SECONDS]
        if not waits or sys.platform != "linux":
            self._seen.clear()
            return _EVERY_SECONDS
        patience = CROWDED_SECONDS if len(waits) > self._threads // 2 else BODY_SECONDS
        overdue = sum(wait >= patience for wait in waits)
        # Looked at also while nothing is overdue: the kernel knows what came last, and not since when it comes.
        self._seen = {connection.inode: connection for connection in self._connections(now)}
        late = sorted(connection for connection in self._seen.values() if now - connection.since >= patience)
        for connection in late[:overdue]:
            with suppress(OSError), _tcp_socket(connection.descriptor) as found:
                if found is not None and os.fstat(found.fileno()).st_ino == connection.inode:
                    found.shutdown(socket.SHUT_RDWR)
        return _EVERY_SECONDS

    def _connections(self, now: float) -> Iterator[_Connection]:
        for entry in _DESCRIPTORS.iterdir():
            with _tcp_socket(int(entry.name)) as found:
                if found is None or found.getsockname()[1] != self._port:
                    continue
                info = found.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _TCP_INFO.size)
                inode = os.fstat(found.fileno()).st_ino
            state, sent_ms, received_ms, answers = _TCP_INFO.unpack(info)
            if state == _ESTABLISHED:
                idle = answers > 0 and sent_ms <= received_ms
                # Before the first answer "sent" is the moment at which the connection was opened.
                since = now - (received_ms if answers else sent_ms) / 1000
                before = self._seen.get(inode)
                if before is not None and (before.idle, before.answers) == (idle, answers):
                    since = before.since
                yield _Connection(idle, since, answers, inode, int(entry.name))


@contextmanager
def _tcp_socket(descriptor: int) -> Iterator[socket.socket | None]:
    """The socket of this descriptor, None when it has none.

    A copy: the server may close its own at any moment, and give its number away again.
    """
    try:
        copy = os.dup(descriptor)
    except OSError:
        yield None
        return
    try:
        found = socket.socket(fileno=copy)
    except OSError:  # a file, a pipe: then the copy is still ours
        os.close(copy)
        yield None
        return
    with found:
        tcp = found.family in (socket.AF_INET, socket.AF_INET6) and found.type == socket.SOCK_STREAM
        yield found if tcp else None
