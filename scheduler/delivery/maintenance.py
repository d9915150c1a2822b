"""What keeps the store healthy beside delivery: renew, reap, forget, report.  Each is a ``tick()`` that a test can
call.
"""

from __future__ import annotations

import heapq
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Literal, Protocol

from scheduler.clock import Clock
from scheduler.delivery.in_flight import InFlight, RedisTime
from scheduler.errors import StoreUnavailable
from scheduler.logs.notices import Outage
from scheduler.logs.sinks import ServiceLog
from scheduler.store import Limits, MessageStore
from scheduler.telemetry.figures import Telemetry
from scheduler.telemetry.skew import ClockWatch

LIMIT = 1000
"""Messages per script call: about 5 ms of Redis's time."""

_FORGET_SERVERS_MS = 900_000
"""A process that has not reported for 15 minutes has left the last chart."""


class Task(Protocol):
    """A chore with its own rhythm."""

    name: str

    def tick(self) -> float:
        """Do it once.  Seconds until the next time."""


def renewal(
    task: Renewer, lock_seconds: float, clock: Clock, log: ServiceLog, outage: Outage | None = None
) -> Maintenance:
    """The thread that only renews: another chore that hangs on Redis must not cost every lock of this process."""
    return Maintenance([task], clock, log, "renewal", again_seconds=min(1.0, lock_seconds / 20), outage=outage)


def renewal_timeout(socket_timeout: float, lock_seconds: float) -> float:
    """How long a renewal may wait for Redis (seconds): one that hangs is followed by another before a lock expires."""
    return min(socket_timeout, lock_seconds / 4)


class Renewer:
    """Pushes the expiry of the locks in flight, at a third of their life: two renewals may fail before one expires."""

    name = "renew"

    def __init__(
        self, store: MessageStore, in_flight: InFlight, lock_seconds: float, log: ServiceLog, telemetry: Telemetry
    ) -> None:
        self._store = store
        self._in_flight = in_flight
        self._lock_seconds = lock_seconds
        self._log = log
        self._telemetry = telemetry
        self._refused: dict[str, str] = {}

    def tick(self) -> float:
        claims = self._in_flight.all()
        if claims:
            refused = self._store.renew(claims, round(self._lock_seconds * 1000))
            # A message whose settling is on its way looks lost to the script, and is not: it counts when it is refused
            # twice, a third of a lock's life apart.
            lost = [claim for claim in refused if claim.token == self._refused.get(claim.id)]
            self._refused = {claim.id: claim.token for claim in refused if self._in_flight.holds(claim)}
            self._in_flight.remove(lost)
            self._telemetry.count("scheduler_locks_lost", len(lost))
            for claim in lost:
                self._log.error(f"lock lost id={claim.id} channel={claim.channel} attempt={claim.attempt}")
        return self._lock_seconds / 3


class Reaper:
    """Returns messages whose lock expired.  Every server reaps for all.

    For a thread of its own: it waits for nodes of a cluster that hang, and finds out when they answer again.
    """

    name = "reap"

    def __init__(
        self,
        store: MessageStore,
        *,
        every: float,
        lock_seconds: float,
        clock: Clock,
        redis_time: RedisTime,
        log: ServiceLog,
        telemetry: Telemetry,
    ) -> None:
        self._store = store
        self._every = every
        self._lock_seconds = lock_seconds
        self._clock = clock
        self._redis_time = redis_time
        self._log = log
        self._telemetry = telemetry
        self._all = range(len(store.partitions))
        self._held: dict[int, float] = {}
        self._expected: float | None = None

    def tick(self) -> float:
        now = self._clock.monotonic()
        # The whole process was stopped, and perhaps the machine: the owners had no better time.
        if self._expected is not None and now - self._expected > self._lock_seconds / 3:
            self._hold(self._all, now)
        held = [partition for partition, until in self._held.items() if now < until]
        try:
            reaped = self._store.reap(LIMIT, self._not_after, held)
        except StoreUnavailable:
            self._hold(self._all, self._clock.monotonic())
            raise
        finally:
            # From its end: a node that hangs takes a time limit, and says nothing about the others.
            self._expected = self._clock.monotonic() + self._every
        self._hold(reaped.away, self._clock.monotonic())
        for where, n in (("scheduled", reaped.scheduled), ("dead", reaped.dead)):
            if n:
                self._telemetry.count("scheduler_reaped", n, to=where)
                self._log.error(f"reaped {n} messages of a server that stopped answering: now {where}")
        if reaped.error:
            raise reaped.error
        return 0.0 if reaped.scheduled + reaped.dead >= LIMIT else self._every

    def _hold(self, partitions: Iterable[int], now: float) -> None:
        """Reap nothing there for a lock's life.

        Locks expire while Redis is away, and their owners are alive all the same: they get the time to renew and to
        settle before anybody takes their messages.
        """
        self._held.update(dict.fromkeys(partitions, now + self._lock_seconds))

    def _not_after(self) -> int | None:
        """The moment from which a reap must not be carried out any more, by Redis's clock.

        Redis may hold a call up and carry it out in the end (CLIENT PAUSE, a slow disk, a machine that swaps), or step
        its clock: then the owners' renewals were held up too.  They have more than a third of a lock's life to spare.
        """
        if not self._redis_time.known:
            return None
        return round(self._redis_time.now_ms() + self._lock_seconds * 1000 / 3)


class Retention:
    """Forgets finished messages beyond the limits."""

    name = "trim"

    def __init__(
        self,
        store: MessageStore,
        limits: Mapping[Literal["done", "dead"], Limits],
        *,
        every: float,
        finished: Callable[[], int],
        telemetry: Telemetry,
    ) -> None:
        """``finished``: how many messages ended in this process so far."""
        self._store = store
        self._limits = limits
        self._every = every
        self._finished = finished
        self._telemetry = telemetry
        self._seen = -1
        self._quiet = 0

    def tick(self) -> float:
        finished = self._finished()
        # With nothing new to forget only age and what other servers finished are left: that can wait 30 times as long,
        # and an idle service stays below five commands a second.
        if finished == self._seen and self._quiet < 30:
            self._quiet += 1
            return self._every
        full = False
        for which, limits in self._limits.items():
            forgotten = self._store.trim(which, limits, LIMIT)
            full = full or forgotten >= LIMIT
            if forgotten:
                self._telemetry.count("scheduler_trimmed", forgotten, set=which)
        # Only now: a call that failed is tried again, and does not count as done for the next 30 times.
        self._seen, self._quiet = (-1 if full else finished), 0
        return 0.0 if full else self._every


class Heartbeat:
    """Reports that this process is alive, and its figures."""

    name = "beat"

    def __init__(
        self,
        store: MessageStore,
        process: str,
        telemetry: Telemetry,
        describe: Callable[[], Mapping[str, Any]],
        *,
        every: float,
        clock: Clock,
        log: ServiceLog,
        redis_time: RedisTime | None = None,
    ) -> None:
        """``describe``: what else to report, asked for at every beat.  ``redis_time`` is told the time each time."""
        self._store = store
        self._process = process
        self._telemetry = telemetry
        self._describe = describe
        self._every = every
        self._clock = clock
        self._redis_time = redis_time
        self._clocks = ClockWatch(clock, telemetry, log)
        self._reported = -1
        self._cleaned = clock.monotonic()

    def tick(self) -> float:
        history = self._telemetry.history()
        newest = history[-1][0] if history else 0
        changed = newest != self._reported
        report = self._report()
        asked_at = self._clock.monotonic()
        redis_ms = self._store.beat(self._process, report, history if changed else None)
        if self._redis_time is not None:
            self._redis_time.heard(redis_ms)
        self._clocks.heard(redis_ms, asked_at)
        self._reported = newest
        if self._clock.monotonic() - self._cleaned >= 60:
            self._cleaned = self._clock.monotonic()
            self._store.forget_servers(_FORGET_SERVERS_MS)
        return self._every

    def _report(self) -> dict[str, Any]:
        report = {**self._telemetry.snapshot(), **self._describe()}
        if (skew_ms := self._clocks.skew_ms) is not None:
            report["clock_skew_ms"] = round(skew_ms)
            report["gauges"] = {**report.get("gauges", {}), "scheduler_clock_skew_seconds": round(skew_ms / 1000, 3)}
        return report


class Maintenance:
    """One thread for all chores: the one that is due first runs first.  None when there are none."""

    def __init__(
        self,
        tasks: Sequence[Task],
        clock: Clock,
        log: ServiceLog,
        name: str = "maintenance",
        *,
        again_seconds: float = 1.0,
        outage: Outage | None = None,
    ) -> None:
        """``name``: of the thread.  ``again_seconds``: how long after a failure a chore is tried again.
        ``outage``: what all threads of a process share; None for one of its own.
        """
        self._tasks = tasks
        self._clock = clock
        self._log = log
        self._name = name
        self._again_seconds = again_seconds
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None
        self._outage = outage or Outage(log, clock)

    def start(self) -> None:
        if self._tasks:
            self._thread = threading.Thread(target=self._loop, name=self._name, daemon=True)
            self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        if self._thread is not None:
            self._thread.join()

    def run(self, task: Task) -> float:
        """One step of one chore.  Seconds until its next one; one that failed is tried again soon."""
        try:
            seconds = task.tick()
        except StoreUnavailable as error:
            self._outage.away(task.name, error)
            return self._again_seconds
        except Exception as error:  # noqa: BLE001 - a defect in one chore must not end the others
            self._log.error(f"{task.name} failed: {error}", exception=error)
            return self._again_seconds
        self._outage.over(task.name)
        return seconds

    def _loop(self) -> None:
        agenda = [(self._clock.monotonic(), i) for i in range(len(self._tasks))]
        while not self._stopping.is_set():
            when, i = heapq.heappop(agenda)
            wait = when - self._clock.monotonic()
            if wait > 0 and self._clock.wait(self._stopping, wait):
                return
            seconds = self.run(self._tasks[i])
            heapq.heappush(agenda, (self._clock.monotonic() + seconds, i))
