"""The objects that the HTTP layer works with, handed to ``create_app`` and never built by it."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

from flask import current_app

from scheduler.api.ops.last_chart import LastChart
from scheduler.api.ops.last_reports import LastReports
from scheduler.clock import Clock, RedisTime
from scheduler.config.reading import Settings
from scheduler.history import Database
from scheduler.logs.sinks import ServiceLog
from scheduler.store import MessageStore
from scheduler.telemetry.figures import Telemetry

if TYPE_CHECKING:
    from scheduler.otel.tracing import Tracing

_EXTENSION = "scheduler"


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """The objects that a request may need."""

    settings: Settings
    store: MessageStore
    clock: Clock
    telemetry: Telemetry
    redis_time: RedisTime
    """Told at every heartbeat: what a request asks for is reckoned from Redis's time, by every server alike."""
    log: ServiceLog
    last_reports: LastReports
    server: str
    """This server's name; its processes in ``store.servers()`` have this name, or one that begins with it and ``/``."""
    process: str
    """This process's own name among those."""
    last_chart: LastChart = field(default_factory=LastChart)
    said: dict[str, object] = field(default_factory=dict)
    """Warnings that are said once, by name."""
    tracing: Tracing | None = None
    """None where traces are not exported."""
    history: Database | None = None
    """The database of finished messages; None where there is none."""
    stopping: threading.Event = field(default_factory=threading.Event)
    """Set when the service will stop soon: clients are sent elsewhere, and what they still ask is answered."""

    def now_ms(self) -> int:
        """Return Redis's time (ms); before the first heartbeat, this machine's."""
        if self.settings.test.clock:
            return self.store.redis_ms()  # a move counts at once, whichever process it was asked of
        return round(self.redis_time.now_ms())

    def address(self, path: str) -> str:
        """Return the address of ``path`` for clients: under ``Server.PublicUrl`` when it is set, else the bare path."""
        return self.settings.server.public_url + path

    def attach(self, app: Any) -> None:
        """Make these the services of ``app`` (a ``flask.Flask``)."""
        app.extensions[_EXTENSION] = self


def services() -> Services:
    """Return the services of the application that handles the current request."""
    return cast(Services, current_app.extensions[_EXTENSION])
