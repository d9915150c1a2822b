"""Reaping: a message whose lock expired (its server stopped answering) goes back to ``scheduled`` or to ``dead``."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from scheduler.clock import Clock, RedisTime
from scheduler.errors import StoreUnavailable
from scheduler.logs.sinks import ServiceLog
from scheduler.store.claiming import Claiming
from scheduler.telemetry.figures import Telemetry

LIMIT = 1000
"""Messages per script call: about 5 ms of Redis's time."""


class Reaper:
    """Takes back messages whose lock expired.  Every server reaps for all.

    It needs a thread of its own: it waits for nodes of a cluster that hang, and finds out when they answer again.
    """

    name = "reap"

    def __init__(
        self,
        store: Claiming,
        *,
        every: float,
        lock_seconds: float,
        clock: Clock,
        redis_time: RedisTime,
        log: ServiceLog,
        telemetry: Telemetry,
        plan: Callable[[], None] = lambda: None,
    ) -> None:
        """``plan``: called when a schedule should have been planned a second ago."""
        self._store = store
        self._every = every
        self._lock_seconds = lock_seconds
        self._clock = clock
        self._redis_time = redis_time
        self._log = log
        self._telemetry = telemetry
        self._plan = plan
        self._all = range(len(store.partitions))
        self._held: dict[int, float] = {}
        self._expected: float | None = None

    def tick(self) -> float:
        now = self._clock.monotonic()
        # This turn came far too late: the process, or the whole machine, stood still.  Then the owners of locks may
        # have stood still too, and get time to renew.
        if self._expected is not None and now - self._expected > self._lock_seconds / 3:
            self._hold(self._all, now)
        held = [partition for partition, until in self._held.items() if now < until]
        try:
            reaped = self._store.reap(LIMIT, self._not_after, held)
        except StoreUnavailable:
            self._hold(self._all, self._clock.monotonic())
            raise
        finally:
            # Counted from the end of the call: a node that hangs uses up a time limit, and that is no standstill.
            self._expected = self._clock.monotonic() + self._every
        self._hold(reaped.away, self._clock.monotonic())
        if reaped.overdue:
            self._plan()
        for where, n in (("scheduled", reaped.scheduled), ("dead", reaped.dead)):
            if n:
                self._telemetry.count("scheduler_reaped", n, to=where)
                self._log.error(f"reaped {n} messages of a server that stopped answering: now {where}")
        if reaped.error:
            raise reaped.error
        return 0.0 if reaped.scheduled + reaped.dead >= LIMIT else self._every

    def _hold(self, partitions: Iterable[int], now: float) -> None:
        """Reap nothing in these partitions for a lock's life.

        Locks expire while Redis is away although their owners are alive.  The owners get that time to renew and to
        settle before a reaper takes their messages.
        """
        self._held.update(dict.fromkeys(partitions, now + self._lock_seconds))

    def _not_after(self) -> int | None:
        """Return the moment (Redis's clock, ms) after which the script must not reap; None: it is not known yet.

        Redis may hold a call up and carry it out late (CLIENT PAUSE, a slow disk, a machine that swaps), or its clock
        may step.  The owners' renewals were held up as well then.  Owners renew with more than a third of a lock's
        life to spare, so a reap that is later than that would take messages of living owners.
        """
        if not self._redis_time.known:
            return None
        return round(self._redis_time.now_ms() + self._lock_seconds * 1000 / 3)
