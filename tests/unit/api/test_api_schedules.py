"""/v1/schedules: every verb, every refusal, and that nothing secret comes back."""

from __future__ import annotations

from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import pytest

from scheduler.recurrence import zones
from scheduler.store.scheduling import ChangedMeanwhile
from tests.support.api import Api, AwayStore
from tests.support.clock import START_MS, FakeClock
from tests.support.store import take

HOUR = 3_600_000
HOOK = "https://93.184.215.14/hook"


@pytest.fixture
def api(clock: FakeClock) -> Api:
    """It is 2027-01-15T08:00:00Z."""
    return Api(clock)


def schedule(api: Api, id: str = "s", **fields: Any) -> Any:
    """What the API answers to a new schedule of every hour."""
    if not {"cron", "every"} & set(fields):
        fields["every"] = "1h"
    answer = api.post("/v1/schedules", {"id": id, "message": "hello", **fields})
    assert answer.status_code == 201, answer.text
    return answer.json


def faults(answer: Any) -> dict[str, str]:
    assert answer.status_code == 400, answer.text
    assert answer.mimetype == "application/problem+json"
    return {error["field"]: error["message"] for error in answer.json["errors"]}


def pending(api: Api) -> list[dict[str, Any]]:
    return list(api.get("/v1/messages?status=scheduled").json["messages"])


def test_a_whole_schedule(api: Api) -> None:
    answer = api.post(
        "/v1/schedules",
        {
            "id": "nightly", "cron": "30 2 * * *", "timezone": "Europe/Berlin", "start": "2027-01-20T00:00:00",
            "end": "2027-12-31", "max_runs": 3, "jitter": "10m", "overlap": "skip", "labels": ["reports", "night"],
            "catch_up": {"policy": "all", "window": "2d", "limit": 5}, "message": {"a": 1}, "priority": "high",
            "webhook": {"url": HOOK, "headers": {"Authorization": "Bearer secret"}}, "retry": {"max_attempts": 2},
        },
    )  # fmt: skip
    assert answer.status_code == 201
    assert answer.headers["Location"] == "/v1/schedules/nightly"
    found = answer.json
    assert found == api.get("/v1/schedules/nightly").json
    days = [f"2027-01-{day}" for day in (20, 21, 22)]
    runs = [(run["at"], run["local"]) for run in found.pop("next_runs")]
    assert runs == [(f"{day}T01:30:00.000Z", f"{day}T02:30:00+01:00") for day in days], "max_runs ends it"
    assert found.pop("next_run")["at"] == "2027-01-20T01:30:00.000Z"
    assert found == {
        "id": "nightly", "status": "active", "cron": "30 2 * * *", "every": None, "timezone": "Europe/Berlin",
        "start": "2027-01-19T23:00:00.000Z", "end": "2027-12-30T23:00:00.000Z", "max_runs": 3, "jitter": "10m",
        "catch_up": {"policy": "all", "window": "2d", "limit": 5}, "overlap": "skip", "labels": ["reports", "night"],
        "channel": "webhook", "message": {"a": 1}, "priority": "high", "max_attempts": 2,
        "webhook": {"url": HOOK, "method": "POST", "headers": {"Authorization": "***"}},
        "note": None, "overdue": False, "running": None, "buffered": None, "last_runs": [],
        "counters": {
            "made": 0, "delivered": 0, "dead": 0, "cancelled": 0, "caught_up": 0,
            "skipped": {"overlap": 0, "missed": 0, "changed": 0},
        },
        "created_at": "2027-01-15T08:00:00.000Z", "updated_at": "2027-01-15T08:00:00.000Z",
    }  # fmt: skip


def test_its_message_carries_where_it_comes_from(api: Api) -> None:
    schedule(api, jitter="30m")
    (message,) = pending(api)
    assert (message["schedule_id"], message["origin"]) == ("s", "plan")
    assert message["id"] == f"s:{START_MS + HOUR}"
    assert message["scheduled_for"] == "2027-01-15T09:00:00.000Z" < message["due_at"]
    api.message()
    assert [m["id"] for m in api.get("/v1/messages?schedule=s").json["messages"]] == [message["id"]]


@pytest.mark.parametrize(
    ("fields", "at_fault"),
    [
        ({"cron": None, "every": None}, "cron"),
        ({"cron": "0 9 * * *"}, "cron"),
        ({"every": None, "cron": "0 25 * * *"}, "cron"),
        ({"every": None, "cron": "0 0 30 2 *"}, "cron"),
        ({"every": "0.5s"}, "every"),
        ({"every": "soon"}, "every"),
        ({"timezone": "Europe/Berln"}, "timezone"),
        ({"start": "tomorrow"}, "start"),
        ({"end": "2026-01-01"}, "end"),
        ({"max_runs": 0}, "max_runs"),
        ({"jitter": "1h"}, "jitter"),
        ({"jitter": "much"}, "jitter"),
        ({"catch_up": {"policy": "some"}}, "catch_up.policy"),
        ({"catch_up": {"window": "far"}}, "catch_up.window"),
        ({"catch_up": {"limit": 1001}}, "catch_up.limit"),
        ({"catch_up": {"polic": "all"}}, "catch_up.polic"),
        ({"overlap": "queue"}, "overlap"),
        ({"labels": ["a b"]}, "labels.0"),
        ({"paused": "yes"}, "paused"),
        ({"channel": "webhook"}, "webhook"),
        ({"webhook": {"url": "http://127.0.0.1/"}}, "webhook.url"),
        ({"job": {"type": "unknown_job"}}, "job.type"),
        ({"delay": 5}, "delay"),
        ({"time": "2027-02-01"}, "time"),
        ({"id": "a/b"}, "id"),
        ({"id": "preview"}, "id"),
        ({"id": ".."}, "id"),
    ],
)
def test_what_is_wrong_is_named(api: Api, fields: dict[str, Any], at_fault: str) -> None:
    answer = api.post("/v1/schedules", {"every": "1h", "message": "hello", **fields})
    assert at_fault in faults(answer)
    assert api.get("/v1/schedules").json["schedules"] == []
    assert pending(api) == []


def test_a_start_without_an_offset_is_in_the_zone_of_cron_tz(api: Api) -> None:
    bounds = {"start": "2027-07-01T09:00", "end": "2027-07-01T09:00"}
    found = schedule(api, cron="CRON_TZ=Europe/Berlin 0 9 * * *", **bounds)
    assert [run["local"] for run in found["next_runs"]] == ["2027-07-01T09:00:00+02:00"]
    change = {"cron": "CRON_TZ=America/New_York 0 9 * * *", **bounds}
    found = api.send("PATCH", "/v1/schedules/s", change).json
    assert [run["local"] for run in found["next_runs"]] == ["2027-07-01T09:00:00-04:00"]


def test_a_zone_that_this_server_lacks_hides_no_schedule(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    schedule(api, cron="0 9 * * *", timezone="Europe/Kyiv")
    schedule(api, "t")

    def lacking(key: str) -> ZoneInfo:
        raise ZoneInfoNotFoundError(key)

    zones._zone.cache_clear()
    monkeypatch.setattr(zones, "ZoneInfo", lacking)
    assert {one["id"] for one in api.get("/v1/schedules").json["schedules"]} == {"s", "t"}
    found = api.get("/v1/schedules/s").json
    assert (found["next_run"]["local"], found["next_runs"]) == ("2027-01-16T07:00:00+00:00", [])
    assert api.post("/v1/schedules/s/pause").json["status"] == "paused"
    assert "is missing in the time zone data of this server" in faults(api.post("/v1/schedules/s/resume"))["timezone"]
    monkeypatch.undo()
    assert api.post("/v1/schedules/s/resume").json["status"] == "active"


def test_a_message_is_required(api: Api) -> None:
    assert faults(api.post("/v1/schedules", {"every": "1h"})) == {"message": "is required"}


def test_an_id_is_taken_once_and_a_key_makes_a_repeat_safe(api: Api) -> None:
    schedule(api)
    assert api.post("/v1/schedules", {"id": "s", "every": "1h", "message": 1}).status_code == 409
    once = {"headers": {"Idempotency-Key": "k"}}
    body = {"every": "1h", "message": 1}
    first = api.post("/v1/schedules", body, **once).json
    assert api.post("/v1/schedules", body, **once).json["id"] == first["id"]
    assert api.post("/v1/schedules", {**body, "message": 2}, **once).status_code == 409
    assert "id" in faults(api.post("/v1/schedules", {**body, "id": "t"}, **once))
    again = {"headers": {"Idempotency-Key": "r"}}
    runs = [api.post("/v1/schedules/s/run", **again).json["id"] for _ in range(2)]
    assert runs[0] == runs[1]


class TestPut:
    BODY: dict[str, Any] = {"every": "1h", "message": 1, "labels": ["a"]}  # noqa: RUF012 - never changed

    def test_again_and_again(self, api: Api, clock: FakeClock) -> None:
        first = api.send("PUT", "/v1/schedules/s", self.BODY)
        assert first.status_code == 200
        clock.advance(60)
        assert api.send("PUT", "/v1/schedules/s", self.BODY).json == first.json

    def test_what_it_leaves_out_is_gone(self, api: Api) -> None:
        schedule(api, labels=["a"], overlap="skip", max_runs=9, jitter="5m")
        found = api.send("PUT", "/v1/schedules/s", {"every": "1h", "message": "hello"}).json
        assert (found["labels"], found["overlap"], found["max_runs"], found["jitter"]) == ([], "allow", None, None)

    def test_it_leaves_a_pause_alone_unless_it_says_so(self, api: Api) -> None:
        api.send("PUT", "/v1/schedules/s", self.BODY)
        api.post("/v1/schedules/s/pause", {"note": "holidays"})
        found = api.send("PUT", "/v1/schedules/s", {**self.BODY, "labels": []}).json
        assert (found["status"], found["note"], found["labels"]) == ("paused", "holidays", [])
        assert api.send("PUT", "/v1/schedules/s", {**self.BODY, "paused": False}).json["status"] == "active"
        assert api.send("PUT", "/v1/schedules/s", {**self.BODY, "paused": True}).json["status"] == "paused"

    def test_again_after_its_end(self, api: Api, clock: FakeClock) -> None:
        body = {**self.BODY, "end": "2027-01-15T09:30:00"}
        first = api.send("PUT", "/v1/schedules/s", body).json
        clock.advance(2 * 3600)
        again = api.send("PUT", "/v1/schedules/s", body)
        assert (again.status_code, again.json["updated_at"]) == (200, first["updated_at"])
        assert "end" in faults(api.send("PUT", "/v1/schedules/new", body))

    @pytest.mark.parametrize("id", ["preview", "a" * 101])
    def test_ids_that_none_may_have(self, api: Api, id: str) -> None:
        assert "schedule" in faults(api.send("PUT", f"/v1/schedules/{id}", self.BODY))


class TestPatch:
    def test_each_field(self, api: Api) -> None:
        schedule(api, webhook={"url": HOOK, "headers": {"X-Api-Key": "secret"}})
        change = {
            "cron": "0 9 * * MON", "timezone": "Asia/Tokyo", "end": "2028-01-01", "max_runs": 50, "jitter": 60,
            "catch_up": {"policy": "none"}, "overlap": "buffer", "labels": ["b", "b"], "message": None,
            "priority": "low", "retry": {"max_attempts": 7},
        }  # fmt: skip
        found = api.send("PATCH", "/v1/schedules/s", change).json
        assert {name: found[name] for name in ("cron", "every", "timezone", "end", "max_runs", "jitter")} == {
            "cron": "0 9 * * MON", "every": None, "timezone": "Asia/Tokyo", "end": "2027-12-31T15:00:00.000Z",
            "max_runs": 50, "jitter": "1m",
        }  # fmt: skip
        assert found["catch_up"] == {"policy": "none", "window": "1h", "limit": 100}
        assert (found["overlap"], found["labels"], found["message"]) == ("buffer", ["b"], None)
        assert (found["priority"], found["max_attempts"]) == ("low", 7)
        assert found["webhook"]["headers"] == {"X-Api-Key": "***"}, "it stays"
        (message,) = pending(api)
        assert (message["message"], message["due_at"]) == (None, message["due_at"])
        assert message["scheduled_for"] == found["next_run"]["at"] == "2027-01-18T00:00:00.000Z"

    def test_null_takes_a_bound_away_and_nothing_else(self, api: Api) -> None:
        bounds: dict[str, Any] = {"start": "2027-02-01", "end": "2028-01-01", "max_runs": 50, "jitter": 60}
        schedule(api, **bounds, labels=["a"], overlap="skip")
        nothing = dict.fromkeys((*bounds, "cron", "timezone", "overlap", "labels", "priority", "catch_up"))
        found = api.send("PATCH", "/v1/schedules/s", nothing).json
        assert {name: found[name] for name in bounds} == dict.fromkeys(bounds)
        assert (found["overlap"], found["labels"], found["catch_up"]["policy"]) == ("skip", ["a"], "latest")
        assert found["next_run"]["at_ms"] < START_MS + 31 * 24 * HOUR

    @pytest.mark.parametrize(
        ("change", "last"),
        [
            ({"end": "2027-01-15T09:00:00"}, 1),
            ({"end": "2027-01-15T10:45:00"}, 2),
            ({"max_runs": 2}, 2),
            ({"timezone": "Asia/Tokyo", "max_runs": 3}, 3),
        ],
    )
    def test_an_interval_keeps_its_phase_when_only_its_ends_or_its_zone_change(
        self, api: Api, clock: FakeClock, change: dict[str, Any], last: int
    ) -> None:
        schedule(api)
        clock.advance(0.7 * 3600)
        found = api.send("PATCH", "/v1/schedules/s", change).json
        assert [run["at_ms"] - START_MS for run in found["next_runs"]] == [n * HOUR for n in range(1, last + 1)]

    def test_more_runs_are_counted_from_where_it_began_and_an_end_in_the_past_ends_it(
        self, api: Api, clock: FakeClock
    ) -> None:
        schedule(api, cron="0 * * * *", max_runs=2)
        clock.advance(3 * 3600)
        found = api.send("PATCH", "/v1/schedules/s", {"max_runs": 5}).json
        assert [run["at_ms"] - START_MS for run in found["next_runs"]] == [n * HOUR for n in (4, 5)]
        assert api.send("PATCH", "/v1/schedules/s", {"end": "2027-01-15T10:00:00"}).json["status"] == "ended"

    def test_a_new_interval_begins_anew(self, api: Api, clock: FakeClock) -> None:
        schedule(api)
        clock.advance(0.7 * 3600)
        found = api.send("PATCH", "/v1/schedules/s", {"every": "2h"}).json
        assert found["next_run"]["at_ms"] - START_MS == 2.7 * HOUR

    def test_a_webhook_is_replaced_and_no_channel_is(self, api: Api) -> None:
        schedule(api, "w", webhook={"url": HOOK})
        schedule(api, "e")
        new = {"webhook": {"url": HOOK + "/2"}}
        assert api.send("PATCH", "/v1/schedules/w", new).json["webhook"]["url"] == HOOK + "/2"
        assert "webhook" in faults(api.send("PATCH", "/v1/schedules/e", new))

    def test_refusals(self, api: Api) -> None:
        schedule(api)
        assert "" in faults(api.send("PATCH", "/v1/schedules/s", {}))
        assert "jitter" in faults(api.send("PATCH", "/v1/schedules/s", {"jitter": "2h"}))
        assert "cron" in faults(api.send("PATCH", "/v1/schedules/s", {"cron": "0 9 * * *", "every": "1h"}))
        assert api.send("PATCH", "/v1/schedules/nope", {"labels": []}).status_code == 404


def test_pause_resume_and_their_notes(api: Api, clock: FakeClock) -> None:
    schedule(api)
    paused = api.post("/v1/schedules/s/pause", {"note": "holidays"}).json
    assert (paused["status"], paused["note"], paused["next_run"]) == ("paused", "holidays", None)
    assert len(paused["next_runs"]) == 5, "as they would be"
    assert pending(api) == []
    clock.advance(2 * 3600)
    resumed = api.post("/v1/schedules/s/resume").json
    assert (resumed["status"], resumed["note"]) == ("active", None)
    assert resumed["next_run"]["at_ms"] == START_MS + 3 * HOUR
    assert "note" in faults(api.post("/v1/schedules/s/pause", {"note": "two\nlines"}))


def test_what_has_ended_can_neither_be_paused_nor_resumed(api: Api) -> None:
    schedule(api, cron="0 7 * * *", start="2027-01-14", end="2027-01-15T07:00:00")
    assert api.get("/v1/schedules/s").json["status"] == "ended"
    for verb in ("pause", "resume"):
        answer = api.post(f"/v1/schedules/s/{verb}")
        assert (answer.status_code, "has ended" in answer.json["detail"]) == (409, True)
    found = api.send("PATCH", "/v1/schedules/s", {"end": "2027-02-01"}).json
    assert (found["status"], found["next_run"]["at"]) == ("active", "2027-01-16T07:00:00.000Z")


def test_run_now(api: Api) -> None:
    schedule(api, priority="low")
    answer = api.post("/v1/schedules/s/run")
    assert answer.status_code == 201
    message = answer.json
    assert answer.headers["Location"] == f"/v1/messages/{message['id']}"
    assert (message["schedule_id"], message["origin"], message["priority"]) == ("s", "run", "low")
    assert message["due_at_ms"] == START_MS
    assert [claim.id for claim in take(api.store, 5, 1000).claims] == [message["id"]]


def test_backfill(api: Api) -> None:
    schedule(api)
    span = {"from": "2027-01-15T00:00:00", "to": "2027-01-15T08:00:00", "timezone": "UTC"}
    dry = api.post("/v1/schedules/s/backfill", {**span, "dry_run": True}).json
    assert dry == {
        "runs": 9, "would_make": 9, "existing": 0, "more": False,
        "first": "2027-01-15T00:00:00.000Z", "last": "2027-01-15T08:00:00.000Z",
    }  # fmt: skip
    part = api.post("/v1/schedules/s/backfill", {**span, "limit": 4}).json
    assert (part["made"], part["more"], part["last"]) == (4, True, "2027-01-15T03:00:00.000Z")
    whole = api.post("/v1/schedules/s/backfill", span).json
    assert (whole["runs"], whole["made"], whole["existing"]) == (9, 5, 4)
    assert {m["priority"] for m in pending(api) if m["origin"] == "backfill"} == {"low"}
    assert "to" in faults(api.post("/v1/schedules/s/backfill", {**span, "to": "2027-01-15T09:00:00"}))
    assert "from" in faults(api.post("/v1/schedules/s/backfill", {**span, "from": "x"}))
    assert "from" in faults(api.post("/v1/schedules/s/backfill", {"to": "2027-01-15"}))


def test_no_backfill_before_a_start_that_was_asked_for(api: Api) -> None:
    schedule(api, start="2027-01-15T06:00:00")
    answer = api.post("/v1/schedules/s/backfill", {"from": "2027-01-15", "to": "2027-01-15T08:00:00"})
    assert answer.json["first"] == "2027-01-15T06:00:00.000Z"


def test_delete(api: Api) -> None:
    schedule(api)
    gone = api.send("DELETE", "/v1/schedules/s")
    assert (gone.status_code, gone.json["id"]) == (200, "s")
    assert pending(api) == []
    for method, path in (("GET", ""), ("DELETE", ""), ("POST", "/run"), ("POST", "/pause"), ("POST", "/resume")):
        answer = api.send(method, f"/v1/schedules/s{path}")
        assert (answer.status_code, answer.json["detail"]) == (404, "There is no schedule 's'.")


def test_lists(api: Api) -> None:
    for n, every in enumerate(("3h", "1h", "2h")):
        schedule(api, f"s{n}", every=every, labels=[f"l{n % 2}"])
    schedule(api, "p", paused=True, labels=["l0"])

    def ids(query: str) -> list[str]:
        answer = api.get(f"/v1/schedules{query}").json
        assert "next_runs" not in answer["schedules"][0]
        return [each["id"] for each in answer["schedules"]]

    assert ids("") == ["s1", "s2", "s0", "p"]
    assert ids("?status=paused") == ["p"]
    assert ids("?label=l0") == ["s2", "s0", "p"]
    first = api.get("/v1/schedules?limit=3").json
    assert [each["id"] for each in first["schedules"]] == ["s1", "s2", "s0"]
    assert ids(f"?cursor={first['next_cursor']}") == ["p"]
    assert "status" in faults(api.get("/v1/schedules?status=scheduled"))
    assert "cursor" in faults(api.get("/v1/schedules?cursor=x"))
    assert "label" in faults(api.get("/v1/schedules?label="))


def test_counts(api: Api, clock: FakeClock) -> None:
    schedule(api)
    schedule(api, "p", paused=True)
    clock.advance(3600 + 8)
    assert api.get("/v1/stats").json["schedules"] == {
        "active": 1, "paused": 1, "ended": 0, "failing": 0, "overdue": 1, "oldest_overdue_age_ms": 8000,
    }  # fmt: skip
    assert api.get("/v1/schedules/s").json["overdue"]
    lines = api.get("/metrics").text.splitlines()
    assert 'scheduler_schedules{state="overdue"} 1.0' in lines
    assert "scheduler_oldest_overdue_schedule_seconds 8.0" in lines
    assert 'scheduler_schedule_skips_total{reason="missed"} 0.0' in lines


def test_a_schedule_that_others_change_all_the_time_is_a_conflict(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    schedule(api)

    def changed(*_: Any, **__: Any) -> Any:
        raise ChangedMeanwhile("The schedule 's' was changed at the same time; try again.")

    monkeypatch.setattr(api.store, "write_schedule", changed)
    assert api.send("PATCH", "/v1/schedules/s", {"labels": ["x"]}).status_code == 409


def test_without_redis(clock: FakeClock) -> None:
    api = Api(clock, store=AwayStore())
    assert api.get("/v1/schedules").status_code == 503
    assert api.post("/v1/schedules", {"every": "1h", "message": 1}).status_code == 503
