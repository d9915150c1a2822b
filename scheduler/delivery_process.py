"""What runs in a scheduler process: the threads that deliver, plan and look after both, started and stopped in order.

``runtime.py`` opens Redis, builds the channels and hands them over.
"""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal

from scheduler import __version__
from scheduler.channels.base import Channel
from scheduler.clock import Clock, RedisTime
from scheduler.config.reading import Settings
from scheduler.delivery.dispatcher import Dispatcher
from scheduler.delivery.heartbeat import Heartbeat
from scheduler.delivery.held_back import HeldBack
from scheduler.delivery.in_flight import InFlight
from scheduler.delivery.maintenance import Maintenance, Task
from scheduler.delivery.reaping import Reaper
from scheduler.delivery.redis_memory import MemoryWatch
from scheduler.delivery.renewal import Renewer, renewal
from scheduler.delivery.retention import Retention
from scheduler.delivery.served import ServedWatch
from scheduler.delivery.workers import Workers
from scheduler.errors import StoreUnavailable
from scheduler.events import EventServer
from scheduler.history.keeper import Keeper, keeper_of
from scheduler.jobs import REGISTRY
from scheduler.logs.notices import Outage
from scheduler.logs.sinks import ServiceLog
from scheduler.redis_server.sentinels import watches_of
from scheduler.schedules.planner import Planner
from scheduler.store import Limits, MessageStore
from scheduler.store.wake import WakeListener
from scheduler.telemetry.figures import Telemetry
from scheduler.telemetry.server import FiguresServer

if TYPE_CHECKING:
    from scheduler.otel.pipeline import Pipeline

_TURN_MARGIN_SECONDS = 10.0
"""A step of the scheduler thread hangs when it takes longer than its sleep and its calls of Redis by this much."""


class DeliveryProcess:
    """The threads of one scheduler process."""

    def __init__(
        self,
        settings: Settings,
        server: str,
        store: MessageStore,
        renewal_store: MessageStore,
        channels: Mapping[str, Channel],
        *,
        redis_time: RedisTime,
        in_flight: InFlight,
        clock: Clock,
        log: ServiceLog,
        pipeline: Pipeline | None = None,
    ) -> None:
        """``renewal_store``: the store over connections of their own, closed at the end.  ``redis_time`` and
        ``in_flight``: shared with the channels.  ``pipeline``: None where nothing is exported.
        """
        plan = settings.scheduler
        self._settings = settings
        self._server = server
        self._clock = clock
        self._log = log
        self._store = store
        self._redis_time = redis_time
        self._renewal_store = renewal_store
        self._pipeline = pipeline
        self._grace = plan.grace_seconds
        self._longest_turn = plan.poll_seconds + 2 * settings.redis.socket_timeout_seconds + _TURN_MARGIN_SECONDS
        self._process = f"{server}/scheduler"
        self._started_at = clock.now_ms()
        self._stopping = False
        self._telemetry = telemetry = Telemetry(clock, redis_time.now_ms)
        telemetry.start_at_zero(channels, "scheduler")
        self._held_back = HeldBack(telemetry, clock, log)
        self._outage = outage = Outage(log, clock)
        self.workers = self._new_workers(channels, in_flight)
        self.dispatcher = self._new_dispatcher()
        renewer = Renewer(renewal_store, in_flight, plan.lock_seconds, log, telemetry)
        self._renewal = renewal(renewer, plan.lock_seconds, clock, log, outage)
        self.planner = Planner(
            store,
            clock=clock,
            log=log,
            telemetry=telemetry,
            busy=lambda: len(self.workers.in_flight) > 0,
            outage=outage,
            reap_seconds=plan.reap_seconds,
        )
        self._reaping = Maintenance([self._new_reaper()], clock, log, name="reaper", outage=outage)
        heartbeat = Heartbeat(
            store, self._process, telemetry, self.describe, every=plan.heartbeat_seconds, clock=clock, log=log
        )
        self._report = heartbeat.report
        self._figures = None
        if settings.metrics.port:
            self._figures = FiguresServer(settings, self._process, heartbeat.report, self.fault)
        served = ServedWatch(store, log, heartbeat_seconds=plan.heartbeat_seconds, instead=self._instead)
        tasks: list[Task] = [self._new_retention(), heartbeat, self._held_back, MemoryWatch(store, log), served]
        self.maintenance = Maintenance(tasks, clock, log, outage=outage)
        self._keeper = self._new_keeper()
        watches = [watch for each in (store, renewal_store) for watch in watches_of(each.client)]
        self._watch = Maintenance(watches, clock, log, name="sentinels", outage=outage)
        self._wake = WakeListener(store.client, self.dispatcher.wake, clock, log, self.planner.wake)
        self._events: EventServer | None = None
        if settings.events.enabled:
            self._events = EventServer(settings, store.client, server=server, clock=clock, log=log)

    # -- its parts -------------------------------------------------------------------------------------------------

    def _new_workers(self, channels: Mapping[str, Channel], in_flight: InFlight) -> Workers:
        return Workers(
            self._store,
            channels,
            threads=self._settings.scheduler.workers,
            job_threads=self._settings.jobs.workers,
            serves=self._settings.scheduler.served,
            batch_size=self._settings.scheduler.batch_size,
            release_seconds=self._settings.redis.socket_timeout_seconds,
            retry=self._settings.retry.policy(),
            clock=self._clock,
            log=self._log,
            telemetry=self._telemetry,
            freed=self._freed,
            in_flight=in_flight,
            outage=self._outage,
            tracing=self._pipeline.tracing if self._pipeline else None,
        )

    def _new_dispatcher(self) -> Dispatcher:
        plan = self._settings.scheduler
        return Dispatcher(
            self._store,
            self.workers,
            owner=self._server,
            batch_size=plan.batch_size,
            lock_seconds=plan.lock_seconds,
            poll_seconds=plan.poll_seconds,
            clock=self._clock,
            redis_time=self._redis_time,
            log=self._log,
            outage=self._outage,
            tracing=self._pipeline.tracing if self._pipeline else None,
        )

    def _new_reaper(self) -> Reaper:
        return Reaper(
            self._store,
            every=self._settings.scheduler.reap_seconds,
            lock_seconds=self._settings.scheduler.lock_seconds,
            clock=self._clock,
            redis_time=self._redis_time,
            log=self._log,
            telemetry=self._telemetry,
            plan=self.planner.wake,
        )

    def _new_retention(self) -> Retention:
        return Retention(
            self._store,
            _limits(self._settings),
            every=self._settings.retention.trim_seconds,
            finished=lambda: self.workers.finished + (self._keeper.taken if self._keeper else 0),
            telemetry=self._telemetry,
        )

    def _new_keeper(self) -> Keeper | None:
        return keeper_of(
            self._settings,
            self._store,
            owner=self._process,
            finished=lambda: self.workers.finished,
            busy=lambda: len(self.workers.in_flight) > 0,
            now_ms=self._redis_time.now_ms,
            clock=self._clock,
            log=self._log,
            telemetry=self._telemetry,
        )

    def _instead(self, lane: str) -> str | None:
        """The lane of ``Jobs.Fallback``, for a job type that has no handler here."""
        channel, _, type = lane.partition(":")
        found = REGISTRY.lane_of(type) if channel == "job" else None
        return found if found in self.workers.lanes.names else None

    def _freed(self) -> None:
        # Without messages that waited for this there is nothing to claim: each lone message would cost a second claim.
        if self.workers.lanes.again():
            self.dispatcher.wake()

    # -- start and stop --------------------------------------------------------------------------------------------

    def start(self) -> None:
        self.workers.start()
        self._wake.start()
        self._renewal.start()
        if self._events:
            self._events.start()
        # Behind the events: the first beat, at once, tells other servers where they are; the next one is a while away.
        self.maintenance.start()
        self._reaping.start()
        if self._keeper:
            self._keeper.start()
        self._watch.start()
        self.planner.start()
        self.dispatcher.start()
        if self._figures:
            self._figures.start()
        if self._pipeline:
            self._pipeline.export_metrics(self._report)

    def stop_claiming(self) -> None:
        self._stopping = True
        if self._events:
            self._events.stop()
        self.planner.stop()
        self.dispatcher.stop()
        self._wake.stop()

    def finish(self) -> None:
        self.workers.stop(self._grace)

    def stop_maintenance(self) -> None:
        self._renewal.stop()
        self.maintenance.stop()
        self._reaping.stop()
        self._held_back.tick()  # what the stop gave back
        self._watch.stop()
        if self._keeper:
            self._keeper.stop()
        if self._figures:
            self._figures.stop()
        try:
            self._store.leave(self._process)
        except StoreUnavailable as error:
            self._log.error(f"could not sign off: {error}")
        self._renewal_store.close()

    # -- what it says of itself ------------------------------------------------------------------------------------

    def works(self) -> bool:
        """Whether the scheduler thread turns, and no delivery hangs that should have ended long ago."""
        return self.fault() is None

    def fault(self) -> str | None:
        """Return in words why it does not work; None while it does."""
        age = self.dispatcher.turn_age()
        if age >= self._longest_turn:
            return f"the scheduler thread has stood still for {age:.0f} s"
        hang = self.workers.deliveries.hang()
        return str(hang) if hang is not None else None

    def describe(self) -> Mapping[str, Any]:
        """What this process reports beside its figures."""
        hang = self.workers.deliveries.hang()
        # That there is no room for more is no progress when what is at work hangs.
        age = max(self.dispatcher.progress_age(), hang.seconds if hang else 0.0)
        return {
            "role": "scheduler",
            "version": __version__,
            "pid": os.getpid(),
            "host": platform.node(),
            "started_at": self._started_at,
            "in_flight": len(self.workers.in_flight),
            "lanes": self.workers.lanes.names,
            "progress_age_ms": round(age * 1000),
            "stopping": self._stopping,
            "failure": self.workers.failure(),
            "log_lines_lost": self._log.lost,
            "working": self.workers.deliveries.working(),
            "events_port": self._events.port if self._events else None,
            "gauges": {
                "scheduler_event_viewers": self._events.viewers if self._events else 0,
                "scheduler_in_flight": len(self.workers.in_flight),
                "scheduler_log_lines_lost": self._log.lost,
                **(self._keeper.gauges() if self._keeper else {}),
            },
        }


def _limits(settings: Settings) -> dict[Literal["done", "dead"], Limits]:
    kept = settings.retention
    return {
        "done": Limits(kept.max_count, round(kept.max_age_seconds * 1000), kept.max_bytes),
        "dead": Limits(kept.dead_max_count, round(kept.dead_max_age_seconds * 1000), kept.dead_max_bytes),
    }
