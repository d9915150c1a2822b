"""One API process: its services, its application, and the thread that reports that it is alive."""

from __future__ import annotations

import os
import threading
from contextlib import suppress

from flask import Flask

from scheduler.api.app import create_app
from scheduler.api.services import Services
from scheduler.api.slow_clients import SlowClients
from scheduler.clock import Clock
from scheduler.config import Settings
from scheduler.connect import connect
from scheduler.errors import StoreUnavailable
from scheduler.logs import ServiceLog
from scheduler.message import IdGenerator
from scheduler.store import MessageStore
from scheduler.telemetry import Telemetry


class ApiRuntime:
    """Nothing runs before ``start``."""

    def __init__(self, settings: Settings, store: MessageStore, clock: Clock, log: ServiceLog) -> None:
        """``settings.server.name`` must not be empty: all processes of a server share it."""
        self.name = f"{settings.server.name}/api-{os.getpid()}"
        self.services = Services(
            settings=settings,
            store=store,
            clock=clock,
            telemetry=Telemetry(clock),
            log=log,
            slow_clients=SlowClients(clock, settings.server.port),
            server=settings.server.name,
        )
        self._interval = settings.scheduler.heartbeat_seconds
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="api-heartbeat", daemon=True)
        self._reported: list[object] = []
        self._away = False

    def create_app(self) -> Flask:
        """The WSGI application of this process."""
        return create_app(self.services)

    def start(self) -> None:
        """Begin to report."""
        self._thread.start()

    def stop(self) -> None:
        """Take this process off the list of those alive.  Safe to call without ``start``, and twice."""
        if self._stopping.is_set() or not self._thread.is_alive():
            return
        self._stopping.set()
        self._thread.join(self._interval + self.services.settings.redis.socket_timeout_seconds)
        with suppress(StoreUnavailable):  # then the others see that the heartbeat has stopped
            self.services.store.leave(self.name)

    def tick(self) -> None:
        """One heartbeat."""
        telemetry = self.services.telemetry
        history = telemetry.history()
        changed = history[-1:] != self._reported
        snapshot = {"role": "api", **telemetry.snapshot()}
        try:
            self.services.store.beat(self.name, snapshot, history if changed else None)
        except StoreUnavailable as error:
            self._say(away=True, why=str(error))
            return
        self._reported = [*history[-1:]]
        self._say(away=False)

    def _say(self, *, away: bool, why: str = "") -> None:
        # Once per outage, and not once per request of it.
        if away and not self._away:
            self.services.log.error(f"Requests are answered 503 until Redis is back: {why}")
        if self._away and not away:
            self.services.log.info("Redis is back: requests are accepted again.")
        self._away = away

    def _run(self) -> None:
        clock = self.services.clock
        while True:
            try:
                self.tick()
                self.services.slow_clients.tick()
            except Exception as error:  # noqa: BLE001 - a heartbeat that dies of a defect would look like a dead server
                self.services.log.error("A heartbeat failed.", exception=error)
            if clock.wait(self._stopping, self._interval):
                return


def open_store(settings: Settings, clock: Clock) -> MessageStore:
    """A store over a connection pool of this process's own; nothing is sent yet."""
    client = connect(settings.redis.connection_string, socket_timeout=settings.redis.socket_timeout_seconds)
    return MessageStore(
        client,
        new_id=IdGenerator(clock.now_ms),
        partitions=settings.redis.partitions,
        idempotency_ms=round(settings.api.idempotency_seconds * 1000),
    )
