"""``POST /v1/messages/{id}/redrive`` of a message that Redis has no more, and jobs that only the history has."""

from __future__ import annotations

from typing import Any

import pytest

from scheduler.api.kept.job_models import JobOut
from scheduler.api.kept.jobs import CANNOT_BOOST, CANNOT_CANCEL, CANNOT_RETRY
from scheduler.api.v1.answers import MessageOut
from scheduler.history import Database
from scheduler.jobs import load
from tests.support.api import Api
from tests.support.clock import FakeClock
from tests.support.history import finished
from tests.support.store import outcomes, take

REPEATABLE: dict[str, Any] = {"status": "dead", "last_error": "boom"}
JOB: dict[str, Any] = {"channel": "job", "type": "wait", "payload": "{}", "owner": "u1", **REPEATABLE}


@pytest.fixture
def api(clock: FakeClock, database: Database) -> Api:
    load(["scheduler.jobs.examples"], "")
    return Api(clock, history=database)


def stored(api: Api) -> list[dict[str, Any]]:
    messages: list[dict[str, Any]] = api.get("/v1/messages").json["messages"]
    return messages


def test_a_new_message_names_the_dead_letter(api: Api, database: Database, clock: FakeClock) -> None:
    database.write([finished("old", **REPEATABLE)])
    answer = api.post("/v1/messages/old/redrive")
    assert answer.status_code == 200, answer.text
    MessageOut.model_validate(answer.json)
    assert answer.json["id"] != "old"
    assert (answer.json["redriven_from"], answer.json["message"]) == ("old", "old")
    assert (answer.json["status"], answer.json["due_at_ms"]) == ("scheduled", clock.now_ms())
    assert [message["id"] for message in stored(api)] == [answer.json["id"]]


def test_a_finish_is_redriven_once(api: Api, database: Database, clock: FakeClock) -> None:
    database.write([finished("old", **REPEATABLE)])
    first, again = (api.post("/v1/messages/old/redrive").json["id"] for _ in range(2))
    assert first == again
    assert len(stored(api)) == 1
    database.write([finished("old", 5, **REPEATABLE)])
    assert api.post("/v1/messages/old/redrive").json["id"] != first, "it was sent again and died again"
    assert len(stored(api)) == 2


@pytest.mark.parametrize("status", ["delivered", "cancelled"])
def test_only_a_dead_letter_is_redriven_wherever_it_is(api: Api, database: Database, status: str) -> None:
    database.write([finished("old", status=status)])
    answer = api.post("/v1/messages/old/redrive")
    assert answer.status_code == 409
    assert f"is {status}; only a message that is dead" in answer.json["detail"]
    assert "POST /v1/history/old/redrive" in answer.json["detail"]
    assert stored(api) == []


def test_what_redis_has_is_redriven_there(api: Api, database: Database) -> None:
    id = api.message(delay=0)
    api.store.settle(outcomes(take(api.store, 1, 1000), "dead", error="boom"))
    database.write([finished(id, **REPEATABLE)])
    answer = api.post(f"/v1/messages/{id}/redrive")
    assert (answer.status_code, answer.json["id"]) == (200, id)
    assert "redriven_from" not in answer.json
    assert api.post(f"/v1/messages/{id}/redrive").status_code == 409, "scheduled"
    assert len(stored(api)) == 1


def test_what_nobody_has(api: Api, clock: FakeClock) -> None:
    for asked in (api, Api(clock)):
        answer = asked.post("/v1/messages/nobody/redrive")
        assert answer.status_code == 404
        assert "'nobody'" in answer.json["detail"]


def test_a_job_that_only_the_history_has_is_read_and_retried(api: Api, database: Database) -> None:
    old = "L1vGcVbIzkYkUBWp"
    database.write([finished(old, **JOB)])
    answer = api.get(f"/api/jobs/{old}")
    assert answer.status_code == 200, answer.text
    JobOut.model_validate(answer.json)
    assert (answer.json["status"], answer.json["type"], answer.json["user_id"]) == ("failed", "wait", "u1")
    assert answer.json["completed_at"] == "2027-01-15T08:00:00.000Z"
    assert api.post(f"/api/jobs/{old}/retry").json == {"status": "Job retried"}
    (new,) = stored(api)
    assert (new["redriven_from"], new["status"]) == (old, "scheduled")


def test_a_job_that_ended_long_ago_is_refused_as_one_that_ended_just_now(api: Api, database: Database) -> None:
    old = "L1vGcVbIzkYkUBWp"
    database.write([finished(old, **{**JOB, "status": "delivered"}), finished("0" * 16)])
    for answer, detail in (
        (api.post(f"/api/jobs/{old}/retry"), CANNOT_RETRY),
        (api.post(f"/api/jobs/{old}/boost"), CANNOT_BOOST),
        (api.send("DELETE", f"/api/jobs/{old}"), CANNOT_CANCEL),
    ):
        assert (answer.status_code, answer.json["detail"]) == (400, detail)
    assert api.get("/api/jobs/" + "0" * 16).status_code == 404, "it is no job"


def test_head_answers_as_get_does(api: Api, database: Database) -> None:
    database.write([finished("old")])
    for path in ("/v1/messages/old", "/v1/history/old"):
        answer = api.client.head(path)
        assert (answer.status_code, answer.data) == (200, b"")
        assert answer.headers["Content-Length"] == str(len(api.get(path).data))
    assert api.client.head("/v1/messages/nobody").status_code == 404
