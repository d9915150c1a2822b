"""The service's stdout, read from outside: which line arrived when, by this machine's clock (which is Redis's too)."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path
from typing import NamedTuple, Protocol

from bench.messages import Mark, mark_of
from bench.table import Broken, check


class Console(Protocol):
    """Somewhere for a service to print to."""

    @property
    def stdout(self) -> int:
        """The descriptor that the service is given as its stdout."""

    def close(self) -> None:
        """Give it back, after the service has ended."""


class ReadableConsole(Console, Protocol):
    """One whose output is looked at."""

    def wait_for(self, count: int, seconds: float) -> None:
        """Return as soon as so many lines were printed since the start.  Raises ``Broken`` when time runs out."""


class Arrival(NamedTuple):
    """A printed line."""

    at_ms: float
    """When it was read, ms since the epoch."""
    text: str
    """What follows the service's own time stamp."""

    @property
    def mark(self) -> Mark:
        return mark_of(self.text)


class FileConsole:
    """Redirected to a file, as in ``python app.py > console.txt``."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._write = os.open(path, os.O_CREAT | os.O_WRONLY | os.O_APPEND)
        self._read = path.open("rb")
        self._printed = 0

    @property
    def stdout(self) -> int:
        return self._write

    def wait_for(self, count: int, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while self._count() < count:
            check(time.monotonic() < deadline, f"{self._printed:,} of {count:,} lines printed within {seconds:g} s")
            time.sleep(0.002)

    def _count(self) -> int:
        self._printed += self._read.read().count(b"\n")
        return self._printed

    def texts(self) -> list[str]:
        """The printed messages, in order."""
        return [line.partition(" | ")[2] for line in self.path.read_text().splitlines()]

    def close(self) -> None:
        os.close(self._write)
        self._read.close()


class PipeConsole:
    """A pipe whose reader stamps what it reads; it parses nothing until it is asked."""

    def __init__(self) -> None:
        self._read, self._write = os.pipe()
        self._chunks: list[tuple[int, bytes]] = []
        self._printed = 0
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._drain, name="console", daemon=True)
        self._thread.start()

    @property
    def stdout(self) -> int:
        return self._write

    def _drain(self) -> None:
        while chunk := os.read(self._read, 1 << 16):
            at = time.time_ns()
            with self._changed:
                self._chunks.append((at, chunk))
                self._printed += chunk.count(b"\n")
                self._changed.notify_all()

    def wait_for(self, count: int, seconds: float) -> None:
        with self._changed:
            if not self._changed.wait_for(lambda: self._printed >= count, seconds):
                raise Broken(f"{self._printed:,} of {count:,} lines printed within {seconds:g} s")

    def arrivals(self) -> list[Arrival]:
        """Every line so far.  A line has arrived when its end has."""
        with self._changed:
            chunks = list(self._chunks)
        lines: list[Arrival] = []
        rest = b""
        for at, chunk in chunks:
            *whole, rest = (rest + chunk).split(b"\n")
            lines += [Arrival(at / 1e6, line.decode().partition(" | ")[2]) for line in whole]
        return lines

    @property
    def printed(self) -> int:
        """Lines so far."""
        return self._printed

    def close(self) -> None:
        """Closes our side; the reader ends with the service that prints."""
        os.close(self._write)
        self._thread.join(10)
        os.close(self._read)
