"""A delay counts by Redis's clock: a server whose own is an hour wrong accepts for the right moment all the same."""

from __future__ import annotations

import pytest

from tests.support.api import Api, memory_store
from tests.support.clock import START_MS, FakeClock

HOUR_MS = 3_600_000


@pytest.fixture(params=[-HOUR_MS, HOUR_MS], ids=["behind", "ahead"])
def api(request: pytest.FixtureRequest, clock: FakeClock) -> Api:
    """``clock`` is Redis's; the server's own differs by an hour."""
    return Api(FakeClock(START_MS + request.param), {"webhook": {"allow_private_networks": True}}, memory_store(clock))


def test_a_message_and_a_batch(api: Api) -> None:
    assert api.post("/v1/messages", {"message": "m", "delay": 5}).json["due_at_ms"] == START_MS + 5_000
    batch = api.post("/v1/messages/batch", {"messages": [{"message": "m", "delay": 7}]}).json["messages"]
    assert api.get(f"/v1/messages/{batch[0]['id']}").json["due_at_ms"] == START_MS + 7_000


def test_a_change(api: Api) -> None:
    id = api.message(delay=60)
    assert api.send("PATCH", f"/v1/messages/{id}", {"delay": "2m"}).json["due_at_ms"] == START_MS + 120_000


def test_a_task_and_its_new_countdown(api: Api) -> None:
    key = api.post("/schedule", {"webhook": "http://127.0.0.1/", "ttl": 30, "data": 1}).json["data"]
    id = key.rpartition(":")[2]
    assert api.get(f"/v1/messages/{id}").json["due_at_ms"] == START_MS + 30_000
    api.send("PATCH", f"/schedule/{key}", {"ttl": 90})
    assert api.get(f"/v1/messages/{id}").json["due_at_ms"] == START_MS + 90_000
