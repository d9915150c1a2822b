"""Builds the scheduler side of a server, and offers the steps of its stop; service.py shows their order.

Usable as a library: ``Runtime(settings, logger=…)`` delivers from your own process, and prints with your logger.
"""

from __future__ import annotations

import math
import os
import platform
import socket
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from scheduler import __version__
from scheduler.channels.base import Channel, Surroundings
from scheduler.channels.registry import CHANNELS
from scheduler.clock import Clock, RedisTime, SystemClock
from scheduler.config.connection_string import parse
from scheduler.config.reading import Settings, secrets_of
from scheduler.delivery.dispatcher import Dispatcher
from scheduler.delivery.heartbeat import Heartbeat
from scheduler.delivery.held_back import HeldBack
from scheduler.delivery.in_flight import InFlight
from scheduler.delivery.maintenance import Maintenance
from scheduler.delivery.reaping import Reaper
from scheduler.delivery.redis_memory import MemoryWatch
from scheduler.delivery.renewal import Renewer, renewal, renewal_timeout
from scheduler.delivery.retention import Retention
from scheduler.delivery.served import ServedWatch
from scheduler.delivery.workers import Workers
from scheduler.errors import RedisAway, StartCancelled, StoreUnavailable
from scheduler.events import EventServer
from scheduler.history.keeper import keeper_of
from scheduler.jobs import REGISTRY, load
from scheduler.logs.notices import Outage
from scheduler.logs.outlet import ConsoleWriter
from scheduler.logs.sinks import Logger, ServiceLog, ServiceLogger, adapt
from scheduler.message import Claim
from scheduler.redis_server.connections import ServerReport, check_server, connect
from scheduler.redis_server.private import EmbeddedRedis
from scheduler.redis_server.sentinels import watches_of
from scheduler.schedules.planner import Planner
from scheduler.store import Limits, MessageStore, store_for
from scheduler.store.rights import check_rights
from scheduler.store.wake import WakeListener
from scheduler.telemetry.figures import Telemetry

_TRY_AGAIN_SECONDS = 1.0
"""Between two tries to reach a Redis that is away at the start."""
_REMIND_SECONDS = 60.0
_TURN_MARGIN_SECONDS = 10.0
"""A step of the scheduler thread that takes so much longer than its sleep and its calls of Redis hangs."""


class Runtime:
    """One server's scheduler process: Redis, scheduler thread, workers, maintenance.  Nothing starts before
    ``start``.
    """

    redis_url: str
    """Where Redis is, once started: what other processes of this server connect to."""
    redis: str
    """Redis in words, once started: product, version, persistence."""
    store: MessageStore

    def __init__(self, settings: Settings, logger: Logger | None = None, clock: Clock | None = None) -> None:
        """``logger``: any object with ``info`` and ``error``; it is told everything, and the ``echo`` channel prints
        with it.  None or the service's own: ``echo`` prints on stdout.
        """
        self.settings = settings
        self.server = settings.server.name or f"{socket.gethostname()}-{os.getpid()}"
        self._clock = clock or SystemClock()
        self._own_console = logger is None or isinstance(logger, ServiceLogger)
        self._log: ServiceLog = adapt(_Silent() if logger is None else logger, secrets_of(settings))
        self._embedded: EmbeddedRedis | None = None
        self._delivery: _Delivery | None = None
        self._opened = False

    def start(self, cancel: threading.Event | None = None) -> None:
        """Redis first, then what uses it.  Raises ``ConfigError``, ``StartError``, ``LayoutError`` with a way out, and
        ``StartCancelled`` when ``cancel`` is set meanwhile; nothing is left running.
        """
        if self._opened:
            raise RuntimeError("this Runtime is already started")
        # Also where no job runs: a server that only accepts must know the types too, and says now what is wrong.
        load(self.settings.jobs.module_names, self.settings.jobs.fallback)
        try:
            self._open_redis(cancel or threading.Event())
            if self.settings.server.role != "api":
                self._delivery = self._new_delivery()
                self._delivery.start()
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Stop claiming, finish what runs, release the rest, close Redis.  Safe to call at any time, and twice.

        The steps of ``service.stop`` without HTTP, for whoever delivers from a process of their own.
        """
        self.stop_claiming()
        self.finish_deliveries()
        self.stop_maintenance()
        self.close_redis()
        self.stop_private_redis()

    # -- the steps of a stop: nothing happens where nothing was started ---------------------------------------------

    def stop_claiming(self) -> None:
        """Take no more messages from Redis; live events end."""
        if self._delivery:
            self._delivery.stop_claiming()

    def finish_deliveries(self) -> None:
        """Let workers finish, at most ``Scheduler.GraceSeconds``, while locks are renewed; give back what is left."""
        if self._delivery:
            self._delivery.finish()

    def stop_maintenance(self) -> None:
        """End renewal, reaping and the other tasks, and sign off."""
        if self._delivery:
            self._delivery.stop_maintenance()
            self._delivery = None

    def close_redis(self) -> None:
        """Close the connections."""
        if self._opened:
            self.store.close()
            self._opened = False

    def stop_private_redis(self) -> None:
        """End the Redis of an ``embedded`` connection."""
        if self._embedded:
            self._embedded.stop()
            self._embedded = None

    def works(self) -> bool:
        """False when the scheduler thread or a delivery hangs: a restart helps.  A Redis that is away is no reason."""
        return self._delivery is None or self._delivery.works()

    def _open_redis(self, cancel: threading.Event) -> None:
        self.redis_url = self.settings.redis.connection_string
        if parse(self.redis_url).kind == "embedded":
            self._embedded = EmbeddedRedis(Path(self.settings.redis.data_directory), self._log, clock=self._clock)
            self._embedded.start(cancel)
            self.redis_url = self._embedded.url
        report = self._reach_redis(cancel)
        for warning in report.warnings:
            self._log.warning(warning)
        for notice in report.notices:
            self._log.info(notice)
        self.redis = f"{report.product} {report.version}, {report.persistence}"

    def _reach_redis(self, cancel: threading.Event) -> ServerReport:
        """Wait for a Redis that is away, unless the settings say to fail, and open the store in it."""
        said_at = -math.inf
        while True:
            try:
                return self._try_redis(cancel)
            except (RedisAway, StoreUnavailable) as error:
                if not self.settings.redis.wait_at_start:
                    raise
                if self._clock.monotonic() - said_at >= _REMIND_SECONDS:
                    said_at = self._clock.monotonic()
                    self._log.warning(f"The start waits for Redis: {error}")
            if self._clock.wait(cancel, _TRY_AGAIN_SECONDS):
                raise StartCancelled

    def _try_redis(self, cancel: threading.Event) -> ServerReport:
        client = connect(self.redis_url, socket_timeout=self.settings.redis.socket_timeout_seconds)
        store = store_for(self.settings, client, self._clock)
        try:
            report = check_server(client, clock=self._clock, cancel=cancel)
            check_rights(client)
            store.open()
        except BaseException:
            store.close()
            raise
        self.store, self._opened = store, True
        return report

    # -- what delivers ---------------------------------------------------------------------------------------------

    def _new_delivery(self) -> _Delivery:
        redis_time, in_flight = RedisTime(self._clock), InFlight()
        return _Delivery(
            self.settings,
            self.server,
            self.store,
            self._renewal_store(),
            self.channels(redis_time, in_flight),
            redis_time=redis_time,
            in_flight=in_flight,
            clock=self._clock,
            log=self._log,
        )

    def channels(self, redis_time: RedisTime, in_flight: InFlight) -> dict[str, Channel]:
        """The ways out that this server has, by name."""
        console = ConsoleWriter()
        surroundings = Surroundings(
            settings=self.settings,
            clock=self._clock,
            now_ms=redis_time.now_ms,
            log=self._log,
            print_lines=console.write if self._own_console else self._print,
            unread_seconds=console.unread_seconds if self._own_console else lambda: 0.0,
            holds=in_flight.holds,
            renew=self._renew,
        )
        return {name: kind.build(surroundings) for name, kind in CHANNELS.items()}

    def _renewal_store(self) -> MessageStore:
        """The store over connections of their own, for the renewal of locks alone."""
        wait = renewal_timeout(self.settings.redis.socket_timeout_seconds, self.settings.scheduler.lock_seconds)
        return store_for(self.settings, connect(self.redis_url, socket_timeout=wait), self._clock)

    def _print(self, lines: Sequence[str]) -> int:
        self._log.lines(lines)
        return len(lines)

    def _renew(self, claim: Claim) -> bool:
        try:
            return not self.store.renew([claim], round(self.settings.scheduler.lock_seconds * 1000))
        except StoreUnavailable:
            return False


class _Delivery:
    """Everything that runs in a scheduler process."""

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
    ) -> None:
        """``renewal_store``: the store over connections of their own, closed at the end.  ``redis_time`` and
        ``in_flight``: shared with the channels.
        """
        plan = settings.scheduler
        self._log = log
        self._store = store
        self._grace = plan.grace_seconds
        self._longest_turn = plan.poll_seconds + 2 * settings.redis.socket_timeout_seconds + _TURN_MARGIN_SECONDS
        self._process = f"{server}/scheduler"
        self._started_at = clock.now_ms()
        self._stopping = False
        telemetry = Telemetry(clock, redis_time.now_ms)
        telemetry.start_at_zero(channels, "scheduler")
        self._held_back = HeldBack(telemetry, clock, log)
        outage = Outage(log, clock)
        self.workers = Workers(
            store,
            channels,
            threads=plan.workers,
            job_threads=settings.jobs.workers,
            serves=plan.served,
            batch_size=plan.batch_size,
            release_seconds=settings.redis.socket_timeout_seconds,
            retry=settings.retry.policy(),
            clock=clock,
            log=log,
            telemetry=telemetry,
            freed=self._freed,
            in_flight=in_flight,
            outage=outage,
        )
        self.dispatcher = Dispatcher(
            store,
            self.workers,
            owner=server,
            batch_size=plan.batch_size,
            lock_seconds=plan.lock_seconds,
            poll_seconds=plan.poll_seconds,
            clock=clock,
            redis_time=redis_time,
            log=log,
            outage=outage,
        )
        self._renewal_store = renewal_store
        renewer = Renewer(self._renewal_store, in_flight, plan.lock_seconds, log, telemetry)
        self._renewal = renewal(renewer, plan.lock_seconds, clock, log, outage)
        reaper = Reaper(
            store,
            every=plan.reap_seconds,
            lock_seconds=plan.lock_seconds,
            clock=clock,
            redis_time=redis_time,
            log=log,
            telemetry=telemetry,
        )
        self._reaping = Maintenance([reaper], clock, log, name="reaper", outage=outage)
        self.maintenance = Maintenance(
            [
                Retention(
                    store,
                    _limits(settings),
                    every=settings.retention.trim_seconds,
                    finished=lambda: self.workers.finished,
                    telemetry=telemetry,
                ),
                Heartbeat(
                    store, self._process, telemetry, self.describe, every=plan.heartbeat_seconds, clock=clock, log=log
                ),
                self._held_back,
                MemoryWatch(store, log),
                ServedWatch(store, log, heartbeat_seconds=plan.heartbeat_seconds, instead=self._instead),
            ],
            clock,
            log,
            outage=outage,
        )
        self._keeper = keeper_of(
            settings,
            store,
            owner=self._process,
            finished=lambda: self.workers.finished,
            busy=lambda: len(self.workers.in_flight) > 0,
            now_ms=redis_time.now_ms,
            clock=clock,
            log=log,
            telemetry=telemetry,
        )
        clients = (store.client, self._renewal_store.client)
        watches = [watch for client in clients for watch in watches_of(client)]
        self._watch = Maintenance(watches, clock, log, name="sentinels", outage=outage)
        self.planner = Planner(
            store, poll_seconds=plan.poll_seconds, clock=clock, log=log, telemetry=telemetry, outage=outage
        )
        self._wake = WakeListener(store.client, self.dispatcher.wake, clock, log, self.planner.wake)
        self._events: EventServer | None = None
        if settings.events.enabled:
            self._events = EventServer(settings, store.client, server=server, clock=clock, log=log)

    def _instead(self, lane: str) -> str | None:
        """The lane of ``Jobs.Fallback``, for a job type that has no handler here."""
        channel, _, type = lane.partition(":")
        found = REGISTRY.lane_of(type) if channel == "job" else None
        return found if found in self.workers.lanes.names else None

    def _freed(self) -> None:
        # The dispatcher is built after the workers that wake it.
        self.dispatcher.wake()

    def start(self) -> None:
        self.workers.start()
        self._wake.start()
        self._renewal.start()
        self.maintenance.start()
        self._reaping.start()
        if self._keeper:
            self._keeper.start()
        self._watch.start()
        self.planner.start()
        self.dispatcher.start()
        if self._events:
            self._events.start()

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
        try:
            self._store.leave(self._process)
        except StoreUnavailable as error:
            self._log.error(f"could not sign off: {error}")
        self._renewal_store.close()

    def works(self) -> bool:
        """Whether the scheduler thread turns, and no delivery hangs that should have ended long ago."""
        return self.dispatcher.turn_age() < self._longest_turn and self.workers.deliveries.hang() is None

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


class _Silent:
    """For a library user who brings no logger."""

    def info(self, message: str, /) -> None:
        """Nobody listens."""

    def error(self, message: str, /) -> None:
        """Nobody listens."""
