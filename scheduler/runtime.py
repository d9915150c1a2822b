"""Build the scheduler side of a server, and offer the steps of its stop; service.py shows their order.

Usable as a library: ``Runtime(settings, logger=…)`` delivers from your own process, and prints with your logger.
"""

from __future__ import annotations

import math
import os
import socket
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from scheduler.channels.base import Channel, Surroundings
from scheduler.channels.registry import CHANNELS
from scheduler.clock import Clock, RedisTime, SystemClock
from scheduler.config.connection_string import parse
from scheduler.config.reading import Settings, secrets_of
from scheduler.delivery.in_flight import InFlight
from scheduler.delivery.renewal import renewal_timeout
from scheduler.delivery_process import DeliveryProcess
from scheduler.errors import RedisAway, StartCancelled, StoreUnavailable
from scheduler.jobs import load
from scheduler.logs.outlet import ConsoleWriter
from scheduler.logs.sinks import Logger, ServiceLog, ServiceLogger, adapt
from scheduler.message import Claim
from scheduler.otel import check, open_pipeline
from scheduler.redis_server.connections import ServerReport, check_server, connect
from scheduler.redis_server.loading import LoadingReport
from scheduler.redis_server.private import EmbeddedRedis
from scheduler.store import MessageStore, store_for
from scheduler.store.rights import check_rights

if TYPE_CHECKING:
    from scheduler.otel.pipeline import Pipeline

_TRY_AGAIN_SECONDS = 1.0
"""Between two tries to reach a Redis that is away at the start."""
_REMIND_SECONDS = 60.0


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
        self._process: DeliveryProcess | None = None
        self._pipeline: Pipeline | None = None
        self._opened = False

    def start(self, cancel: threading.Event | None = None, loading: LoadingReport | None = None) -> None:
        """Redis first, then what uses it.  Raises ``ConfigError``, ``StartError``, ``LayoutError`` with a way out, and
        ``StartCancelled`` when ``cancel`` is set meanwhile; nothing is left running.

        ``loading``: hears how far Redis is while it loads its data.
        """
        if self._opened:
            raise RuntimeError("this Runtime is already started")
        # Also where no job runs: a server that only accepts must know the types too, and says now what is wrong.
        load(self.settings.jobs.module_names, self.settings.jobs.fallback)
        check(self.settings)
        try:
            self._open_redis(cancel or threading.Event(), loading or LoadingReport(self._log, self._clock))
            if self.settings.server.role != "api":
                self._pipeline = open_pipeline(self.settings, f"{self.server}/scheduler", self._log, self._clock)
                self._process = self._new_process()
                self._process.start()
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
        if self._process:
            self._process.stop_claiming()

    def finish_deliveries(self) -> None:
        """Let workers finish, at most ``Scheduler.GraceSeconds``, while locks are renewed; give back what is left."""
        if self._process:
            self._process.finish()

    def stop_maintenance(self) -> None:
        """End renewal, reaping and the other tasks, sign off, and export what is left of traces and metrics."""
        if self._process:
            self._process.stop_maintenance()
            self._process = None
        if self._pipeline:
            self._pipeline.close()
            self._pipeline = None

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
        return self._process is None or self._process.works()

    def _open_redis(self, cancel: threading.Event, loading: LoadingReport) -> None:
        self.redis_url = self.settings.redis.connection_string
        if parse(self.redis_url).kind == "embedded":
            self._embedded = EmbeddedRedis(Path(self.settings.redis.data_directory), self._log, clock=self._clock)
            self._embedded.start(cancel, loading)
            self.redis_url = self._embedded.url
        report = self._reach_redis(cancel, loading)
        for warning in report.warnings:
            self._log.warning(warning)
        for notice in report.notices:
            self._log.info(notice)
        self.redis = f"{report.product} {report.version}, {report.persistence}"

    def _reach_redis(self, cancel: threading.Event, loading: LoadingReport) -> ServerReport:
        """Wait for a Redis that is away, unless the settings say to fail, and open the store in it."""
        said_at = -math.inf
        while True:
            try:
                return self._try_redis(cancel, loading)
            except (RedisAway, StoreUnavailable) as error:
                if not self.settings.redis.wait_at_start:
                    raise
                if self._clock.monotonic() - said_at >= _REMIND_SECONDS:
                    said_at = self._clock.monotonic()
                    self._log.warning(f"The start waits for Redis: {error}")
            if self._clock.wait(cancel, _TRY_AGAIN_SECONDS):
                raise StartCancelled

    def _try_redis(self, cancel: threading.Event, loading: LoadingReport) -> ServerReport:
        client = connect(self.redis_url, socket_timeout=self.settings.redis.socket_timeout_seconds)
        store = store_for(self.settings, client, self._clock)
        try:
            report = check_server(client, clock=self._clock, cancel=cancel, loading=loading)
            check_rights(client)
            store.open()
        except BaseException:
            store.close()
            raise
        self.store, self._opened = store, True
        return report

    # -- what delivers ---------------------------------------------------------------------------------------------

    def _new_process(self) -> DeliveryProcess:
        redis_time, in_flight = RedisTime(self._clock), InFlight()
        return DeliveryProcess(
            self.settings,
            self.server,
            self.store,
            self._renewal_store(),
            self.channels(redis_time, in_flight),
            redis_time=redis_time,
            in_flight=in_flight,
            clock=self._clock,
            log=self._log,
            pipeline=self._pipeline,
        )

    def channels(self, redis_time: RedisTime, in_flight: InFlight) -> dict[str, Channel]:
        """The ways out that this server has, by name."""
        console = ConsoleWriter()
        surroundings = Surroundings(
            settings=self.settings,
            clock=self._clock,
            now_ms=redis_time.now_ms,
            log=self._log,
            destinations=self.store,
            print_lines=console.write if self._own_console else self._print,
            unread_seconds=console.unread_seconds if self._own_console else lambda: 0.0,
            holds=in_flight.holds,
            renew=self._renew,
            tracing=self._pipeline.tracing if self._pipeline else None,
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


class _Silent:
    """For a library user who brings no logger."""

    def info(self, message: str, /) -> None:
        """Nobody listens."""

    def error(self, message: str, /) -> None:
        """Nobody listens."""
