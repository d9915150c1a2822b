"""The planner: when the moment of a schedule has come, it stores the message of the next one.  A thread per server.

The message of a moment stands in its lane ahead of time, so that it is as exact as any other.  Any number of servers
plan, and none leads: all of them compute the same next moment, and the script lets the first one do it.
"""

from __future__ import annotations

from collections.abc import Callable

from scheduler.clock import Clock
from scheduler.errors import StoreUnavailable
from scheduler.logs.notices import Outage, Seldom
from scheduler.logs.sinks import ServiceLog
from scheduler.process.waking import WakingThread
from scheduler.schedule import GRACE_MS, DuePlan, Planned
from scheduler.store.scheduling import Scheduling
from scheduler.telemetry.figures import Telemetry

BATCH = 50
"""Schedules per script call: about 1 ms of Redis's time, in which no message is claimed.  Beside 10,000 schedules of
one second, the p99 of the lateness of urgent messages is 8 ms with it, and 10 with 100.
"""
POLL_SECONDS = 15.0
"""The longest sleep.  When a wake-up was lost on the way, a reaper finds within seconds that a schedule is overdue."""
SHORT_POLL_SECONDS = GRACE_MS / 2000
"""The longest sleep where reapers search so seldom that its runs would count as missed by then."""
GENTLE_BATCH = 20
"""The same while messages are being delivered, which wait for as long as a batch takes."""
GENTLE_MS = 1000
"""For how long after their moment schedules are planned gently at most: as long as 10,000 runs take to be delivered."""
SOON_MS = 500
"""A next moment that is nearer than this ends gentleness: it needs its message soon."""
NEAR_MS = 10_000
"""A next moment that is farther away can wait for a flood to be delivered."""
PATIENT_SECONDS = 0.2
"""The pause behind a gentle batch of such ones.  With 0.03 s the p99 of urgent messages beside 10,000 schedules of one
second was 1.5 times what it is beside plain messages.
"""
POLITE = 9.0
"""The pause behind another gentle batch, in times of what the batch took."""
BEHIND_SECONDS = 0.02
"""How long after a moment it is planned: first the messages of that moment are claimed, and the next ones have time."""
_AWAY_SECONDS = 0.25


class Planner:
    """One per scheduler process."""

    def __init__(
        self,
        store: Scheduling,
        *,
        clock: Clock,
        log: ServiceLog,
        telemetry: Telemetry,
        busy: Callable[[], bool] = lambda: False,
        outage: Outage | None = None,
        reap_seconds: float = 1.0,
    ) -> None:
        """``busy``: whether messages are being delivered here.  ``outage``: what all threads of a process share; None
        for one of its own.  ``reap_seconds``: between two searches of the reaper, which wakes the planner when a
        schedule is overdue by a second.
        """
        self._store = store
        self._clock = clock
        self._log = log
        self._telemetry = telemetry
        self._busy = busy
        self._hurry = False
        """Whether the last batch was late, or made messages that are due soon."""
        self._outage = outage or Outage(log, clock)
        self._seldom = Seldom(log, clock)
        self._longest = POLL_SECONDS if 1.0 + reap_seconds <= SHORT_POLL_SECONDS else SHORT_POLL_SECONDS
        self._stuck = [0] * len(store.partitions)
        """Due schedules that could not be computed.  They stay first, so the next batch is read behind them; from the
        first one on again when none is left.
        """
        self._thread = WakingThread("planner", self._step, clock)

    def wake(self) -> None:
        """A schedule may have to be planned earlier than expected."""
        self._thread.wake()

    def tick(self) -> float:
        """Plan what is due once in each partition, a batch at most.  Seconds to sleep until the next time."""
        longest, error = self._longest, None
        for partition in range(len(self._store.partitions)):
            try:
                longest = min(longest, self._plan(partition))
            except StoreUnavailable as away:
                error = away
        if error is not None:
            self._outage.away("plan", error)
            return min(longest, _AWAY_SECONDS)
        self._outage.over("plan")
        return longest

    def _plan(self, partition: int) -> float:
        began = self._clock.monotonic()
        gentle = self._busy() and not self._hurry
        limit = GENTLE_BATCH if gentle else BATCH
        found = self._store.due_plans(partition, limit, self._stuck[partition])
        planned = [one for due in found.plans if (one := self._decided(due, found.redis_ms)) is not None]
        self._hurry = any(_is_urgent(one, found.redis_ms) for one in planned)
        self._stuck[partition] += len(found.plans) - len(planned)
        if planned:
            done = self._store.move_on(partition, planned)
            self._tell([one for one, mine in zip(planned, done, strict=True) if mine])
        if found.wait_ms == 0.0:
            # Between two batches, Redis and this process serve messages that are due.
            took = self._clock.monotonic() - began
            if not gentle:
                return took
            return POLITE * took if any(_is_near(one, found.redis_ms, NEAR_MS) for one in planned) else PATIENT_SECONDS
        self._stuck[partition] = 0
        if found.wait_ms is None:
            return POLL_SECONDS
        return min(found.wait_ms / 1000 + BEHIND_SECONDS, POLL_SECONDS)

    def _decided(self, due: DuePlan, now_ms: int) -> Planned | None:
        try:
            return Planned.of(due, now_ms)
        except Exception as error:  # noqa: BLE001 - one schedule that cannot be computed must not end all others
            self._telemetry.count("scheduler_schedule_faults")
            self._seldom.error(f"the next moment of schedule {due.id} cannot be computed: {error}", exception=error)
            return None

    def _tell(self, planned: list[Planned]) -> None:
        for one in planned:
            made = (one.due.missed != "1") + len(one.made_up)
            caught = sum(run.origin == "catch_up" for run in one.made_up)
            self._telemetry.count("scheduler_schedule_runs", made, outcome="made")
            if one.due.missed:
                self._telemetry.count("scheduler_schedule_runs", caught, outcome="caught_up")
                self._log.warning(
                    f"schedule {one.due.id} was not planned in time: {caught} runs are made up for, "
                    f"{one.given_up} are given up"
                )

    # -- thread ----------------------------------------------------------------------------------------------------

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Plan nothing more.  Returns when the thread has ended."""
        self._thread.stop()

    def _step(self) -> float:
        try:
            return self.tick()
        except Exception as error:  # noqa: BLE001 - a defect in one step must not end planning
            self._log.error(f"a step of the planner failed: {error}", exception=error)
            return POLL_SECONDS


def _is_urgent(planned: Planned, now_ms: int) -> bool:
    return now_ms - planned.due.next_run > GENTLE_MS or _is_near(planned, now_ms, SOON_MS)


def _is_near(planned: Planned, now_ms: int, within_ms: int) -> bool:
    return planned.following is not None and planned.following.moment - now_ms < within_ms
