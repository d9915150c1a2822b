"""/schedule, /schedules, /purge, /stats, word for word as the clients of the system before this one know them."""

from __future__ import annotations

import json
import re
from typing import Any
from urllib.parse import quote

import pytest

from scheduler.channels.webhook.target import StoredTarget
from scheduler.jobs import REGISTRY, JobType
from scheduler.message import Outcome, Status
from tests.support.api import Api
from tests.support.clock import START_MS, FakeClock
from tests.support.store import take

URL = "https://example.com/hook"
TASK = {"webhook": URL, "ttl": 120, "data": {"message": "Hello, World!"}}


@pytest.fixture
def api(clock: FakeClock) -> Api:
    return Api(clock)


def made(api: Api, path: str = "/schedule", **fields: Any) -> str:
    answer = api.post(path, {**TASK, **fields})
    assert answer.status_code == 200, answer.text
    return str(answer.json["data"])


def test_a_task_is_scheduled_and_its_key_says_what_it_is(api: Api) -> None:
    answer = api.post("/schedule?type=mail", TASK)
    assert (answer.status_code, answer.json["status"]) == (200, 200)
    key = answer.json["data"]
    assert re.fullmatch(r"rsch-ref:mail:[0-9a-f]{32}", key)
    stored = api.store.get(key.rpartition(":")[2])
    assert (stored.channel, stored.due_at, stored.type) == ("webhook", START_MS + 120_000, "mail")
    assert json.loads(stored.payload) == TASK["data"]
    assert json.loads(stored.target or "")["url"] == URL


def test_of_what_is_stored_only_a_task_has_its_redirects_followed(api: Api) -> None:
    task = api.store.get(made(api).rpartition(":")[2])
    message = api.store.get(api.message(webhook={"url": URL}))
    assert StoredTarget.decode(task.target or "").ttl == 120
    assert StoredTarget.decode(message.target or "").ttl is None


def test_the_type_is_default_when_left_out(api: Api) -> None:
    assert made(api).startswith("rsch-ref:default:")


def test_reading_by_the_full_key_and_by_the_bare_id_of_a_default_one(api: Api) -> None:
    key = made(api)
    expected = {
        "status": 200,
        "data": {
            "info": {"key": key, "ttl": 120, "retry": 0, "webhook": URL, "expires": "2027-01-15T08:02:00.000Z"},
            "data": TASK["data"],
        },
    }
    assert api.get(f"/schedule/{key}").json == expected
    assert api.get(f"/schedule/{key.rpartition(':')[2]}").json == expected
    other = made(api, "/schedule?type=mail")
    assert api.get(f"/schedule/{other.rpartition(':')[2]}").status_code == 404, "bare ids are of type default"


@pytest.mark.parametrize("key", ["0" * 32, "rsch-ref:default:" + "0" * 32, "nonsense", "x:" + "0" * 32])
@pytest.mark.parametrize("method", ["GET", "PATCH", "DELETE"])
def test_no_such_task(api: Api, method: str, key: str) -> None:
    body = {"ttl": 5} if method == "PATCH" else None
    answer = api.send(method, f"/schedule/{key}", body)
    assert (answer.status_code, answer.json) == (404, {"status": 404, "error": "Schedule not found."})


def test_a_message_of_another_kind_is_no_task(api: Api) -> None:
    id = "a" * 32
    api.message(id=id)
    assert api.get(f"/schedule/{id}").status_code == 404
    api.message(id="b" * 32, webhook={"url": URL})
    assert api.get(f"/schedule/{'b' * 32}").status_code == 404


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({}, "webhook"),
        ({**TASK, "ttl": 0}, "ttl"),
        ({**TASK, "ttl": "120"}, "ttl"),
        ({**TASK, "ttl": 0.5}, "ttl"),
        ({**TASK, "data": None}, "data"),
        ({"webhook": URL, "ttl": 5}, "data"),
        ({**TASK, "webhook": ""}, "webhook"),
        ({**TASK, "webhook": "ftp://example.com/"}, "webhook"),
        ({**TASK, "webhook": "http://127.0.0.1/"}, "Webhook.AllowPrivateNetworks"),
        ({**TASK, "webhook": "http://2130706433/"}, "webhook"),
    ],
)
def test_refused_in_words_and_nothing_is_stored(api: Api, body: Any, words: str) -> None:
    answer = api.post("/schedule", body)
    assert answer.status_code == 400
    assert answer.json["status"] == 400
    assert words in answer.json["error"]
    assert sum(api.store.counts().scheduled.values()) == 0


def test_unknown_fields_and_parameters_are_ignored(api: Api) -> None:
    key = made(api, "/schedule?_=1&_=2&type=mail", headers={}, created_at="x")
    assert api.send("PATCH", f"/schedule/{key}", {"ttl": 9, "retries": 1}).status_code == 200
    assert api.get("/schedules?page=3").json["data"][0]["info"] == api.get(f"/schedule/{key}").json["data"]["info"]


@pytest.mark.parametrize("type", ["a:b", "my type", "ünï", "a/b", "rsch-ref:x", "?&#%2F", " ", "x" * 128])
def test_any_text_of_bounded_length_is_a_type(api: Api, type: str) -> None:
    first, second = (api.post(f"/schedule?type={quote(type)}", {**TASK, "ttl": ttl}).json["data"] for ttl in (5, 6))
    assert first.startswith(f"rsch-ref:{type}:")
    made(api)
    for path in (f"/schedule/{quote(first)}", f"/schedule/{quote(first, safe='')}"):
        assert api.get(path).json["data"]["info"]["key"] == first
    page = api.get(f"/schedules?limit=1&type={quote(type)}")
    link = re.fullmatch(r'<(.*)>; rel="next"', page.headers["Link"])
    assert link is not None
    assert [task["info"]["key"] for task in api.get(link[1]).json["data"]] == [second]
    assert api.get(f"/v1/messages?type={quote(type)}").json["messages"][0]["id"] in first
    assert api.send("PATCH", f"/schedule/{quote(first)}", {"ttl": 3}).status_code == 200
    assert api.send("DELETE", f"/schedule/{quote(first)}").status_code == 200


@pytest.mark.parametrize("type", ["x" * 129, "a\nb", "\x00", "\x7f"])
def test_a_longer_type_and_control_characters_are_refused(api: Api, type: str) -> None:
    answer = api.post(f"/schedule?type={quote(type)}", TASK)
    assert (answer.status_code, answer.json["error"][:6]) == (400, "type: ")


def test_an_empty_type_is_the_default(api: Api) -> None:
    assert made(api, "/schedule?type=").startswith("rsch-ref:default:")


@pytest.mark.parametrize(
    "declared", [None, "text/plain;charset=UTF-8", "application/x-www-form-urlencoded", "application/json;"]
)
def test_a_body_is_json_whatever_it_is_declared_as(api: Api, declared: str | None) -> None:
    answer = api.send("POST", "/schedule", data=json.dumps(TASK), content_type=declared)
    assert answer.status_code == 200
    key = answer.json["data"]
    answer = api.send("PATCH", f"/schedule/{key}", data='{"ttl": 7}', content_type=declared)
    assert (answer.status_code, api.get(f"/schedule/{key}").json["data"]["info"]["ttl"]) == (200, 7)
    assert api.send("POST", "/schedule", data="webhook=x", content_type=declared).status_code == 400


def warnings(api: Api) -> list[str]:
    return [line for line in api.log.infos + api.log.errors if "SendApiToken" in line]


@pytest.mark.parametrize(("token", "send", "expected"), [("right", False, 1), ("right", True, 0), ("", False, 0)])
def test_calls_without_the_token_are_warned_of_once(clock: FakeClock, token: str, send: bool, expected: int) -> None:
    api = Api(clock, {"api": {"auth_token": token}, "webhook": {"send_api_token": send}})
    for _ in range(3):
        assert api.post("/schedule", TASK, headers={"Authorization": token}).status_code == 200
    assert len(warnings(api)) == expected
    for words in ("WEBHOOK__SEND_API_TOKEN=true", "API_AUTH", "docs/moving.md")[: expected * 3]:
        assert words in warnings(api)[0]


def test_a_list_looks_for_tasks_in_redis_and_loads_nothing_else(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    key = made(api, ttl=7200)
    for _ in range(20):
        api.message(webhook={"url": URL})
    loaded: list[int] = []
    page = api.store.page

    def counting(**filters: Any) -> Any:
        found = page(**filters)
        loaded.append(len(found.messages))
        return found

    monkeypatch.setattr(api.store, "page", counting)
    assert [task["info"]["key"] for task in api.get("/schedules").json["data"]] == [key]
    assert loaded == [1]


def test_a_list_of_all_and_of_one_type(api: Api, clock: FakeClock) -> None:
    assert api.get("/schedules").json == {"status": 200, "data": []}
    late, soon = made(api, ttl=60), made(api, "/schedule?type=mail", ttl=30)
    api.message()
    api.message(webhook={"url": URL})
    assert [task["info"]["key"] for task in api.get("/schedules").json["data"]] == [soon, late]
    assert [task["info"]["key"] for task in api.get("/schedules?type=mail").json["data"]] == [soon]
    assert api.get("/schedules?type=other").json["data"] == []


def test_a_list_by_pages(api: Api) -> None:
    keys = [made(api, ttl=10 + n) for n in range(5)]
    seen: list[str] = []
    path = "/schedules?limit=2"
    while path:
        answer = api.get(path)
        seen += [task["info"]["key"] for task in answer.json["data"]]
        link = re.fullmatch(r'<(.*)>; rel="next"', answer.headers.get("Link", ""))
        path = link[1] if link else ""
    assert seen == keys


def test_a_change_starts_the_countdown_again(api: Api, clock: FakeClock) -> None:
    key = made(api)
    clock.advance(100)
    answer = api.send("PATCH", f"/schedule/{key}", {"data": "new"})
    assert answer.json == {"status": 200, "data": "Schedule updated successfully."}
    task = api.get(f"/schedule/{key}").json["data"]
    assert task["data"] == "new"
    assert task["info"]["expires"] == "2027-01-15T08:03:40.000Z", "100 s have passed, then 120 s again"


def test_a_change_of_ttl_and_webhook_lasts(api: Api, clock: FakeClock) -> None:
    key = made(api)
    api.send("PATCH", f"/schedule/{key}", {"ttl": 30, "webhook": "https://example.org/other"})
    api.send("PATCH", f"/schedule/{key}", {"data": 1})
    info = api.get(f"/schedule/{key}").json["data"]["info"]
    assert (info["ttl"], info["webhook"]) == (30, "https://example.org/other")
    assert info["expires"] == "2027-01-15T08:00:30.000Z"


@pytest.mark.parametrize("data", [False, True, [], {}, " ", -1, "0"])
def test_false_and_whatever_else_is_no_zero_is_a_value(api: Api, data: Any) -> None:
    key = made(api)
    assert api.send("PATCH", f"/schedule/{key}", {"data": data}).json["data"] == "Schedule updated successfully."
    assert json.dumps(api.get(f"/schedule/{key}").json["data"]["data"]) == json.dumps(data)


@pytest.mark.parametrize(
    "body", [{}, {"webhook": "", "ttl": 0, "data": None}, {"webhook": None, "ttl": None}, {"data": 0}, {"data": ""}]
)
def test_empty_zero_and_null_mean_unchanged(api: Api, body: dict[str, Any]) -> None:
    key = made(api)
    before = api.get(f"/schedule/{key}").json
    assert api.send("PATCH", f"/schedule/{key}", body).status_code == 200
    assert api.get(f"/schedule/{key}").json == before


def test_deleting(api: Api) -> None:
    key = made(api)
    answer = api.send("DELETE", f"/schedule/{key}")
    assert answer.json == {"status": 200, "data": "Schedule deleted successfully."}
    assert api.get(f"/schedule/{key}").status_code == 404


def test_a_task_in_flight_can_be_read_but_not_changed(api: Api, clock: FakeClock) -> None:
    key = made(api, ttl=1)
    clock.advance(1)
    assert len(take(api.store, 10, 5000).claims) == 1
    assert api.get(f"/schedule/{key}").json["data"]["info"]["retry"] == 1
    for method, body in (("PATCH", {"ttl": 9}), ("DELETE", None)):
        answer = api.send(method, f"/schedule/{key}", body)
        assert (answer.status_code, answer.json["status"]) == (409, 409)


@pytest.mark.parametrize(("method", "path"), [("POST", "/purge"), ("DELETE", "/schedules")])
def test_purging_removes_the_tasks_and_nothing_else(
    api: Api, clock: FakeClock, monkeypatch: pytest.MonkeyPatch, method: str, path: str
) -> None:
    api.store.client.set("somebody:else", "1")
    finished = made(api, ttl=1).rpartition(":")[2]
    clock.advance(1)
    (claim,) = take(api.store, 10, 5000).claims
    api.store.settle([Outcome(claim, "ack")])
    for type in ("default", "a:b", "mail"):
        made(api, f"/schedule?type={type}")
    echo = api.post("/echoAtTime", {"time": 9e9, "message": "x"}).json["id"]
    monkeypatch.setattr(REGISTRY, "_types", {"wait": JobType("wait", lambda payload, context: None, 1)})
    others = {echo, api.message(priority="high"), api.message(webhook={"url": URL}), api.message(job={"type": "wait"})}
    answer = api.send(method, path)
    assert answer.json == {"status": 200, "data": "Redis database purged successfully."}
    assert {m["id"] for m in api.get("/v1/messages?status=scheduled").json["messages"]} == others
    assert api.store.client.get("somebody:else") == "1"
    assert api.store.get(finished).status == Status.DELIVERED
    assert len(api.store.client.keys("ms1:*:msg:*")) == len(others) + 1
    assert api.log.count(f"{method} {path} from 127.0.0.1: removed 3 scheduled webhook tasks; ") == 1


def test_figures(api: Api) -> None:
    made(api)
    answer = api.get("/stats")
    data = answer.json["data"]
    assert (answer.json["status"], data["running_schedules"]) == (200, 1)
    assert data["total_redis_keys"] >= 2
    assert re.fullmatch(r"\d+\.\d\dMB", data["ram_usage"])
    assert data["ram_usage"] == f"{data['ram_usage_bytes'] / 2**20:.2f}MB"
    assert re.fullmatch(r"\d+h\d+m\d+\.\ds", data["system_uptime"])
    assert data["go_routines"] >= 1
    assert isinstance(data["cpu_usage"], float)


@pytest.mark.parametrize(("retries", "attempts"), [(5, 6), (0, 1), (-1, -1)])
def test_retries_are_those_of_the_environment(clock: FakeClock, retries: int, attempts: int) -> None:
    api = Api(clock, {"tasks": {"retries": retries, "retry_seconds": 7}})
    policy = api.store.get(made(api).rpartition(":")[2]).retry
    assert policy is not None
    assert policy.max_attempts == attempts
    assert [policy.delay_ms(n) for n in (1, 2, 30)] == [7000] * 3


@pytest.mark.parametrize("headers", [{}, {"Authorization": "wrong"}])
def test_the_token(clock: FakeClock, headers: dict[str, str]) -> None:
    api = Api(clock, {"api": {"auth_token": "right"}})
    answer = api.get("/schedules", headers=headers)
    assert (answer.status_code, answer.json) == (401, {"status": 401, "data": "Unauthorized."})
    assert api.get("/schedules", headers={"Authorization": "right"}).status_code == 200


def test_a_wrong_method_and_an_unknown_path(api: Api) -> None:
    assert api.get("/nowhere").json == {"status": 404, "error": "Route not found."}
    assert api.send("PUT", "/schedule", {}).json["status"] == 405


def test_credentials_in_a_url_are_masked(api: Api) -> None:
    key = made(api, webhook="https://user:hunter2@example.com/hook")
    assert "hunter2" not in api.get(f"/schedule/{key}").text
    assert "hunter2" not in api.get(f"/v1/messages/{key.rpartition(':')[2]}").text
    # An unchanged webhook is not the masked one.
    api.send("PATCH", f"/schedule/{key}", {"ttl": 9})
    assert "hunter2" in (api.store.get(key.rpartition(":")[2]).target or "")
