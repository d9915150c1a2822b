"""One API process: its services, its application, and its heartbeat."""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from scheduler import __version__
from scheduler.api.front.application import Front
from scheduler.api.http.app import create_app
from scheduler.api.http.rules import Rules
from scheduler.api.http.services import Services
from scheduler.api.ops.last_reports import LastReports
from scheduler.channels.registry import CHANNELS
from scheduler.clock import Clock, RedisTime
from scheduler.config.reading import Settings
from scheduler.delivery.heartbeat import Heartbeat
from scheduler.delivery.maintenance import Maintenance
from scheduler.errors import StoreUnavailable
from scheduler.history import open_database
from scheduler.logs.notices import Outage
from scheduler.logs.sinks import ServiceLog
from scheduler.redis_server.sentinels import watches_of
from scheduler.store import MessageStore
from scheduler.telemetry.figures import Telemetry

if TYPE_CHECKING:
    from scheduler.otel.pipeline import Pipeline

_READERS = 8
"""Requests that read the history at the same time; others wait, and get 503 after 5 s."""


def name_of(settings: Settings) -> str:
    """Return the name of this process in reports."""
    return f"{settings.server.name}/api-{os.getpid()}"


class ApiRuntime:
    """What one API process is made of.  No thread runs before ``start``."""

    def __init__(
        self,
        settings: Settings,
        store: MessageStore,
        clock: Clock,
        log: ServiceLog,
        pipeline: Pipeline | None = None,
    ) -> None:
        """``settings.server.name`` must not be empty: all processes of a server share it.

        ``pipeline``: closed at the end; None where nothing is exported.
        """
        self.name = name_of(settings)
        self._pipeline = pipeline
        redis_time = RedisTime(clock)
        telemetry = Telemetry(clock, redis_time.now_ms)
        telemetry.start_at_zero(CHANNELS, "api")
        self.services = Services(
            settings=settings,
            store=store,
            clock=clock,
            telemetry=telemetry,
            redis_time=redis_time,
            process=self.name,
            log=log,
            last_reports=LastReports(clock),
            server=settings.server.name,
            tracing=pipeline.tracing if pipeline else None,
            history=open_database(settings.history_url, connections=_READERS) if settings.history_url else None,
        )
        self._started_at = clock.now_ms()
        every = settings.scheduler.heartbeat_seconds
        heartbeat = Heartbeat(
            store, self.name, telemetry, self.describe, every=every, clock=clock, log=log, redis_time=redis_time
        )
        self._report = heartbeat.report
        outage = Outage(log, clock)
        self._maintenance = Maintenance([heartbeat], clock, log, outage=outage)
        self._watch = Maintenance(watches_of(store.client), clock, log, name="sentinels", outage=outage)

    def create_front(self) -> Front:
        """Return the ASGI application of this process, with Flask behind it."""
        rules = Rules(self.services)
        return Front(create_app(self.services, rules), rules, self.services.settings.server.api_threads)

    def start(self) -> None:
        """Start the heartbeat."""
        self._maintenance.start()
        self._watch.start()
        if self._pipeline:
            self._pipeline.export_metrics(self._report)

    def stop(self) -> None:
        """Stop the heartbeat and sign off.  Safe to call without ``start``, and twice."""
        self._maintenance.stop()
        self._watch.stop()
        if self.services.history is not None:
            self.services.history.close()
        with suppress(StoreUnavailable):  # then the others see that the heartbeat has stopped
            self.services.store.leave(self.name)
        if self._pipeline:
            self._pipeline.close()

    def describe(self) -> Mapping[str, Any]:
        """Return the fields that this process reports beside its figures."""
        log = self.services.log
        return {
            "role": "api",
            "version": __version__,
            "pid": os.getpid(),
            "host": platform.node(),
            "started_at": self._started_at,
            "log_lines_lost": log.lost,
            "gauges": {"scheduler_log_lines_lost": log.lost},
        }
