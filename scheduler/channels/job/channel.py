"""The ``job`` channel: a worker passes a slice of messages to a runner, watches it, and reports the outcomes.

While handlers are quick, a slice of several messages saves switches between threads.  When a handler is slow, the
messages behind it are released, and slices of its lane hold one message until its handler is quick again.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from scheduler.channels.base import LaneSpec, Report, cut_short
from scheduler.channels.job import outcomes
from scheduler.channels.job.attempt import Attempt, Slice
from scheduler.channels.job.runner import Calls, Runner
from scheduler.clock import Clock
from scheduler.jobs import REGISTRY, Registry
from scheduler.logs.sinks import ServiceLog
from scheduler.message import Claim, Outcome, lane_of
from scheduler.telemetry.lateness import lateness_ms

if TYPE_CHECKING:
    from scheduler.otel.tracing import Tracing

MOST = 100
"""Messages per slice when handlers are quick."""
SLICE_SECONDS = 0.02
"""How long a slice should take, judged by the handler's recent durations."""
PATIENCE_SECONDS = 0.1
"""When a slice takes longer, its messages that have not begun are released for other workers and servers."""
INTERRUPT_SECONDS = 1.0
"""Time for a handler to clean up and end after it was interrupted."""

_UNLIMITED_SECONDS = 3600.0
_STOP_MARGIN = 1.0


class JobChannel:
    """Calls registered handlers."""

    name = "job"
    slow = True
    failure = None

    def __init__(
        self,
        *,
        clock: Clock,
        now_ms: Callable[[], float],
        holds: Callable[[Claim], bool],
        renew: Callable[[Claim], bool],
        log: ServiceLog,
        registry: Registry = REGISTRY,
        tracing: Tracing | None = None,
    ) -> None:
        """``now_ms``: Redis's clock, for lateness.  ``holds``: returns whether this process holds the claim's lock, as
        far as it knows.  ``renew``: extends the lock; returns False when it was lost or Redis does not answer.
        ``tracing``: None where traces are not exported.
        """
        self._clock = clock
        self._now_ms = now_ms
        self._log = log
        self._registry = registry
        self._calls = Calls(registry, clock=clock, now_ms=now_ms, holds=holds, renew=renew, tracing=tracing)
        self._lock = threading.Lock()
        self._idle: deque[Runner] = deque()
        self._watched: set[Slice] = set()
        self._quiet = threading.Event()
        self._quiet.set()
        self._given_up = False
        self._runners = 0
        self._left_behind = 0
        # A slice holds one message until the handler's duration is known: an urgent message must not wait behind a slow
        # one.
        self._seconds_each: dict[str, float] = {}
        """Lane → recent duration of its handler, seconds."""

    def lanes(self) -> Sequence[LaneSpec]:
        """Return a lane for each type with a handler, so that no type waits for another."""
        return [LaneSpec(lane_of(self.name, type.name), type.concurrency) for type in self._registry]

    def slice_size(self, lane: str) -> int:
        """Return how many messages take ``SLICE_SECONDS`` by recent durations, 1 to ``MOST``; 1 until one is known."""
        return max(1, min(MOST, int(SLICE_SECONDS / max(self._seconds_each.get(lane, SLICE_SECONDS), 1e-6))))

    def start(self) -> None:
        """Do nothing: runners are started when there is work."""

    def deliver(self, claims: Sequence[Claim], report: Report) -> None:
        """Run the handlers of a slice one after the other, and report; return when this worker is free again."""
        work = Slice([Attempt(claim, self._registry.get(claim.type)) for claim in claims])
        if not self._watch(work):
            report([Outcome(claim, "release") for claim in claims])
            return
        runner = self._runner()
        runner.begin(work)
        try:
            self._supervise(work, runner, report)
        finally:
            self._unwatch(work)
            if work.ended and not runner.interrupted:
                self._idle.append(runner)
            else:
                runner.retire()

    def stop(self, grace: float) -> None:
        """Make ``cancelled()`` true for all handlers; after ``grace`` seconds, report the rest as cut short."""
        self._calls.stopping = True
        with self._lock:
            for work in self._watched:
                work.changed.set()
        self._clock.wait(self._quiet, grace)
        with self._lock:
            self._given_up = True
            for work in self._watched:
                work.changed.set()
        self._clock.wait(self._quiet, _STOP_MARGIN)
        while self._idle:
            self._idle.popleft().retire()

    # -- one slice -------------------------------------------------------------------------------------------------

    def _supervise(self, work: Slice, runner: Runner, report: Report) -> None:
        lane = work.attempts[0].claim.lane
        self._clock.wait(work.changed, PATIENCE_SECONDS)
        if work.ended:
            done = [_outcome(attempt) for attempt in work.attempts]
            # The median, because some durations include time that the thread waited for the interpreter.
            self._learn(lane, sorted(outcome.duration_ms for outcome in done)[len(done) // 2] / 1000)
            report(done)
            return
        # One slow slice makes the lane count as slow at once, and only many quick ones undo it: a wrong guess the other
        # way makes messages wait.
        self._seconds_each[lane] = PATIENCE_SECONDS
        rest = work.take_back()
        begun = work.attempts[: len(work.attempts) - len(rest)]
        early = [_outcome(a) for a in begun[:-1]] + [Outcome(a.claim, "release") for a in rest]
        if early:
            report(early)
        for last in begun[-1:]:
            report([self._outcome_of_last(work, last, runner)])

    def _learn(self, lane: str, seconds: float) -> None:
        # A moving average over about ten slices.
        known = self._seconds_each.get(lane, SLICE_SECONDS)
        self._seconds_each[lane] = known + (seconds - known) * 0.1

    def _outcome_of_last(self, work: Slice, attempt: Attempt, runner: Runner) -> Outcome:
        """Wait for the running handler until its time limit, and return its outcome."""
        while True:
            work.changed.clear()
            left = self._left(attempt)
            if work.ended or self._given_up or left <= 0:
                break
            self._clock.wait(work.changed, left)
        if work.ended:
            return _outcome(attempt)
        if self._given_up:
            return cut_short(attempt.claim, *self._times(attempt))
        return self._interrupt(work, attempt, runner)

    def _interrupt(self, work: Slice, attempt: Attempt, runner: Runner) -> Outcome:
        attempt.expired = True
        runner.interrupt()
        self._clock.wait(work.changed, INTERRUPT_SECONDS)
        if attempt.outcome is not None:
            return attempt.outcome
        if work.ended:
            # The interrupt came after the handler's end and before its result was stored.
            return self._outcome_by_worker(attempt, outcomes.timed_out(attempt.limit))
        stack = runner.stack()
        self._left_behind += 1
        self._log.error(
            f"job id={attempt.claim.id} type={attempt.claim.type} attempt={attempt.claim.attempt} passed its time "
            f"limit and did not stop: its thread is left behind ({self._left_behind} so far) and still uses memory"
        )
        return self._outcome_by_worker(attempt, outcomes.timed_out(attempt.limit, stack, left_behind=True))

    def _left(self, attempt: Attempt) -> float:
        """Return the seconds until the time limit."""
        if attempt.limit is None:
            return _UNLIMITED_SECONDS
        now = self._clock.monotonic()
        return attempt.limit - (now - (now if attempt.begun is None else attempt.begun))

    def _outcome_by_worker(self, attempt: Attempt, verdict: outcomes.Verdict) -> Outcome:
        """Return an outcome for a handler that has not ended; if it ends later, its own outcome is ignored."""
        took, late = self._times(attempt)
        return Outcome(attempt.claim, verdict.kind, took, late, error=verdict.error, evidence=verdict.evidence)

    def _times(self, attempt: Attempt) -> tuple[float, float]:
        """Return duration and lateness (ms) of a handler that has not ended."""
        now = self._clock.monotonic()
        took = (now - (now if attempt.begun is None else attempt.begun)) * 1000
        return took, lateness_ms(attempt.claim, self._now_ms() - took)

    # -- runners and slices in progress ----------------------------------------------------------------------------

    def _runner(self) -> Runner:
        try:
            return self._idle.pop()
        except IndexError:
            self._runners += 1
            return Runner(self._calls, f"job-{self._runners}")

    def _watch(self, work: Slice) -> bool:
        """Note a slice that begins; return False when the service is stopping, and it must not begin."""
        with self._lock:
            if self._calls.stopping:
                return False
            self._watched.add(work)
            self._quiet.clear()
            return True

    def _unwatch(self, work: Slice) -> None:
        with self._lock:
            self._watched.discard(work)
            if not self._watched:
                self._quiet.set()


def _outcome(attempt: Attempt) -> Outcome:
    if attempt.outcome is None:
        raise RuntimeError("a job's thread ended without an outcome")
    return attempt.outcome
