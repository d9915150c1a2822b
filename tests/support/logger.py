"""A logger that remembers, for tests that wait for a line."""

from __future__ import annotations

import threading


class RecordingLogger:
    """Any object with ``info`` and ``error`` is a logger to the service; this one keeps the lines."""

    def __init__(self) -> None:
        self.infos: list[str] = []
        self.errors: list[str] = []
        self._changed = threading.Condition()

    def info(self, message: str, /) -> None:
        self._keep(self.infos, message)

    def error(self, message: str, /) -> None:
        self._keep(self.errors, message)

    def _keep(self, lines: list[str], message: str) -> None:
        with self._changed:
            lines.append(message)
            self._changed.notify_all()

    def count(self, text: str) -> int:
        """How many lines of either kind contain the text."""
        return sum(text in line for line in [*self.infos, *self.errors])

    def wait_for(self, text: str, *, count: int = 1, timeout: float = 30.0) -> None:
        """Block until so many lines contain the text; AssertionError with all lines after ``timeout`` seconds."""
        with self._changed:
            found = self._changed.wait_for(lambda: self.count(text) >= count, timeout)
        assert found, f"{text!r} not logged {count} times: {self.infos} {self.errors}"
