"""A place that work leaves one by one, and only while it is full: it stands still when a free slot is left unused."""

from __future__ import annotations

import threading


class Turnstile:
    """Work passes through it.  ``allow`` may be called at any time."""

    def __init__(self, allowed: int = 0, total: int = 0, seconds: float = 30.0) -> None:
        self.inside = 0
        self.most = 0
        """Most that were inside at once."""
        self.came = 0
        self.stood_still = 0
        """How much work left because the time was over: a slot was free, and nothing came."""
        self._allowed = allowed
        self._total = total
        self._seconds = seconds
        self._changed = threading.Condition()

    def allow(self, allowed: int) -> None:
        """Let work leave while so much of it is inside; 0: none is kept."""
        with self._changed:
            self._allowed = allowed
            self._changed.notify_all()

    def pass_through(self) -> None:
        """Come in, and return when as much is inside as allowed, or nothing more will come."""
        with self._changed:
            self.inside += 1
            self.came += 1
            self.most = max(self.most, self.inside)
            self._changed.notify_all()
            left = self._changed.wait_for(
                lambda: self.inside >= self._allowed or self.came >= self._total, self._seconds
            )
            self.inside -= 1
            self.stood_still += not left
            self._changed.notify_all()

    def wait_for(self, inside: int, seconds: float = 30.0) -> None:
        """Block until so much is inside; AssertionError after ``seconds``."""
        with self._changed:
            found = self._changed.wait_for(lambda: self.inside == inside, seconds)
            assert found, f"{self.inside} are inside, not {inside}"
