"""Write to a pipe or terminal whose reader may have stopped, without a thread that waits for ever."""

from __future__ import annotations

import os
import select
import sys
import threading
from collections.abc import Sequence
from io import UnsupportedOperation
from typing import Final, TextIO

from scheduler.clock import Clock, SystemClock
from scheduler.masking import escape

CHUNK: Final = 4096
"""Bytes that a pipe which is ready takes without a wait: PIPE_BUF of Linux."""
CONSOLE_PATIENCE_SECONDS: Final = 1.0
"""How long the first echo messages wait for a console without a reader."""
CONSOLE_BUSY_SECONDS: Final = 0.25
"""How long a worker waits for another worker that prints: a slow console delays one worker, and not all."""


class Outlet:
    """Writes to one descriptor.  Not thread-safe."""

    def __init__(self, patience: float, clock: Clock | None = None) -> None:
        """``patience``: how long (seconds) the first write waits for a reader that has stopped.  Later writes do not
        wait until the descriptor takes data again.
        """
        self._patience_ms = round(patience * 1000)
        self._clock = clock or SystemClock()
        self._owed = b""
        """The rest of a line that was written in part; it is written first, so that lines stay whole."""
        self._unread_since: float | None = None
        self._descriptor = -1
        self._poll = select.poll()

    def unread_seconds(self) -> float:
        """Return for how long (seconds) no data was read; 0 while the descriptor takes data."""
        since = self._unread_since
        if since is None or self._ready():
            return 0.0
        return self._clock.monotonic() - since

    def write(self, descriptor: int, data: bytes) -> int:
        """Write whole lines; return how many were written, one that was begun included.

        Raises ``OSError`` when the other end is gone.
        """
        if descriptor != self._descriptor:
            self._descriptor, self._poll = descriptor, select.poll()
            self._poll.register(descriptor, select.POLLOUT)
        self._owed = self._owed[self._write(self._owed) :]
        if self._owed:
            return 0
        done = self._write(data)
        if done < len(data) and done and data[done - 1] != ord("\n"):
            self._owed = data[done : data.index(b"\n", done) + 1]
        return data.count(b"\n", 0, done) + bool(self._owed)

    def _write(self, data: bytes) -> int:
        """Write what fits; return how many bytes were written."""
        done = 0
        while done < len(data) and self._ready():
            end = data.rfind(b"\n", done, done + CHUNK) + 1 or done + CHUNK
            done += os.write(self._descriptor, data[done:end])
        return done

    def _ready(self) -> bool:
        if self._poll.poll(0) or (self._unread_since is None and self._poll.poll(self._patience_ms)):
            self._unread_since = None
            return True
        if self._unread_since is None:
            self._unread_since = self._clock.monotonic()
        return False


class Stderr:
    """Writes log lines to stderr.  Lines without a reader are left out and counted; the log files have them."""

    PATIENCE_SECONDS: Final = 0.1

    def __init__(self) -> None:
        self._outlet = Outlet(self.PATIENCE_SECONDS)
        self._left_out = 0

    def write(self, text: str) -> None:
        """Write whole lines.  Raises ``OSError`` when stderr is gone."""
        # Looked up at each write: a program that replaces sys.stderr wants the log there too.
        stream = sys.stderr
        try:
            descriptor = stream.fileno()
        except UnsupportedOperation:
            stream.write(text)
            return
        new = text.count("\n")
        notice = f"({self._left_out} lines were left out here while nobody read them)\n" if self._left_out else ""
        written = self._outlet.write(descriptor, (notice + text).encode(errors="backslashreplace"))
        self._left_out = new + bool(notice) - written if written else self._left_out + new


class ConsoleWriter:
    """Prints groups of lines on stdout, each group together.  Threads may share it."""

    def __init__(self, stream: TextIO | None = None) -> None:
        """``stream``: None for stdout, as ``sys.stdout`` is now: a job's handler that redirects it for a while must not
        get the messages that are printed meanwhile.
        """
        self._stream = sys.stdout if stream is None else stream
        self._lock = threading.Lock()
        self._outlet = Outlet(CONSOLE_PATIENCE_SECONDS)

    def unread_seconds(self) -> float:
        """Return for how long (seconds) stdout has had no reader; 0 while it has one."""
        return self._outlet.unread_seconds()

    def write(self, lines: Sequence[str]) -> int:
        """Print the lines, escaped; return how many were printed.

        Not all are when stdout has no reader, or another thread prints slowly.

        Raises OSError or ValueError when stdout is gone or closed.
        """
        text = "".join(f"{line if line.isprintable() else escape(line)}\n" for line in lines)
        if not self._lock.acquire(timeout=CONSOLE_BUSY_SECONDS):
            return 0
        try:
            stream = self._stream
            if stream is None:
                raise OSError("this process has no stdout")
            stream.flush()
            try:
                descriptor = stream.fileno()
            except UnsupportedOperation:
                stream.write(text)
                stream.flush()
                return len(lines)
            # Not through Python's buffer: after a failed write it would print its rest at some later time.
            return self._outlet.write(descriptor, text.encode())
        finally:
            self._lock.release()
