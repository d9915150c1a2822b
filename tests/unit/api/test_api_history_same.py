"""A message reads the same in Redis and, after retention, in the history: for those who ask by id, nothing changes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import fakeredis
import pytest

from scheduler.history.archiver import Archiver
from scheduler.jobs import load
from scheduler.logs.sinks import adapt
from scheduler.store import Limits, MessageStore
from tests.support.api import Api
from tests.support.clock import FakeClock
from tests.support.history import a_database
from tests.support.store import outcomes, store_on, take

SENT: dict[str, dict[str, Any]] = {
    "plain": {"message": {"big": 123456789012345678901234567890, "ä": "\u0000"}, "delay": 0},
    "flow": {"message": 1, "flow": {"key": "customer-7", "concurrency": 1}, "priority": "high", "delay": 0},
    "behind": {"message": 1, "flow": {"key": "customer-7"}, "delay": 0},
    "webhook": {
        "message": "x",
        "delay": 0,
        "webhook": {"url": "https://me:pw@hooks.example.com/?token=1", "headers": {"Authorization": "Bearer s"}},
        "retry": {"max_attempts": 7},
    },
    "job": {"message": {"a": 1}, "delay": 0, "job": {"type": "wait"}},
    "moved": {"message": "x", "delay": 5},
    "cancelled": {"message": "x", "delay": 3600},
}


@pytest.fixture
def store(clock: FakeClock) -> MessageStore:
    server = fakeredis.FakeServer()
    opened = store_on(fakeredis.FakeRedis(server=server, decode_responses=True), clock.now_ms, outbox_bytes=2**25)
    opened.open()
    return opened


def end(api: Api, kind: Any, **more: Any) -> None:
    """Settle all that is due, after it waited for a while."""
    api.services.clock.advance(0.25)  # type: ignore[attr-defined]
    lanes = ("echo", "webhook", "job:wait")
    claimed = take(api.store, 20, 10_000, lanes=lanes)
    assert claimed.claims
    assert all(api.store.settle(outcomes(claimed, kind, duration_ms=1.5, **more)))


def test_every_kind_of_message(clock: FakeClock, store: MessageStore, tmp_path: Path) -> None:
    load(["scheduler.jobs.examples"], "")
    with a_database(tmp_path) as database:
        api = Api(clock, {"webhook": {"allowed_networks": "hooks.example.com"}}, store=store, history=database)
        for id, body in SENT.items():
            assert api.post("/v1/messages", {"id": id, **body}).status_code == 201
        api.send("PUT", "/v1/schedules/daily", {"cron": "0 9 * * *", "message": "x"})
        run = api.post("/v1/schedules/daily/run").json["id"]
        job = api.post("/api/jobs", {"type": "wait", "payload": {}, "user_id": "u1"}).json["_id"]
        api.send("DELETE", "/v1/messages/cancelled")
        api.send("PATCH", "/v1/messages/moved", {"delay": 0})
        end(api, "retry", delay_ms=0, error="boom")
        api.post("/v1/messages/job/run")
        end(api, "dead", error="boom", evidence={"status_code": 500})
        api.post("/v1/messages/plain/redrive")
        api.send("DELETE", "/v1/schedules/daily")  # and with it the message of its next moment
        while sum(store.counts().scheduled.values()):
            end(api, "ack", result="[1, 2]")
        paths = [*(f"/v1/messages/{id}" for id in (*SENT, run, job)), "/api/jobs/job", f"/api/jobs/{job}"]
        before = {path: api.get(path).json for path in paths}
        assert before["/v1/messages/behind"]["flow"]["waited_ms"] > 0
        listed = api.get("/v1/messages?limit=100").json["messages"]
        assert {message["status"] for message in listed} == {"delivered", "dead", "cancelled"}

        archiver = Archiver(
            store,
            database,
            owner="one",
            payloads="full",
            outbox_bytes=2**25,
            finished=lambda: 1,
            busy=lambda: False,
            clock=clock,
            log=adapt(api.log),
            telemetry=api.telemetry,
        )
        archiver.tick()
        for kept in ("done", "dead"):
            store.trim(kept, Limits(0, 0, 0), 100)
        assert api.get("/v1/messages").json["messages"] == []
        assert {path: api.get(path).json for path in paths} == before
        rows = {row["id"]: row for row in api.get("/v1/history?limit=100").json["messages"][::-1]}
        assert rows == {message["id"]: message for message in listed}
