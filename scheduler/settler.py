"""Outcomes to the store, in bulk: whoever reports while nobody settles does it for all that have piled up meanwhile.

One round trip per group and not per message, without a timer: a lone message is settled at once, a flood in groups as
large as the flood.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

from scheduler.clock import Clock
from scheduler.errors import StoreUnavailable
from scheduler.logs import ServiceLog
from scheduler.message import Outcome
from scheduler.store import MessageStore
from scheduler.telemetry import Telemetry

GROUP = 500
"""Outcomes per script call: about 5 ms of Redis's time."""

_BACKOFF = (0.05, 0.1, 0.25, 0.5, 1.0)
"""Seconds between tries while Redis is away; the last one repeats."""


class Settler:
    """Thread-safe."""

    def __init__(
        self,
        store: MessageStore,
        clock: Clock,
        log: ServiceLog,
        telemetry: Telemetry,
        settled: Callable[[Sequence[Outcome]], None],
    ) -> None:
        """``settled`` is called with every group that is through, whether or not its locks still held."""
        self._store = store
        self._clock = clock
        self._log = log
        self._telemetry = telemetry
        self._settled = settled
        self._lock = threading.Lock()
        self._waiting: list[Outcome] = []
        self._busy = False
        self._give_up = threading.Event()

    def add(self, outcomes: Sequence[Outcome]) -> None:
        """Take outcomes; returns when they are settled, or when another thread has them in hand."""
        with self._lock:
            self._waiting += outcomes
            if self._busy:
                return
            self._busy = True
        while group := self._next_group():
            self._settle(group)

    def close(self) -> None:
        """Stop waiting for a Redis that is away: what is not settled stays locked, and is reaped when the lock
        expires.
        """
        self._give_up.set()

    def _next_group(self) -> list[Outcome]:
        with self._lock:
            group, self._waiting = self._waiting[:GROUP], self._waiting[GROUP:]
            self._busy = bool(group)
            return group

    def _settle(self, group: list[Outcome]) -> None:
        tries = 0
        while True:
            try:
                held = self._store.settle(group)
                break
            except StoreUnavailable as error:
                # Not given up when the locks' time is over: as long as nobody reaped them the token is still good, and
                # who asks first after an outage, the owner or a reaper, decides.  The reapers wait a lock's life.
                if tries == 0:
                    self._log.error(f"{len(group)} outcomes cannot be settled yet, trying on: {error}")
                if self._clock.wait(self._give_up, _BACKOFF[min(tries, len(_BACKOFF) - 1)]):
                    self._log.error(
                        f"{len(group)} outcomes not settled: their messages run again, with a higher attempt"
                    )
                    held = [True] * len(group)
                    break
                tries += 1
            except Exception as error:  # noqa: BLE001 - a defect must not end settling for good; the locks expire
                self._log.error(f"{len(group)} outcomes could not be settled: {error}", exception=error)
                held = [True] * len(group)
                break
        lost = [outcome for outcome, ok in zip(group, held, strict=True) if not ok]
        if lost:
            self._report_lost(lost)
        self._settled(group)

    def _report_lost(self, lost: Sequence[Outcome]) -> None:
        self._telemetry.count("scheduler_locks_lost", len(lost))
        for outcome in lost:
            c = outcome.claim
            self._log.error(
                f"lock lost id={c.id} channel={c.channel} attempt={c.attempt}: "
                f"its outcome ({outcome.kind}) was not recorded"
            )
