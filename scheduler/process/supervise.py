"""Keep a child process running: start it, wait until it answers, start it again when it ends, stop it."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from scheduler.clock import Clock
from scheduler.errors import StartCancelled, StartError
from scheduler.logs.sinks import Logger

POLL_SECONDS: Final = 0.02
CANCEL_SECONDS: Final = 0.1
"""How soon a start that is waiting notices that it was cancelled."""
SHORTEST_BACKOFF: Final = 0.5
LONGEST_BACKOFF: Final = 30.0
STABLE_SECONDS: Final = 60.0
"""A child that ran for longer is started again without a pause when it ends."""


@dataclass(frozen=True, slots=True)
class Child:
    """The process that a supervisor keeps running."""

    name: str
    """Used in log lines and for the thread."""
    launch: Callable[[threading.Event], subprocess.Popen[bytes]]
    """Starts the process as leader of its own process group.  Raises ``StartError`` or ``OSError``; may give up when
    the event is set."""
    answers: Callable[[], bool]
    """Returns whether the process is ready; called every ``POLL_SECONDS``."""
    exit_message: Callable[[int], str]
    """Returns the sentences for an exit code: why the process ended and what to do."""
    start_seconds: float
    """Time until it must answer."""
    stop_seconds: float
    """Time to end after SIGTERM, before it is killed."""
    works: Callable[[], bool] = lambda: False
    """Returns whether a child that does not answer is at work, and may take longer than ``start_seconds``."""


class Supervisor:
    """Keeps one child running from ``start`` to ``stop``."""

    def __init__(self, child: Child, logger: Logger, clock: Clock) -> None:
        self._child = child
        self._logger = logger
        self._clock = clock
        self._process: subprocess.Popen[bytes] | None = None
        self._thread: threading.Thread | None = None
        self._stopping = threading.Event()
        self._started = threading.Event()
        self._failure: str | None = None

    @property
    def pid(self) -> int | None:
        """Return the id of the process that runs, or ran last."""
        return self._process.pid if self._process else None

    def start(self, cancel: threading.Event | None = None, meanwhile: Callable[[], None] = lambda: None) -> None:
        """Start the child, and return when it answers.  ``meanwhile`` is called again and again until then.

        Raises ``StartError`` with its exit message when it ends or takes too long, and ``StartCancelled`` as soon as
        ``cancel`` is set.  In both cases the child is ended.
        """
        self._thread = threading.Thread(target=self._keep, name=f"keeps {self._child.name}", daemon=True)
        self._thread.start()
        while not self._started.wait(CANCEL_SECONDS):
            if cancel is not None and cancel.is_set():
                self.stop()
                raise StartCancelled
            meanwhile()
        if self._failure is not None:
            self.stop()
            raise StartError(self._failure)

    def tell(self, data: bytes) -> None:
        """Write to the child's stdin, if it has one and lives."""
        process = self._process
        if process and process.stdin:
            with suppress(OSError, ValueError):  # it has just ended
                process.stdin.write(data)
                process.stdin.flush()

    def stop(self) -> None:
        """End the child: SIGTERM, then SIGKILL after its ``stop_seconds``.  May be called twice."""
        self._stopping.set()
        if self._thread:
            self._end()
            self._thread.join()
            self._thread = None

    def _keep(self) -> None:
        """Start the child, again and again: the thread's loop.

        Every start happens in this thread, because Linux may end a child together with the thread that started it.
        """
        backoff = 0.0
        while not self._stopping.is_set():
            began = self._clock.monotonic()
            why = self._run_once()
            if self._stopping.is_set():
                break
            if not self._started.is_set():
                self._failure = why
                break
            if self._clock.monotonic() - began >= STABLE_SECONDS:
                backoff = 0.0
            self._logger.error(f"{why} It is started again{f' in {backoff:g} s' if backoff else ''}.")
            self._clock.wait(self._stopping, backoff)
            backoff = min(max(backoff * 2, SHORTEST_BACKOFF), LONGEST_BACKOFF)
        self._started.set()

    def _run_once(self) -> str:
        """Start the child, wait for its end, and return a sentence that says why it ended."""
        try:
            process = self._process = self._child.launch(self._stopping)
        except StartError as error:
            return str(error)
        except OSError as error:
            return f"{self._child.name} could not be started ({error.strerror})."
        if self._wait_for_answer(process):
            self._logger.info(f"{self._child.name} answers (process {process.pid}).")
            self._started.set()
        else:
            self._end()
        code = process.wait()
        if process.stdin:
            process.stdin.close()
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)  # processes that the child started and left running
        return self._child.exit_message(code)

    def _wait_for_answer(self, process: subprocess.Popen[bytes]) -> bool:
        """Return whether it answers; False when it ended, took too long, or the start was cancelled."""
        deadline = self._clock.monotonic() + self._child.start_seconds
        while process.poll() is None and not self._stopping.is_set():
            if self._child.answers():
                return True
            if self._clock.monotonic() >= deadline and not self._child.works():
                break
            self._clock.wait(self._stopping, POLL_SECONDS)
        return False

    def _end(self) -> None:
        process = self._process
        if process is None or process.poll() is not None:
            return
        process.terminate()
        try:
            process.wait(self._child.stop_seconds)
        except subprocess.TimeoutExpired:
            process.kill()
