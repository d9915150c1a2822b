"""Live events for tests: an event server over a store of its own, and viewers on real sockets."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NamedTuple, NoReturn

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from scheduler.clock import SystemClock
from scheduler.config.settings import Settings
from scheduler.events import EventServer
from scheduler.logs.sinks import adapt
from scheduler.message import NOW, NewMessage
from scheduler.redis_server.connections import connect as connect_redis
from scheduler.store import MessageStore, store_for
from scheduler.store.partitions import ending_in
from tests.support.logger import RecordingLogger

SECONDS = 20.0
"""Longest wait for a frame."""


class Closed(NamedTuple):
    """How the server ended a connection."""

    code: int
    reason: str


class Viewer:
    """One connection.  ``events`` holds what has come, in order; ``gaps`` counts the gaps that were told."""

    def __init__(self, connection: ClientConnection) -> None:
        self.connection = connection
        self.events: list[dict[str, Any]] = []
        self.gaps = 0
        self.frames = 0

    def hello(self) -> dict[str, Any]:
        """The greeting."""
        found: dict[str, Any] = json.loads(self.connection.recv(SECONDS))
        assert found["type"] == "hello", found
        return found

    def receive(self) -> None:
        """Take one more frame."""
        frame = json.loads(self.connection.recv(SECONDS))
        self.frames += 1
        if isinstance(frame, list):
            self.events += frame
        else:
            assert frame == {"type": "gap"}
            self.gaps += 1

    def wait(self, count: int) -> list[dict[str, Any]]:
        """The first ``count`` events, once they have come; no more may have."""
        while len(self.events) < count:
            self.receive()
        assert len(self.events) == count, self.events
        return self.events

    def names(self, count: int) -> list[str]:
        """What happened: ``event`` of the first ``count`` events."""
        return [event["event"] for event in self.wait(count)]

    def _receive_all(self) -> NoReturn:
        while True:
            self.receive()

    def closed(self) -> Closed:
        """Read on until the server ends the connection."""
        with pytest.raises(ConnectionClosed) as raised:
            self._receive_all()
        assert raised.value.rcvd is not None, raised.value
        return Closed(raised.value.rcvd.code, raised.value.rcvd.reason)


class Live:
    """An event server, and the store whose verbs make the events."""

    def __init__(self, redis_url: str, name: str = "here", **sections: Any) -> None:
        """``sections``: as in config/appsettings.json, by field name."""
        sections["events"] = {"port": 0, **sections.get("events", {})}
        self.settings = Settings.model_validate(sections)
        self.log = RecordingLogger()
        clock = SystemClock()
        self.store: MessageStore = store_for(self.settings, connect_redis(redis_url), clock)
        self.server = EventServer(self.settings, self.store.client, server=name, clock=clock, log=adapt(self.log))

    def __enter__(self) -> Live:
        self.store.open()
        self.server.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.server.stop()
        self.store.close()
        assert not [line for line in self.log.errors if line.startswith("live events:")], self.log.errors

    @contextmanager
    def viewer(self, query: str = "", **more: Any) -> Iterator[Viewer]:
        """A viewer that has been greeted."""
        with self.connect(query, **more) as viewer:
            viewer.hello()
            yield viewer

    @contextmanager
    def connect(
        self,
        query: str = "",
        *,
        headers: Mapping[str, str] | None = None,
        path: str = "/v1/events",
        port: int | None = None,
        **more: Any,
    ) -> Iterator[Viewer]:
        """A viewer that was not greeted yet.  ``port``: of a proxy.  ``more``: options of websockets' ``connect``."""
        address = f"ws://127.0.0.1:{port or self.server.port}{path}"
        with connect(
            f"{address}?{query}" if query else address, additional_headers=headers, proxy=None, close_timeout=5, **more
        ) as connection:
            yield Viewer(connection)

    def add(self, count: int = 1, channel: str = "echo", partition: int | None = None, **fields: Any) -> list[str]:
        """The ids of new messages of one partition, scheduled by one call."""
        if partition is None:
            ids = self.store.new_ids(count)
        else:
            choose = ending_in(partition, self.settings.redis.partitions)
            ids = [self.store.new_id.ending(choose) for _ in range(count)]
        self.store.schedule([NewMessage(id=id, payload="1", due_at=NOW, channel=channel, **fields) for id in ids])
        return ids


def deaf_socket(port: int) -> socket.socket:
    """A connection that takes in little of what it is sent."""
    deaf = socket.socket()
    deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    deaf.connect(("127.0.0.1", port))
    return deaf
