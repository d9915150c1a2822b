"""The scheduler thread: claims what is due, hands it to the workers, sleeps exactly until the next moment."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scheduler.clock import Clock, RedisTime
from scheduler.delivery.workers import Workers
from scheduler.errors import StoreUnavailable
from scheduler.logs.notices import Outage
from scheduler.logs.sinks import ServiceLog
from scheduler.message import Claim
from scheduler.process.waking import WakingThread
from scheduler.store.claiming import Claiming

if TYPE_CHECKING:
    from scheduler.otel.tracing import Tracing

_AWAY_SECONDS = 0.25
"""Pause between two tries while Redis is away: its recovery is noticed within this time."""


class Dispatcher:
    """One per scheduler process; any number of processes, none leads."""

    def __init__(
        self,
        store: Claiming,
        workers: Workers,
        *,
        owner: str,
        batch_size: int,
        lock_seconds: float,
        poll_seconds: float,
        clock: Clock,
        redis_time: RedisTime,
        log: ServiceLog,
        outage: Outage | None = None,
        tracing: Tracing | None = None,
    ) -> None:
        """``outage``: reports a Redis that is away, once for all threads of a process; None: one of its own.
        ``tracing``: None where traces are not exported.
        """
        self._store = store
        self._workers = workers
        self._owner = owner
        self._batch_size = batch_size
        self._lock_ms = round(lock_seconds * 1000)
        self._poll = poll_seconds
        self._clock = clock
        self._redis_time = redis_time
        self._log = log
        self._thread = WakingThread("scheduler", self._step, clock)
        self._outage = outage or Outage(log, clock)
        self._tracing = tracing
        self._progress = clock.monotonic()
        self._turned = clock.monotonic()

    def wake(self) -> None:
        """End the sleep: a message may be due earlier than expected, or a lane can take more again."""
        self._thread.wake()

    def progress_age(self) -> float:
        """Return the seconds since a step last succeeded; ``/health`` judges by it."""
        return self._clock.monotonic() - self._progress

    def turn_age(self) -> float:
        """Return the seconds since a step last ended, well or not; a watchdog judges by it.

        Steps go on ending while Redis is away: a restart would not help.
        """
        return self._clock.monotonic() - self._turned

    def tick(self) -> float:
        """Claim once and hand the messages over; return the seconds to sleep until the next step."""
        lanes = self._workers.lanes
        wanted = lanes.wanted()
        if not wanted.budgets:
            self._progress = self._clock.monotonic()
            lanes.took(wanted, [])
            return 0.0 if lanes.again() else self._poll
        asked = self._clock.monotonic()
        try:
            claimed = self._store.claim(wanted, self._batch_size, self._lock_ms, self._owner)
        except StoreUnavailable as error:
            return self._redis_away(error)
        answered = self._clock.monotonic()
        longest = self._redis_away(claimed.error) if claimed.error else self._redis_answers()
        self._redis_time.synchronise(claimed.redis_ms)
        lanes.took(wanted, claimed.claims)
        claims = claimed.claims
        if claims and (answered - asked) * 1000 > self._lock_ms / 3:
            claims = self._still_held(claims)
        if claims:
            if self._tracing is not None:
                self._tracing.claimed(claims, answered - asked)
            self._workers.submit(claims)
        self._progress = self._clock.monotonic()
        if lanes.again():
            return 0.0
        if claimed.wait_ms is None:
            return longest
        # Counted from the question, and not from the answer: the next question takes as long to reach Redis as this one
        # did.  Counted from the answer, each message was late by the way of the answer too, 0.5 of 1.2 ms.
        since = self._clock.monotonic() - asked - claimed.asked_ms / 1000
        return min(longest, max(0.0, claimed.wait_ms / 1000 - since))

    def _still_held(self, claims: list[Claim]) -> list[Claim]:
        """Return the claims whose locks still hold, renewed for a whole life.

        Called when the answer of Redis took long: a lock that expired on the way may be another server's by now, and
        that server delivers the message.
        """
        try:
            lost = {claim.id for claim in self._store.renew(claims, self._lock_ms)}
        except StoreUnavailable as error:
            self._log.error(f"{len(claims)} claimed messages are left to expire: Redis answered late, and now {error}")
            return []
        return [claim for claim in claims if claim.id not in lost]

    def _redis_away(self, error: StoreUnavailable) -> float:
        """Report it; return the seconds until the next try."""
        self._outage.away("claim", error)
        return _AWAY_SECONDS

    def _redis_answers(self) -> float:
        """Return the longest sleep (seconds): the poll finds messages whose wake-up was lost on the way."""
        self._outage.over("claim")
        return self._poll

    # -- thread ----------------------------------------------------------------------------------------------------

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Claim nothing more.  Returns when the thread has ended."""
        self._thread.stop()

    def _step(self) -> float:
        try:
            seconds = self.tick()
        except Exception as error:  # noqa: BLE001 - a defect in one step must not end delivery; health shows it
            self._log.error(f"the scheduler's step failed: {error}", exception=error)
            seconds = self._poll
        self._turned = self._clock.monotonic()
        return seconds
