"""Delete finished messages beyond the limits of retention."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Literal

from scheduler.store import Limits
from scheduler.store.claiming import Claiming
from scheduler.telemetry.figures import Telemetry

LIMIT = 1000
"""Messages per script call: about 5 ms of Redis's time."""


class Retention:
    """A ``scheduler.delivery.maintenance.Task``."""

    name = "trim"

    def __init__(
        self,
        store: Claiming,
        limits: Mapping[Literal["done", "dead"], Limits],
        *,
        every: float,
        finished: Callable[[], int],
        telemetry: Telemetry,
    ) -> None:
        """``finished`` returns a number that changes when messages have ended in this process, or were archived by it:
        what the history does not have yet is not deleted.
        """
        self._store = store
        self._limits = limits
        self._every = every
        self._finished = finished
        self._telemetry = telemetry
        self._seen = -1
        self._quiet = 0

    def tick(self) -> float:
        finished = self._finished()
        # When nothing ended here, only messages that grew too old or ended on other servers are left to delete.  That
        # can wait 30 times as long, and an idle service stays below five commands a second.
        if finished == self._seen and self._quiet < 30:
            self._quiet += 1
            return self._every
        full = False
        for which, limits in self._limits.items():
            deleted = self._store.trim(which, limits, LIMIT)
            full = full or deleted >= LIMIT
            if deleted:
                self._telemetry.count("scheduler_trimmed", deleted, set=which)
        # Noted only after the calls: one that failed is tried again at the next turn, not after 30 of them.
        self._seen, self._quiet = (-1 if full else finished), 0
        return 0.0 if full else self._every
