"""/v1/messages and /v1/dead-letters: every verb, every refusal."""

from __future__ import annotations

from typing import Any

import pytest

from scheduler.errors import NotFound, StoreUnavailable
from scheduler.message import Outcome, Status
from scheduler.retry import RetryPolicy
from tests.support.api import Api, AwayStore, fields_of
from tests.support.clock import START_MS, FakeClock
from tests.support.store import take

NOW = "2027-01-15T08:00:00.000Z"
ABSENT = "no-such-message"


@pytest.fixture
def api(clock: FakeClock) -> Api:
    return Api(clock)


def kill(api: Api, **fields: Any) -> str:
    """The id of a new dead letter."""
    id = api.message(delay=None, **fields)
    (claim,) = take(api.store, 1, 1000).claims
    assert claim.id == id
    assert api.store.settle([Outcome(claim, "dead", error="given up")])
    return id


class TestCreate:
    def test_whole_answer(self, api: Api) -> None:
        answer = api.post(
            "/v1/messages",
            {
                "message": {"a": [1, 2.5, None, "ü"]},
                "time": "2027-01-15T10:00:00",
                "timezone": "Europe/Berlin",
                "channel": "echo",
                "priority": "high",
                "retry": {"max_attempts": 2},
                "id": "own.id:1_a-B",
            },
        )
        assert answer.status_code == 201
        assert answer.headers["Location"] == "/v1/messages/own.id:1_a-B"
        assert answer.json == {
            "id": "own.id:1_a-B",
            "status": "scheduled",
            "channel": "echo",
            "message": {"a": [1, 2.5, None, "ü"]},
            "scheduled_for": "2027-01-15T09:00:00.000Z",
            "due_at": "2027-01-15T09:00:00.000Z",
            "due_at_ms": START_MS + 3_600_000,
            "priority": "high",
            "flow": None,
            "attempt": 0,
            "max_attempts": 2,
            "created_at": NOW,
            "updated_at": NOW,
            "last_error": None,
        }
        stored = api.store.get("own.id:1_a-B")
        assert stored.retry == RetryPolicy(max_attempts=2)

    def test_only_a_message_is_due_now(self, api: Api) -> None:
        answer = api.post("/v1/messages", {"message": None})
        assert (answer.status_code, answer.json["message"], answer.json["due_at"]) == (201, None, NOW)
        assert (answer.json["priority"], answer.json["max_attempts"]) == ("normal", 5)

    def test_null_is_not_given(self, api: Api) -> None:
        nothing = dict.fromkeys(["time", "delay", "timezone", "channel", "priority", "retry", "id"])
        assert api.post("/v1/messages", {"message": 1, **nothing}).status_code == 201

    def test_retry_fills_up_from_the_settings(self, clock: FakeClock) -> None:
        api = Api(clock, {"retry": {"max_attempts": 7, "cap_seconds": 9}})
        id = api.message(retry={"base": 2, "factor": 3.5, "jitter": False, "cap": None})
        assert api.store.get(id).retry == RetryPolicy(7, 2.0, 3.5, 9.0, False)

    def test_integers_beyond_64_bits_stay_what_they_are(self, api: Api) -> None:
        number = 123456789012345678901234567890
        answer = api.post("/v1/messages", {"message": [number, 1e30, "12345678901234567890"]})
        assert answer.json["message"] == [number, 1e30, "12345678901234567890"]
        assert str(number) in answer.text

    @pytest.mark.parametrize(
        "body",
        [
            {"message": "x", "delay": "1h", "priority": "low", "retry": {"max_attempts": -1}},
            {"message": [1], "webhook": {"url": "https://example.com/", "headers": {"Authorization": "secret"}}},
        ],
        ids=["echo", "webhook"],
    )
    def test_the_answer_is_what_a_read_shows(self, api: Api, body: dict[str, Any]) -> None:
        answer = api.post("/v1/messages", body)
        read = api.get(f"/v1/messages/{answer.json['id']}").json
        assert read.pop("attempts") == []
        assert answer.json == read

    def test_a_retry_moves_due_at_and_leaves_the_moment_asked_for(self, api: Api, clock: FakeClock) -> None:
        id = api.message(delay=0)
        asked = api.get(f"/v1/messages/{id}").json["due_at"]
        claims = take(api.store, 1, 5000).claims
        api.store.settle([Outcome(claims[0], "retry", delay_ms=60_000, error="HTTP 500")])
        waiting = api.get(f"/v1/messages/{id}").json
        assert (waiting["scheduled_for"], waiting["last_error"]) == (asked, "HTTP 500")
        assert waiting["due_at"] > asked

    def test_a_delivered_message_does_not_look_failed(self, api: Api, clock: FakeClock) -> None:
        id = api.message(delay=0)
        asked = api.get(f"/v1/messages/{id}").json["due_at"]
        for kind in ("retry", "ack"):
            claims = take(api.store, 1, 5000).claims
            error = "HTTP 500" if kind == "retry" else None
            api.store.settle([Outcome(claims[0], kind, delay_ms=0, error=error)])
            clock.advance(0.001)
        delivered = api.get(f"/v1/messages/{id}").json
        assert (delivered["status"], delivered["last_error"], delivered["scheduled_for"]) == ("delivered", None, asked)
        assert [attempt["outcome"] for attempt in delivered["attempts"]] == ["failed", "delivered"]
        (listed,) = api.get("/v1/messages").json["messages"]
        assert (listed["last_error"], listed["scheduled_for"]) == (None, asked)

    def test_redis_gone_or_message_delivered_since(self, api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
        key = {"Idempotency-Key": "K"}
        api.post("/v1/messages", {"message": "x"}, headers=key)
        for error in (NotFound, StoreUnavailable):

            def gone(id: str, error: type[Exception] = error) -> None:
                raise error(id)

            monkeypatch.setattr(api.store, "get", gone)
            for headers in ({}, key):
                answer = api.post("/v1/messages", {"message": "x"}, headers=headers)
                assert (answer.status_code, answer.json["status"], answer.json["due_at"]) == (201, "scheduled", NOW)

    @pytest.mark.parametrize(
        ("body", "field", "words"),
        [
            ({}, "message", "is required"),
            ({"message": 1, "id": ".."}, "id", "'..' cannot be part of an address; accepted: any other name"),
            ({"message": 1, "prioritee": "high"}, "prioritee", "did you mean priority?"),
            ({"message": 1, "qqq": 1}, "qqq", "known: time, delay, timezone"),
            ({"message": 1, "priority": "urgent"}, "priority", "must be 'high', 'normal' or 'low'"),
            ({"message": 1, "priority": 1}, "priority", "must be 'high', 'normal' or 'low'"),
            ({"message": 1, "time": "soon"}, "time", "'soon' is not a time"),
            ({"message": 1, "delay": "soon"}, "delay", "'soon' is not a delay"),
            ({"message": 1, "delay": -1}, "delay", "negative"),
            ({"message": 1, "delay": True}, "delay", "neither text nor a number"),
            ({"message": 1, "time": 9e9, "delay": 1}, "delay", "both given"),
            ({"message": 1, "timezone": "Europe/Berlin"}, "timezone", "time is not given"),
            (
                {"message": 1, "time": "2027-01-01", "timezone": "Europe/Berln"},
                "timezone",
                "did you mean Europe/Berlin",
            ),
            ({"message": 1, "time": 9e9, "timezone": 7}, "timezone", "not a time zone"),
            ({"message": 1, "id": ""}, "id", "must match"),
            ({"message": 1, "id": "a b"}, "id", "must match"),
            ({"message": 1, "id": "a\u0000"}, "id", "must match"),
            ({"message": 1, "id": "a\n"}, "id", "must match"),
            ({"message": 1, "id": "ü"}, "id", "must match"),
            ({"message": 1, "id": "x" * 129}, "id", "must match"),
            ({"message": 1, "id": 7}, "id", "must be a string"),
            ({"message": 1, "channel": "smoke"}, "channel", "must be one of: echo"),
            ({"message": 1, "channel": "job"}, "job", "is required by channel job, and by no other"),
            ({"message": 1, "channel": "echo", "job": {"type": "x"}}, "job", "is required by channel job"),
            ({"message": 1, "job": {"type": "no such type"}}, "job.type", "must match"),
            ({"message": 1, "job": {"type": "x", "typ": 1}}, "job.typ", "did you mean type?"),
            ({"message": 1, "job": {"type": "nobodys"}}, "job.type", "no handler is registered for the job type"),
            ({"message": 1, "retry": []}, "retry", "must be a JSON object"),
            ({"message": 1, "retry": {"max": 1}}, "retry.max", "known: max_attempts"),
            ({"message": 1, "retry": {"max_attempts": 0}}, "retry.max_attempts", "-1"),
            ({"message": 1, "retry": {"max_attempts": -2}}, "retry.max_attempts", "-1"),
            ({"message": 1, "retry": {"max_attempts": 1.5}}, "retry.max_attempts", "must be a whole number"),
            ({"message": 1, "retry": {"max_attempts": "5"}}, "retry.max_attempts", "must be a whole number"),
            ({"message": 1, "retry": {"max_attempts": True}}, "retry.max_attempts", "must be a whole number"),
            ({"message": 1, "retry": {"base": "1"}}, "retry.base", "must be a number"),
            ({"message": 1, "retry": {"base": -1}}, "retry.base", "greater than or equal to 0"),
            ({"message": 1, "retry": {"factor": 0.5}}, "retry.factor", "greater than or equal to 1"),
            ({"message": 1, "retry": {"cap": 1e12}}, "retry.cap", "less than or equal to"),
            ({"message": 1, "retry": {"jitter": "yes"}}, "retry.jitter", "must be true or false"),
        ],
    )
    def test_refused(self, api: Api, body: dict[str, Any], field: str, words: str) -> None:
        answer = api.post("/v1/messages", body)
        assert fields_of(answer) == [field]
        assert words in answer.json["errors"][0]["message"]
        assert sum(api.store.counts().scheduled.values()) == 0

    def test_all_faults_at_once(self, api: Api) -> None:
        answer = api.post("/v1/messages", {"prio": 1, "retry": {"base": "x", "cap": -1}})
        assert sorted(fields_of(answer)) == ["message", "prio", "retry.base", "retry.cap"]
        assert "and 3 more" in answer.json["detail"]

    @pytest.mark.parametrize("body", [[], "x", 1, True])
    def test_not_an_object(self, api: Api, body: Any) -> None:
        answer = api.post("/v1/messages", body)
        assert fields_of(answer) == [""]
        assert answer.json["detail"] == "must be a JSON object"

    def test_own_id_exists(self, api: Api) -> None:
        api.message(id="mine")
        answer = api.post("/v1/messages", {"message": 1, "id": "mine"})
        assert (answer.status_code, answer.mimetype) == (409, "application/problem+json")
        assert "'mine'" in answer.json["detail"]

    def test_past_refused_by_setting(self, clock: FakeClock) -> None:
        api = Api(clock, {"scheduler": {"past": "reject"}})
        assert fields_of(api.post("/v1/messages", {"message": 1, "time": START_MS - 1})) == ["time"]
        assert api.post("/v1/messages", {"message": 1}).status_code == 201


class TestRead:
    def test_one(self, api: Api) -> None:
        id = api.message()
        answer = api.get(f"/v1/messages/{id}")
        assert (answer.status_code, answer.json["id"], answer.json["attempts"]) == (200, id, [])

    def test_attempts(self, api: Api) -> None:
        id = api.message(delay=None)
        (claim,) = take(api.store, 1, 1000).claims
        api.store.settle([Outcome(claim, "retry", duration_ms=3.5, lateness_ms=2, delay_ms=1000, error="no luck")])
        body = api.get(f"/v1/messages/{id}").json
        assert (body["attempt"], body["last_error"]) == (1, "no luck")
        (attempt,) = body["attempts"]
        assert attempt["started_at"] == "2027-01-15T08:00:00.002Z"
        assert (attempt["attempt"], attempt["duration_ms"], attempt["error"]) == (1, 3.5, "no luck")

    @pytest.mark.parametrize("path", [ABSENT, "a%20b", "a%00b", "x" * 200, "%ff"])
    def test_unknown(self, api: Api, path: str) -> None:
        answer = api.get(f"/v1/messages/{path}")
        assert (answer.status_code, answer.mimetype) == (404, "application/problem+json")

    def test_what_cannot_be_an_id_is_not_looked_for(self, clock: FakeClock) -> None:
        away = Api(clock, store=AwayStore())
        assert away.get("/v1/messages/a%20b").status_code == 404
        assert away.get("/v1/messages/a-b").status_code == 503


class TestList:
    def test_pages(self, api: Api) -> None:
        ids = [api.message(delay=3600 + n) for n in range(5)]
        found: list[str] = []
        cursor = None
        while True:
            query = {"limit": "2", "status": "scheduled", **({"cursor": cursor} if cursor else {})}
            page = api.get("/v1/messages", query_string=query).json
            found += [message["id"] for message in page["messages"]]
            cursor = page["next_cursor"]
            if cursor is None:
                break
        assert found == ids

    def test_filters(self, api: Api) -> None:
        high = api.message(priority="high")
        api.message()
        page = api.get("/v1/messages?priority=high&channel=echo&status=scheduled").json
        assert [message["id"] for message in page["messages"]] == [high]
        assert "attempts" not in page["messages"][0]
        assert api.get("/v1/messages?status=dead").json == {"messages": [], "next_cursor": None}

    @pytest.mark.parametrize(
        ("query", "field"),
        [
            ("limit=0", "limit"),
            ("limit=501", "limit"),
            ("limit=-1", "limit"),
            ("limit=", "limit"),
            ("limit=1_0", "limit"),
            ("limit=%201", "limit"),
            ("limit=1.0", "limit"),
            ("limit=%D9%A1", "limit"),
            ("limit=1&limit=2", "limit"),
            ("status=lost", "status"),
            ("status=", "status"),
            ("priority=1", "priority"),
            ("channel=smoke", "channel"),
            ("type=", "type"),
            ("type=a%0Ab", "type"),
            ("since=soon", "since"),
            ("until=-1", "until"),
            ("until=2027-01-16T09:00:00+99:00", "until"),
            ("until=2027-01-16+01:00+01:00+01:00", "until"),
            ("timezone=Mars", "timezone"),
            ("timezone=Mars&since=2027-01-16T09:00", "timezone"),
            ("timezone=", "timezone"),
            ("until=", "until"),
            ("cursor=garbage", "cursor"),
            ("cursor=" + "x" * 1025, "cursor"),
            ("page=2", "page"),
        ],
    )
    def test_refused(self, api: Api, query: str, field: str) -> None:
        assert fields_of(api.get(f"/v1/messages?{query}")) == [field]

    @pytest.mark.parametrize(
        "moment",
        [
            "2027-01-16T09:00:00%2B01:00",
            # An unescaped plus in a query is a blank, and curl escapes nothing.
            "2027-01-16T09:00:00+01:00",
            "2027-01-16T09:00:00.000+01:00",
            "2027-01-16T09:00+0100",
            "20270116T0900+01",
            "20270116T09+01",
            "2027-01-16T13:30:00+05:30",
            "2027-01-16%2009:00:00+01:00",
            "Sat,%2016%20Jan%202027%2009:00:00%20+0100",
            "Sat,+16+Jan+2027+08:00:00+GMT",
            "Sat,+16+Jan+2027+08:00",
            "2027-01-16+08:00",
            "2027-01-16T09:00&timezone=Europe/Berlin",
            "2027-01-16+09:00&timezone=Europe/Berlin",
            # What says an offset is meant in it, whatever the zone.
            "2027-01-16T09:00+01:00&timezone=America/New_York",
            "1800086400&timezone=America/New_York",
        ],
    )
    def test_a_span_of_one_moment_in_any_form(self, api: Api, moment: str) -> None:
        id = api.message(delay="1d")
        time, _, zone = moment.partition("&")
        answer = api.get(f"/v1/messages?status=scheduled&since={time}&until={time}&{zone}")
        assert answer.status_code == 200, answer.text
        assert [message["id"] for message in answer.json["messages"]] == [id]

    def test_what_is_due_tomorrow_in_berlin(self, api: Api) -> None:
        api.message(delay=None, time="2027-01-15T23:59:59.999+01:00")
        first, last = (
            api.message(delay=None, time=f"2027-01-16T{clock}+01:00") for clock in ("00:00:00", "23:59:59.999")
        )
        api.message(delay=None, time="2027-01-17T00:00:00+01:00")
        day = "since=2027-01-16&until=2027-01-16T23:59:59.999"
        shown = api.get(f"/v1/messages?status=scheduled&timezone=Europe/Berlin&{day}").json["messages"]
        assert [message["id"] for message in shown] == [first, last]

    def test_largest_page(self, api: Api) -> None:
        assert api.get("/v1/messages?limit=500").status_code == 200


class TestChange:
    def test_everything(self, api: Api) -> None:
        id = api.message()
        change = {"message": [1], "delay": "2h", "priority": "low", "retry": {"max_attempts": -1}}
        body = api.send("PATCH", f"/v1/messages/{id}", change).json
        assert (body["message"], body["due_at"]) == ([1], "2027-01-15T10:00:00.000Z")
        assert (body["priority"], body["max_attempts"]) == ("low", -1)
        assert "attempts" not in body

    def test_one_field_leaves_the_others(self, api: Api) -> None:
        id = api.message(priority="high")
        before = api.get(f"/v1/messages/{id}").json
        after = api.send("PATCH", f"/v1/messages/{id}", {"message": None}).json
        assert after["message"] is None
        assert (after["priority"], after["due_at"]) == (before["priority"], before["due_at"])

    @pytest.mark.parametrize(
        ("body", "field"),
        [({}, ""), ({"id": "x"}, "id"), ({"channel": "echo"}, "channel"), ({"time": "x"}, "time"),
         ({"timezone": "Europe/Berlin"}, "timezone"), ({"priority": "x"}, "priority")],
    )  # fmt: skip
    def test_refused(self, api: Api, body: dict[str, Any], field: str) -> None:
        id = api.message()
        assert fields_of(api.send("PATCH", f"/v1/messages/{id}", body)) == [field]

    def test_run_now(self, api: Api) -> None:
        id = api.message()
        answer = api.post(f"/v1/messages/{id}/run")
        assert (answer.status_code, answer.json["due_at"]) == (200, NOW)
        assert [claim.id for claim in take(api.store, 1, 1000).claims] == [id]

    def test_cancel(self, api: Api) -> None:
        id = api.message()
        answer = api.send("DELETE", f"/v1/messages/{id}")
        assert (answer.status_code, answer.json["status"]) == (200, "cancelled")

    @pytest.mark.parametrize(
        ("method", "path", "body"),
        [("PATCH", "", {"priority": "low"}), ("DELETE", "", None), ("POST", "/run", None), ("POST", "/redrive", None)],
    )
    def test_unknown_and_elsewhere(self, api: Api, method: str, path: str, body: Any) -> None:
        answer = api.send(method, f"/v1/messages/{ABSENT}{path}", body)
        assert (answer.status_code, answer.mimetype) == (404, "application/problem+json")
        id = api.message(delay=None)
        take(api.store, 1, 1000)
        answer = api.send(method, f"/v1/messages/{id}{path}", body)
        assert (answer.status_code, answer.mimetype) == (409, "application/problem+json")
        assert "processing" in answer.json["detail"]


class TestRedrive:
    def test_one(self, api: Api) -> None:
        id = kill(api)
        answer = api.post(f"/v1/messages/{id}/redrive")
        assert (answer.status_code, answer.json["status"], answer.json["attempt"]) == (200, "scheduled", 0)

    @pytest.mark.parametrize(("body", "expected"), [(None, 3), ({}, 3), ({"limit": 2}, 2), ({"channel": "echo"}, 3)])
    def test_many(self, api: Api, body: Any, expected: int) -> None:
        for _ in range(3):
            kill(api)
        dry_run = api.post("/v1/dead-letters/redrive", {**(body or {}), "dry_run": True})
        assert dry_run.json == {"would_redrive": expected}
        assert api.store.counts().dead == 3
        assert api.post("/v1/dead-letters/redrive", body).json == {"redriven": expected}
        assert len(api.store.page(status=Status.DEAD).messages) == 3 - expected

    @pytest.mark.parametrize(
        ("body", "field"),
        [({"limit": 0}, "limit"), ({"limit": 10_001}, "limit"), ({"limit": "1"}, "limit"), ({"limit": True}, "limit"),
         ({"channel": "smoke"}, "channel"), ({"dry_run": 1}, "dry_run"), ({"dryrun": True}, "dryrun")],
    )  # fmt: skip
    def test_refused(self, api: Api, body: dict[str, Any], field: str) -> None:
        kill(api)
        assert fields_of(api.post("/v1/dead-letters/redrive", body)) == [field]
        assert api.store.counts().dead == 1
