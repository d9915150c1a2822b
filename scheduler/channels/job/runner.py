"""The threads in which handlers run, which are not those of the workers.

A worker watches its handler.  A handler that cannot be stopped is left behind in its thread, and another thread takes
over.  The threads are daemons, so that one that is left behind does not keep the process from ending.
"""

from __future__ import annotations

import ctypes
import json
import queue
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING

from scheduler.channels.job import outcomes
from scheduler.channels.job.attempt import Attempt, Slice
from scheduler.clock import Clock
from scheduler.jobs import JobContext, Registry, TimeLimitExceeded
from scheduler.message import Claim, Outcome, made_by
from scheduler.telemetry.lateness import lateness_ms

if TYPE_CHECKING:
    from scheduler.otel.tracing import Tracing


class Calls:
    """Runs attempts; the same object for all runners."""

    def __init__(
        self,
        registry: Registry,
        *,
        clock: Clock,
        now_ms: Callable[[], float],
        holds: Callable[[Claim], bool],
        renew: Callable[[Claim], bool],
        tracing: Tracing | None = None,
    ) -> None:
        """``tracing``: None where traces are not exported."""
        self.registry = registry
        self.stopping = False
        self._clock = clock
        self._now_ms = now_ms
        self._holds = holds
        self._renew = renew
        self._tracing = tracing

    def run(self, attempt: Attempt) -> None:
        """Call the handler, and set the attempt's outcome.

        Only ``TimeLimitExceeded`` may be raised, when the interrupt comes outside of the handler.
        """
        claim = attempt.claim
        begun = self._now_ms()
        attempt.begun = self._clock.monotonic()
        if self._tracing is None:
            verdict = self._verdict(attempt)
        else:
            verdict = self._tracing.run(claim, lambda: self._verdict(attempt))
        attempt.outcome = Outcome(
            claim,
            verdict.kind,
            self._now_ms() - begun,
            lateness_ms(claim, begun),
            verdict.delay_ms,
            verdict.error,
            verdict.evidence,
            verdict.result,
        )

    def _verdict(self, attempt: Attempt) -> outcomes.Verdict:
        claim, type = attempt.claim, attempt.type
        if type is None:
            return outcomes.Verdict("dead", self.registry.unknown(claim.type))
        made = made_by(claim.id, claim.run) if claim.run is not None else None
        context = JobContext(
            claim.id,
            claim.attempt,
            claim.due_at,
            type=claim.type or "",
            schedule_id=made.schedule if made else None,
            scheduled_for=made.moment if made else None,
            traceparent=claim.trace,
            cancelled=lambda: self.stopping or attempt.expired or attempt.lost or not self._holds(claim),
            renewed=lambda: self._renewed(attempt),
        )
        try:
            return outcomes.of_result(type.run(json.loads(claim.payload), context))
        except BaseException as error:  # noqa: BLE001 - a handler's sys.exit() is a failed attempt like any other
            return outcomes.of_error(error, type.time_limit, self.stopping)

    def _renewed(self, attempt: Attempt) -> bool:
        held = self._renew(attempt.claim)
        attempt.lost = attempt.lost or not held
        return held


class Runner:
    """One thread that works through one slice at a time."""

    def __init__(self, calls: Calls, name: str) -> None:
        self._calls = calls
        self.interrupted = False
        """Its thread may still get an exception at any line, so it must not be used again."""
        self._inbox: queue.SimpleQueue[Slice | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._main, name=name, daemon=True)
        self._thread.start()

    def begin(self, work: Slice) -> None:
        """Run a slice; returns at once."""
        self._inbox.put(work)

    def retire(self) -> None:
        """End the thread as soon as it is free."""
        self._inbox.put(None)

    def interrupt(self) -> None:
        """Raise ``TimeLimitExceeded`` in the thread, at its next line of Python.

        A call that waits inside of C code (a socket without a timeout, a lock, a long computation) ends first.
        """
        self.interrupted = True
        ctypes.pythonapi.PyThreadState_SetAsyncExc(
            ctypes.c_ulong(self._thread.ident or 0), ctypes.py_object(TimeLimitExceeded)
        )

    def stack(self) -> str:
        """Return the current stack of the thread as text."""
        frames = sys._current_frames()  # noqa: SLF001 - documented for this very use
        return outcomes.stack_of(frames.get(self._thread.ident or 0))

    def _main(self) -> None:
        # An interrupt may come outside of the handler, when the handler has just ended.
        with suppress(TimeLimitExceeded):
            while (work := self._inbox.get()) is not None:
                try:
                    while (attempt := work.next()) is not None:
                        self._calls.run(attempt)
                finally:
                    work.end()
