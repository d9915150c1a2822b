"""The API over an in-process Redis, for tests that speak HTTP without a socket."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import fakeredis
from flask import Flask
from flask.testing import FlaskClient

from scheduler.api.http.app import create_app
from scheduler.api.http.services import Services
from scheduler.api.ops.last_reports import LastReports
from scheduler.clock import Clock, RedisTime
from scheduler.config.reading import Settings
from scheduler.errors import StoreUnavailable
from scheduler.history import Database
from scheduler.logs.sinks import adapt
from scheduler.message import IdGenerator
from scheduler.store import MessageStore
from scheduler.telemetry.figures import Telemetry
from tests.support.logger import RecordingLogger

if TYPE_CHECKING:
    from scheduler.otel.tracing import Tracing

SERVER = "here"


ROUTES_WITH_BODY = [
    ("POST", "/echoAtTime"),
    ("DELETE", "/echoAtTime"),
    ("POST", "/v1/messages"),
    ("POST", "/v1/messages/batch"),
    ("PATCH", "/v1/messages/some-id"),
    ("POST", "/v1/dead-letters/redrive"),
]
ROUTES_WITHOUT_BODY = [
    ("GET", "/v1/messages"),
    ("GET", "/v1/messages/some-id"),
    ("DELETE", "/v1/messages/some-id"),
    ("POST", "/v1/messages/some-id/run"),
    ("POST", "/v1/messages/some-id/redrive"),
    ("POST", "/v1/pause"),
    ("POST", "/v1/resume"),
    ("GET", "/v1/stats"),
    ("GET", "/metrics"),
]


class Api:
    """An application, everything it works with, and a client that speaks to it."""

    def __init__(
        self,
        clock: Clock,
        settings: dict[str, Any] | None = None,
        store: Any = None,
        history: Database | None = None,
        tracing: Tracing | None = None,
    ) -> None:
        """``settings``: sections as in config/appsettings.json, by field name.  ``store``: None for one of its own."""
        self.settings = Settings.model_validate(settings or {})
        self.log = RecordingLogger()
        self.store: MessageStore = store or memory_store(clock, self.settings)
        self.telemetry = Telemetry(clock)
        self.redis_time = RedisTime(clock)
        self.services = Services(
            settings=self.settings,
            store=self.store,
            clock=clock,
            telemetry=self.telemetry,
            log=adapt(self.log),
            server=SERVER,
            last_reports=LastReports(clock),
            redis_time=self.redis_time,
            process=f"{SERVER}/api-1",
            history=history,
            tracing=tracing,
        )
        self.app: Flask = create_app(self.services)
        self.client: FlaskClient = self.app.test_client()

    def send(self, method: str, path: str, body: Any = None, **more: Any) -> Any:
        """The answer (a ``werkzeug.test.TestResponse``) to one request; ``body`` is sent as JSON."""
        if body is not None:
            more["json"] = body
        if path.startswith("//"):  # the client would take it for a host
            more["environ_overrides"] = {"PATH_INFO": path}
        return self.client.open(path, method=method, buffered=True, **more)

    def post(self, path: str, body: Any = None, **more: Any) -> Any:
        return self.send("POST", path, body, **more)

    def get(self, path: str, **more: Any) -> Any:
        return self.send("GET", path, **more)

    def message(self, **fields: Any) -> str:
        """The id of a message that was just accepted, due in an hour unless ``fields`` say otherwise."""
        answer = self.post("/v1/messages", {"message": "hello", "delay": 3600, **fields})
        assert answer.status_code == 201, answer.text
        return str(answer.json["id"])


def memory_store(clock: Clock, settings: Settings | None = None) -> MessageStore:
    """A store over a Redis inside this process, on the test's clock."""
    settings = settings or Settings()
    store = MessageStore(
        fakeredis.FakeRedis(server=fakeredis.FakeServer(), decode_responses=True),
        new_id=IdGenerator(clock.now_ms),
        partitions=settings.redis.partitions,
        # A clock that users' tests move is Redis's, and no other.
        now_ms=None if settings.test.clock else clock.now_ms,
        test_clock=settings.test.clock,
    )
    store.open()
    return store


class AwayStore:
    """A store whose Redis is away."""

    def __init__(self) -> None:
        server = fakeredis.FakeServer()
        server.connected = False
        self.client = fakeredis.FakeRedis(server=server, decode_responses=True)

        self.partitions = [None]

    def partition_of(self, id: str) -> int:
        return 0

    def new_ids(self, count: int) -> list[str]:
        return [f"id-{number}" for number in range(count)]

    def idempotent_ids(self, key: str, count: int) -> list[str]:
        return self.new_ids(count)

    def __getattr__(self, verb: str) -> Any:
        def refuse(*_: Any, **__: Any) -> Any:
            raise StoreUnavailable("Redis does not answer: connection refused", retry_after=1.5)

        return refuse


def fields_of(answer: Any) -> list[str]:
    assert answer.status_code == 400, answer.text
    assert answer.mimetype == "application/problem+json"
    return [error["field"] for error in answer.json["errors"]]
