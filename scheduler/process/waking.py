"""A thread that repeats a step, and sleeps in between until it is woken."""

from __future__ import annotations

import threading
from collections.abc import Callable

from scheduler.clock import Clock


class WakingThread:
    """Nothing runs before ``start``."""

    def __init__(self, name: str, step: Callable[[], float], clock: Clock) -> None:
        """``step`` returns the longest sleep (seconds) after it, and raises nothing."""
        self._name = name
        self._step = step
        self._clock = clock
        self._wake = threading.Event()
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    def wake(self) -> None:
        """End the sleep.  From any thread."""
        self._wake.set()

    def start(self) -> None:
        self._thread = threading.Thread(target=self._loop, name=self._name, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Begin no further step.  Returns when the thread has ended."""
        self._stopping.set()
        self._wake.set()
        if self._thread is not None:
            self._thread.join()

    def _loop(self) -> None:
        while not self._stopping.is_set():
            # Cleared before the step: what happens during it is seen by the next one.
            self._wake.clear()
            seconds = self._step()
            if seconds > 0:
                self._clock.wait(self._wake, seconds)
