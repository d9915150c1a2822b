"""/api/jobs, /api/stats, and jobs through /v1: every verb, every refusal, the exact words of the system before."""

from __future__ import annotations

from typing import Any

import pytest

from scheduler.api.kept import job_models
from scheduler.api.v1 import answers
from scheduler.jobs import REGISTRY, JobContext
from scheduler.message import Claim, Outcome, Priority
from tests.support.api import Api, AwayStore
from tests.support.clock import START_MS, FakeClock
from tests.support.store import take

NOW = "2027-01-15T08:00:00.000Z"
JOB: dict[str, Any] = {"type": "resize", "payload": {"width": 640}, "user_id": "u1"}
BOOSTED = "Job boosted ⚡"


@REGISTRY.handler("resize")
def _resize(payload: Any, context: JobContext) -> Any:
    """Known to the API; nothing runs it here."""


@REGISTRY.handler("another")
def _another(payload: Any, context: JobContext) -> Any:
    """A second one."""


@pytest.fixture
def api(clock: FakeClock) -> Api:
    return Api(clock, {"jobs": {"rate_limit_per_user": ""}})


def submit(api: Api, **fields: Any) -> str:
    answer = api.post("/api/jobs", {**JOB, **fields})
    assert answer.status_code == 201, answer.text
    return str(answer.json["_id"])


def read(api: Api, id: str) -> dict[str, Any]:
    answer = api.get(f"/api/jobs/{id}")
    assert answer.status_code == 200
    job_models.JobOut.model_validate(answer.json, strict=True)
    return dict(answer.json)


def claim(api: Api) -> Claim:
    (claim,) = take(api.store, 1, 1000).claims
    return claim


def settle(api: Api, kind: Any, **more: Any) -> None:
    assert api.store.settle([Outcome(claim(api), kind, 5.0, **more)]) == [True]


class TestSubmit:
    def test_whole_answer(self, api: Api) -> None:
        answer = api.post("/api/jobs", JOB)
        assert answer.status_code == 201
        id = answer.json["_id"]
        assert answer.headers["Location"] == f"/api/jobs/{id}"
        assert answer.json == {
            "_id": id,
            "status": "queued",
            "type": "resize",
            "payload": {"width": 640},
            "result": None,
            "error": None,
            "priority": 2,
            "created_at": NOW,
            "scheduled_at": None,
            "started_at": None,
            "completed_at": None,
            "retry_count": 0,
            "max_retries": 3,
            "user_id": "u1",
        }
        stored = api.store.get(id)
        assert (stored.channel, stored.type, stored.owner, stored.payload) == ("job", "resize", "u1", '{"width":640}')

    @pytest.mark.parametrize(("number", "priority"), [(3, Priority.HIGH), (2, Priority.NORMAL), (1, Priority.LOW)])
    def test_priorities(self, api: Api, number: int, priority: Priority) -> None:
        id = submit(api, priority=number)
        assert api.store.get(id).priority is priority
        assert read(api, id)["priority"] == number

    @pytest.mark.parametrize(
        "scheduled_at",
        ["2027-01-15T09:00:00Z", "2027-01-15T10:00:00+01:00", 1_800_003_600, 1_800_003_600_000, "1800003600",
         "Fri, 15 Jan 2027 09:00:00 GMT"],
    )  # fmt: skip
    def test_delayed_by_any_form_of_time(self, api: Api, scheduled_at: Any) -> None:
        job = read(api, submit(api, scheduled_at=scheduled_at))
        assert (job["status"], job["scheduled_at"]) == ("delayed", "2027-01-15T09:00:00.000Z")

    def test_a_past_moment_is_now(self, api: Api) -> None:
        assert read(api, submit(api, scheduled_at="2020-01-01T00:00:00Z"))["status"] == "queued"

    def test_unlimited_retries(self, clock: FakeClock) -> None:
        api = Api(clock, {"jobs": {"max_retries": -1}})
        assert read(api, submit(api))["max_retries"] == -1

    def test_retries_are_counted_by_a_setting_of_their_own(self, clock: FakeClock) -> None:
        api = Api(clock, {"jobs": {"max_retries": 7}, "retry": {"max_attempts": 2, "base_seconds": 9}})
        policy = api.store.get(submit(api)).retry
        assert policy is not None
        assert (policy.max_attempts, policy.base) == (8, 9)

    @pytest.mark.parametrize("unknown", [{"created_at": NOW}, {"max_retries": 9, "userid": "x", "_id": None}])
    def test_unknown_fields_are_ignored(self, api: Api, unknown: dict[str, Any]) -> None:
        job = read(api, submit(api, **unknown))
        assert (job["payload"], job["max_retries"], job["created_at"]) == (JOB["payload"], 3, NOW)

    def test_types_without_a_handler_where_there_is_a_fallback(self, api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
        answer = api.post("/api/jobs", {**JOB, "type": "email_notification"})
        assert answer.status_code == 422
        assert "Jobs.Fallback names a handler" in answer.json["detail"][0]["msg"]
        monkeypatch.setattr(REGISTRY, "fallback", "resize")
        assert read(api, submit(api, type="email_notification"))["type"] == "email_notification"
        assert api.post("/v1/messages", {"message": 1, "job": {"type": "anything"}}).status_code == 201
        schemas = api.get("/openapi.json").json["components"]["schemas"]
        for model in ("JobTarget", "JobIn"):
            assert "enum" not in schemas[model]["properties"]["type"]

    def test_a_repeat_with_the_same_key_stores_nothing_more(self, api: Api) -> None:
        headers = {"Idempotency-Key": "k1"}
        first, second = (api.post("/api/jobs", JOB, headers=headers).json["_id"] for _ in range(2))
        assert first == second
        answer = api.post("/api/jobs", {**JOB, "payload": {}}, headers=headers)
        assert (answer.status_code, list(answer.json)) == (409, ["detail"])

    @pytest.mark.parametrize(
        ("change", "loc", "words"),
        [
            ({"type": None}, "type", "must be a string"),
            (
                {"type": "unknown.type"},
                "type",
                "no handler is registered for the job type 'unknown.type'; known: another",
            ),
            ({"type": "a b"}, "type", "must match"),
            ({"payload": [1]}, "payload", "must be a JSON object"),
            ({"payload": "text"}, "payload", "must be a JSON object"),
            ({"payload": None}, "payload", "must be a JSON object"),
            ({"priority": 0}, "priority", "greater than or equal to 1"),
            ({"priority": 4}, "priority", "less than or equal to 3"),
            ({"priority": "1"}, "priority", "must be a whole number"),
            ({"priority": True}, "priority", "must be a whole number"),
            ({"scheduled_at": "soon"}, "scheduled_at", "'soon' is not a time"),
            ({"scheduled_at": -1}, "scheduled_at", "before 1970"),
            ({"user_id": ""}, "user_id", "at least 1 character"),
            ({"user_id": 7}, "user_id", "must be a string"),
            ({"user_id": "x" * 257}, "user_id", "at most 256 characters"),
        ],
    )
    def test_refused(self, api: Api, change: dict[str, Any], loc: str, words: str) -> None:
        answer = api.post("/api/jobs", {**JOB, **change})
        assert answer.status_code == 422
        (fault,) = answer.json["detail"]
        assert fault["loc"] == ["body", loc]
        assert words in fault["msg"]
        job_models.JobError.model_validate(answer.json, strict=True)
        assert api.store.counts().due == 0

    @pytest.mark.parametrize("missing", ["type", "payload", "user_id"])
    def test_required(self, api: Api, missing: str) -> None:
        answer = api.post("/api/jobs", {name: value for name, value in JOB.items() if name != missing})
        assert answer.json["detail"] == [{"loc": ["body", missing], "msg": "is required", "type": "value_error"}]

    def test_bodies_that_are_none(self, api: Api) -> None:
        assert api.send("POST", "/api/jobs", data="{", content_type="application/json").status_code == 422
        assert api.send("POST", "/api/jobs", data="{}", content_type="text/plain").status_code == 415
        answer = api.post("/api/jobs", JOB, headers={"Idempotency-Key": ""})
        assert answer.json["detail"][0]["loc"] == ["header", "Idempotency-Key"]

    def test_redis_away(self, clock: FakeClock) -> None:
        answer = Api(clock, store=AwayStore()).post("/api/jobs", JOB)
        assert (answer.status_code, list(answer.json), answer.headers["Retry-After"]) == (503, ["detail"], "1")

    def test_token(self, clock: FakeClock) -> None:
        api = Api(clock, {"api": {"auth_token": "secret"}})
        answer = api.post("/api/jobs", JOB)
        assert (answer.status_code, list(answer.json)) == (401, ["detail"])
        assert api.post("/api/jobs", JOB, headers={"Authorization": "Bearer secret"}).status_code == 201


class TestLife:
    def test_completed(self, api: Api, clock: FakeClock) -> None:
        id = submit(api)
        running = claim(api)
        job = read(api, id)
        assert (job["status"], job["started_at"], job["completed_at"]) == ("active", NOW, None)
        clock.advance(1)
        api.store.settle([Outcome(running, "ack", 5.0, result='{"n":12345678901234567890123}')])
        job = read(api, id)
        assert (job["status"], job["result"], job["error"]) == ("completed", {"n": 12345678901234567890123}, None)
        assert (job["completed_at"], job["retry_count"]) == ("2027-01-15T08:00:01.000Z", 0)

    def test_retried_and_failed(self, api: Api, clock: FakeClock) -> None:
        id = submit(api)
        settle(api, "retry", delay_ms=1000, error="KeyError: 'x'")
        job = read(api, id)
        assert (job["status"], job["error"], job["retry_count"]) == ("delayed", "KeyError: 'x'", 1)
        assert job["scheduled_at"] == "2027-01-15T08:00:01.000Z"
        clock.advance(1)
        assert read(api, id)["status"] == "queued"
        settle(api, "dead", error="no such user")
        job = read(api, id)
        assert (job["status"], job["error"], job["retry_count"]) == ("failed", "no such user", 1)

    def test_an_error_that_was_overcome_is_none(self, api: Api) -> None:
        id = submit(api)
        settle(api, "retry", delay_ms=0, error="busy")
        settle(api, "ack")
        job = read(api, id)
        assert (job["status"], job["error"], job["retry_count"]) == ("completed", None, 1)

    def test_retry_runs_a_failed_job_again(self, api: Api) -> None:
        id = submit(api)
        settle(api, "dead", error="x")
        answer = api.post(f"/api/jobs/{id}/retry")
        assert (answer.status_code, answer.json) == (200, {"status": "Job retried"})
        assert (read(api, id)["status"], read(api, id)["retry_count"]) == ("queued", 0)

    def test_cancel(self, api: Api) -> None:
        id = submit(api, scheduled_at=9e9)
        answer = api.send("DELETE", f"/api/jobs/{id}")
        assert (answer.status_code, answer.json) == (200, {"status": "Job cancelled"})
        job = read(api, id)
        assert (job["status"], job["completed_at"]) == ("cancelled", NOW)

    def test_boost(self, api: Api, clock: FakeClock) -> None:
        id = submit(api, scheduled_at=9e9, priority=1)
        answer = api.post(f"/api/jobs/{id}/boost")
        assert (answer.status_code, answer.json) == (200, {"status": BOOSTED})
        assert BOOSTED in answer.text
        job = read(api, id)
        assert (job["status"], job["priority"]) == ("queued", 3)
        assert api.store.get(id).priority is Priority.HIGH

    @pytest.mark.parametrize(
        ("method", "verb", "words"),
        [
            ("POST", "/retry", "Job cannot be retried (must be failed)"),
            ("DELETE", "", "Job cannot be cancelled (must be queued/delayed)"),
            ("POST", "/boost", "Job cannot be boosted (must be queued/delayed)"),
        ],
    )
    def test_what_a_state_forbids(self, api: Api, method: str, verb: str, words: str) -> None:
        active, completed, cancelled = submit(api, user_id="a"), submit(api, user_id="b"), submit(api, scheduled_at=9e9)
        api.send("DELETE", f"/api/jobs/{cancelled}")
        first, second = take(api.store, 2, 1000).claims
        assert {first.id, second.id} == {active, completed}
        api.store.settle([Outcome(next(c for c in (first, second) if c.id == completed), "ack")])
        for id in (active, completed, cancelled):
            answer = api.send(method, f"/api/jobs/{id}{verb}")
            assert (answer.status_code, answer.json) == (400, {"detail": words})

    @pytest.mark.parametrize(("method", "verb"), [("GET", ""), ("DELETE", ""), ("POST", "/retry"), ("POST", "/boost")])
    def test_ids_that_are_none(self, api: Api, method: str, verb: str) -> None:
        for id in ("a%20b", "zzz", "65a5e8"):
            answer = api.send(method, f"/api/jobs/{id}{verb}")
            assert (answer.status_code, answer.json) == (400, {"detail": "Invalid ID"})
        # Well formed, of this service and of the one before; and a message that is no job.
        for id in ("0" * 16, "65a5e8b4c3d2e1f0a9b8c7d6", "a" * 32, api.message()):
            answer = api.send(method, f"/api/jobs/{id}{verb}")
            assert (answer.status_code, answer.json) == (404, {"detail": "Job not found"})

    @pytest.mark.parametrize("id", ["zzz", "order:4711"])
    def test_an_own_id_is_as_good_as_any(self, api: Api, id: str) -> None:
        api.message(id=id, job={"type": "resize"})
        assert read(api, id)["_id"] == id


class TestList:
    def test_newest_first_whatever_became_of_them(self, api: Api, clock: FakeClock) -> None:
        ids = []
        for fields in ({}, {"scheduled_at": 9e9}, {}, {"scheduled_at": 8e9}, {}):
            ids.append(submit(api, **fields))
            clock.advance(1)
        settle(api, "ack")
        settle(api, "dead", error="x")
        api.send("DELETE", f"/api/jobs/{ids[3]}")
        api.message()
        answer = api.get("/api/jobs")
        assert [job["_id"] for job in answer.json] == ids[::-1]
        assert [job["status"] for job in answer.json] == ["queued", "cancelled", "failed", "delayed", "completed"]
        job_models.JobsOut.model_validate(answer.json, strict=True)
        assert [job["_id"] for job in api.get("/api/jobs?limit=2").json] == ids[:2:-1]

    def test_of_one_type_or_user(self, api: Api) -> None:
        one, other = submit(api), submit(api, type="another", user_id="u2")
        assert [job["_id"] for job in api.get("/api/jobs?type=another").json] == [other]
        assert [job["_id"] for job in api.get("/api/jobs?user_id=u1").json] == [one]
        assert api.get("/api/jobs?user_id=u1&type=another").json == []

    def test_unknown_parameters_are_ignored(self, api: Api) -> None:
        id = submit(api)
        answer = api.get("/api/jobs?status=queued&_=1&_=2&limit=1")
        assert [job["_id"] for job in answer.json] == [id]

    @pytest.mark.parametrize("query", ["limit=0", "limit=501", "limit=x", "limit=", "type=a%20b"])
    def test_refused(self, api: Api, query: str) -> None:
        answer = api.get(f"/api/jobs?{query}")
        assert answer.status_code == 422
        assert answer.json["detail"][0]["loc"] == ["query", query.partition("=")[0]]


def test_stats(api: Api) -> None:
    for priority in (3, 3, 2, 1, 1, 1):
        submit(api, priority=priority)
    submit(api, scheduled_at=9e9, priority=3)
    settle(api, "dead", error="x")
    answer = api.get("/api/stats")
    assert answer.json == {
        "queue:immediate:high": 1,
        "queue:immediate:normal": 1,
        "queue:immediate:low": 3,
        "queue:dead_letter": 1,
        "delayed": 1,
    }
    job_models.JobStatsOut.model_validate(answer.json, strict=True)


class TestThroughMessages:
    def test_accepted_listed_and_read_with_its_result(self, api: Api) -> None:
        answer = api.post("/v1/messages", {"message": {"width": 1}, "job": {"type": "resize"}})
        assert answer.status_code == 201
        assert (answer.json["channel"], answer.json["job"], answer.json["result"]) == ("job", {"type": "resize"}, None)
        settle(api, "retry", delay_ms=0, error="KeyError: 'x'", evidence={"traceback": "Traceback …"})
        settle(api, "ack", result="[1]")
        message = api.get(f"/v1/messages/{answer.json['id']}").json
        answers.MessageDetail.model_validate(message, strict=True)
        assert (message["status"], message["result"]) == ("delivered", [1])
        assert message["attempts"][0]["traceback"] == "Traceback …"
        assert read(api, message["id"])["user_id"] is None

    def test_in_a_batch_and_changed(self, api: Api) -> None:
        body = {"messages": [{"message": 1, "job": {"type": "resize"}, "delay": 60}, {"message": 2}]}
        first, second = api.post("/v1/messages/batch", body).json["messages"]
        assert [api.get(f"/v1/messages/{m['id']}").json["channel"] for m in (first, second)] == ["job", "echo"]
        changed = api.send("PATCH", f"/v1/messages/{first['id']}", {"message": 3, "priority": "low"})
        assert (changed.json["message"], changed.json["job"]) == (3, {"type": "resize"})

    def test_history_by_type_state_and_time(self, api: Api, clock: FakeClock) -> None:
        ids = []
        for type in ("resize", "another", "resize"):
            ids.append(submit(api, type=type))
            clock.advance(10)
            settle(api, "ack")
        ends = [START_MS + seconds * 1000 for seconds in (10, 20, 30)]

        def found(query: str) -> list[str]:
            page = api.get(f"/v1/messages?status=delivered&channel=job&{query}")
            assert page.status_code == 200, page.text
            return [message["id"] for message in page.json["messages"]]

        assert found("type=resize") == [ids[2], ids[0]]
        assert found(f"since={ends[1]}") == [ids[2], ids[1]]
        assert found(f"until={ends[1]}") == [ids[1], ids[0]]
        assert found(f"since={ends[0] + 1}&until={ends[2] - 1}&type=another") == [ids[1]]
        assert found("since=2027-01-15T08:00:30Z") == [ids[2]]
        assert found("since=2027-01-15T08:00:31Z") == []

    def test_the_document_names_the_registered_types(self, api: Api) -> None:
        schemas = api.get("/openapi.json").json["components"]["schemas"]
        for model in ("JobTarget", "JobIn"):
            assert {"resize", "another"} <= set(schemas[model]["properties"]["type"]["enum"])
