"""Write outcomes to the store in bulk: the thread that has the turn (store/batching.py) settles all that wait.

A thread that reports never waits for a Redis that is away; a thread of the settler's own tries again.  The thread that
stops the service reports too, and a stop that waited for Redis would never end.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

from scheduler.clock import Clock
from scheduler.errors import StoreUnavailable
from scheduler.logs.notices import Outage
from scheduler.logs.sinks import ServiceLog
from scheduler.message import Outcome
from scheduler.store.batching import Batching
from scheduler.store.claiming import Claiming
from scheduler.telemetry.figures import Telemetry

GROUP = 500
"""Outcomes per script call: about 5 ms of Redis's time."""

_BACKOFF = (0.05, 0.1, 0.25, 0.5, 1.0)
"""Seconds between tries while Redis is away; the last one repeats."""


class Settler:
    """Takes outcomes from any thread.  Thread-safe."""

    def __init__(
        self,
        store: Claiming,
        clock: Clock,
        log: ServiceLog,
        telemetry: Telemetry,
        settled: Callable[[Sequence[Outcome]], None],
        *,
        waits: Callable[[Sequence[Outcome]], None],
        outage: Outage | None = None,
    ) -> None:
        """``settled`` is called with every group that was written, whether or not its locks still held; ``waits`` with
        outcomes that wait for a Redis that is away: nothing else waits for them.
        ``outage``: reports a Redis that is away, once for all threads of a process; None: one of its own.
        """
        self._store = store
        self._clock = clock
        self._log = log
        self._telemetry = telemetry
        self._settled = settled
        self._waits = waits
        self._outage = outage or Outage(log, clock)
        self._batching: Batching[Outcome] = Batching(GROUP)
        self._trying_on = False
        """Whether the thread that has the turn waits before it tries again."""
        self._give_up = threading.Event()

    def add(self, outcomes: Sequence[Outcome]) -> None:
        """Take outcomes; return when they are settled, or when another thread will settle them."""
        if not self._batching.add(outcomes):
            if self._trying_on:
                self._waits(outcomes)
            return
        if left := self._settle_waiting():
            # Daemon: it may wait for Redis when the process ends.
            threading.Thread(target=self._try_on, args=(left,), name="settler", daemon=True).start()

    def close(self) -> None:
        """Stop waiting for a Redis that is away.  Messages that are not settled are reaped when their lock expires."""
        self._give_up.set()

    def _try_on(self, left: list[Outcome]) -> None:
        tries = 0
        while left:
            tries += 1
            self._trying_on = True
            self._later(left, _BACKOFF[min(tries, len(_BACKOFF)) - 1])
            # Before the turn may be over: another thread may have it then, and fail too.
            self._trying_on = False
            left = self._settle_waiting()

    def _settle_waiting(self) -> list[Outcome]:
        """Settle everything that waits; return the outcomes of the first group that could not all be settled.

        An empty list ends the turn: the next ``add`` settles again.  Otherwise this thread keeps the turn.
        """
        try:
            while group := self._batching.take():
                if left := self._settle(group):
                    return left
        except BaseException:
            self._batching.drop_turn()
            raise
        return []

    def _settle(self, group: Sequence[Outcome]) -> list[Outcome]:
        """Settle what can be settled; return the outcomes whose partition does not answer.

        Partition by partition: messages of the others must not wait for a node of a cluster that is away.
        """
        partitions: dict[int, list[Outcome]] = {}
        for outcome in group:
            partitions.setdefault(outcome.claim.partition, []).append(outcome)
        left: list[Outcome] = []
        for part in partitions.values():
            try:
                held = self._store.settle(part)
                lost = [outcome for outcome, ok in zip(part, held, strict=True) if not ok]
            except StoreUnavailable as error:
                self._outage.away("settle", error)
                self._waits(part)
                left += part
                continue
            except Exception as error:  # noqa: BLE001 - a defect must not end settling for good; the locks expire
                self._log.error(f"{len(part)} outcomes could not be settled: {error}", exception=error)
                lost = []
            if lost:
                self._report_lost(lost)
            self._settled(part)
        if not left:
            self._outage.over("settle")
        return left

    def _later(self, left: list[Outcome], seconds: float) -> None:
        """Wait, and put them back to those that came meanwhile; at the end of a stop, give them up.

        They are kept even when their locks have expired: the token is valid until a reaper takes the message, and
        reapers wait a lock's life after an outage.
        """
        if self._clock.wait(self._give_up, seconds):
            self._log.error(f"{len(left)} outcomes not settled: their messages run again, with a higher attempt")
            self._settled(left)
            return
        self._batching.put_back(left)

    def _report_lost(self, lost: Sequence[Outcome]) -> None:
        self._telemetry.count("scheduler_locks_lost", len(lost))
        for outcome in lost:
            c = outcome.claim
            self._log.error(
                f"lock lost id={c.id} channel={c.channel} attempt={c.attempt}: "
                f"its outcome ({outcome.kind}) was not recorded"
            )
