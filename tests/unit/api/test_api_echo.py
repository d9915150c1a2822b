"""/echoAtTime, word for word as the clients of the older systems know it."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

import pytest

from tests.support.api import Api, AwayStore
from tests.support.clock import START_MS, FakeClock

TEXT = {"Accept": "text/plain"}
SOON = "2027-01-15T08:00:05.250Z"
SOON_MS = START_MS + 5250


@pytest.fixture
def api(clock: FakeClock) -> Api:
    return Api(clock)


def test_schedules_and_says_when(api: Api) -> None:
    answer = api.post("/echoAtTime", {"time": SOON, "message": "hello"})
    assert answer.status_code == 200
    body = answer.json
    stored = api.store.get(body.pop("id"))
    assert body == {"status": "success", "message": "message scheduled", "due_at": SOON}
    assert (stored.payload, stored.due_at, stored.channel) == ('"hello"', SOON_MS, "echo")


@pytest.mark.parametrize(
    ("time", "due_at"),
    [
        (SOON_MS, SOON_MS),
        (SOON_MS // 1000, SOON_MS // 1000 * 1000),
        ("1730104372243", 1_730_104_372_243),
        ("1740307996", 1_740_307_996_000),
        ("2027-01-15T09:00:05+01:00", START_MS + 5000),
        ("Fri, 15 Jan 2027 08:00:05 GMT", START_MS + 5000),
        ("2027-01-15 08:00:05", START_MS + 5000),
    ],
)
def test_every_form_of_time(api: Api, time: Any, due_at: int) -> None:
    answer = api.post("/echoAtTime", {"time": time, "message": "x"})
    assert api.store.get(answer.json["id"]).due_at == due_at


def test_local_time_in_a_zone(api: Api) -> None:
    body = {"time": "2027-01-15T09:00:05", "timezone": "Europe/Berlin", "message": "x"}
    assert api.post("/echoAtTime", body).json["due_at"] == "2027-01-15T08:00:05.000Z"


@pytest.mark.parametrize("message", [False, 0, [], {}, {"deep": [1, None]}, " ", "ünï☃", "a\u0000b"])
def test_any_json_value_but_null_and_the_empty_string_is_a_message(api: Api, message: Any) -> None:
    answer = api.post("/echoAtTime", {"time": SOON, "message": message})
    assert api.get(f"/v1/messages/{answer.json['id']}").json["message"] == message


@pytest.mark.parametrize(
    "body",
    [{}, {"time": SOON}, {"message": "x"}, {"time": SOON, "message": ""}, {"time": None, "message": "x"},
     {"time": "", "message": "x"}, {"time": SOON, "message": None}],
)  # fmt: skip
def test_what_is_missing(api: Api, body: dict[str, Any]) -> None:
    answer = api.post("/echoAtTime", body)
    assert answer.status_code == 400
    assert answer.json["status"] == "error"
    assert answer.json["message"].startswith("Missing time or message: ")
    plain = api.post("/echoAtTime", body, headers=TEXT)
    assert (plain.status_code, plain.text, plain.mimetype) == (400, "Missing time or message", "text/plain")


@pytest.mark.parametrize("time", ["tomorrow", "2027-02-30T00:00:00Z", -1, True, {}, [], "NaN", 1e300])
def test_what_is_no_time(api: Api, time: Any) -> None:
    body = {"time": time, "message": "x"}
    answer = api.post("/echoAtTime", body)
    assert answer.status_code == 400
    assert answer.json["message"].startswith("Invalid time format: time: ")
    plain = api.post("/echoAtTime", body, headers=TEXT)
    assert (plain.status_code, plain.text) == (400, "Invalid time format")


def test_plain_text_success(api: Api) -> None:
    answer = api.post("/echoAtTime", {"time": SOON, "message": "x"}, headers=TEXT)
    assert (answer.status_code, answer.text, answer.mimetype) == (200, "Message scheduled successfully", "text/plain")


@pytest.mark.parametrize(
    ("accept", "mimetype"),
    [
        ("*/*", "application/json"),
        ("application/json", "application/json"),
        ("text/html, */*;q=0.8", "application/json"),
        ("text/plain, application/json;q=0.5", "text/plain"),
        ("application/json, text/plain;q=0.5", "application/json"),
        ("text/*", "text/plain"),
    ],
)
def test_the_client_chooses_the_form(api: Api, accept: str, mimetype: str) -> None:
    answer = api.post("/echoAtTime", {"time": SOON, "message": "x"}, headers={"Accept": accept})
    assert answer.mimetype == mimetype


def test_past_moments_are_accepted_by_default(api: Api) -> None:
    assert api.post("/echoAtTime", {"time": 1_000_000_000, "message": "x"}).status_code == 200


def test_past_moments_are_refused_by_setting(clock: FakeClock) -> None:
    api = Api(clock, {"scheduler": {"past": "reject"}})
    answer = api.post("/echoAtTime", {"time": START_MS - 1, "message": "x"})
    assert answer.status_code == 400
    assert "in the past" in answer.json["message"]
    assert "Scheduler.Past" in answer.json["message"]
    assert answer.json["message"].startswith("Time is in the past: time: 2027-01-15T07:59:59.999Z is in the past")
    plain = api.post("/echoAtTime", {"time": START_MS - 1, "message": "x"}, headers=TEXT)
    assert (plain.status_code, plain.text) == (400, "Time is in the past")
    assert api.post("/echoAtTime", {"time": START_MS, "message": "x"}).status_code == 200


def test_what_has_become_due_can_be_cancelled_where_the_past_is_refused(clock: FakeClock) -> None:
    api = Api(clock, {"scheduler": {"past": "reject"}})
    body = {"time": SOON, "message": "x"}
    assert api.post("/echoAtTime", body).status_code == 200
    clock.advance(60)
    assert api.send("DELETE", "/echoAtTime", body).status_code == 200
    assert api.send("DELETE", "/echoAtTime", body).status_code == 404


def test_unknown_fields_are_ignored(api: Api) -> None:
    answer = api.post("/echoAtTime", {"time": SOON, "message": "x", "created_at": SOON, "delay": 5})
    assert (answer.status_code, answer.json["due_at"]) == (200, SOON)


@pytest.mark.parametrize(
    ("time", "due_at"),
    [
        ("June 13, 2099 12:00:00", "2099-06-13T12:00:00.000Z"),
        ("Thu Jun 13 2024 12:00:00 GMT+0000 (Coordinated Universal Time)", "2024-06-13T12:00:00.000Z"),
        ("6/13/2099, 12:00:00 PM", "2099-06-13T12:00:00.000Z"),
        ("6/7/2099", "2099-06-07T00:00:00.000Z"),
        ("2099/06/13 12:00:00", "2099-06-13T12:00:00.000Z"),
        ("2099-06", "2099-06-01T00:00:00.000Z"),
        ("2099", "2099-01-01T00:00:00.000Z"),
    ],
)
def test_what_javascripts_date_takes(api: Api, time: str, due_at: str) -> None:
    body = {"time": time, "message": "x"}
    assert api.post("/echoAtTime", body).json["due_at"] == due_at
    assert api.send("DELETE", "/echoAtTime", body).status_code == 200


@pytest.mark.parametrize("time", ["20", "209", 2099, "3600", 60, 0])
def test_a_short_number_is_never_1970(api: Api, time: Any) -> None:
    answer = api.post("/echoAtTime", {"time": time, "message": "x"})
    assert (answer.status_code, "would lie before 1973" in answer.json["message"]) == (400, True)


FORM = "application/x-www-form-urlencoded"


@pytest.mark.parametrize("declared", [FORM, f"{FORM}; charset=UTF-8", FORM.upper()])
@pytest.mark.parametrize("time", [SOON, str(SOON_MS)])
def test_a_form(api: Api, time: str, declared: str) -> None:
    form = urlencode({"time": time, "message": "1 + 1 = ünï", "other": ""})
    answer = api.send("POST", "/echoAtTime", data=form, content_type=declared)
    assert (answer.status_code, answer.json["due_at"]) == (200, SOON)
    assert api.store.get(answer.json["id"]).payload == '"1 + 1 = ünï"'
    assert api.send("DELETE", "/echoAtTime", data=form, content_type=declared).status_code == 200


@pytest.mark.parametrize(
    ("form", "words"),
    [
        ("", "Missing time or message: time: is required"),
        ("time=2099", "Missing time or message: message: is required"),
        ("time=2099&message=", "Missing time or message: message: is required"),
        ("time=soon&message=x", "Invalid time format: time: 'soon' is not a time"),
        ("time=2099&message=%ff", "the body is not a form in UTF-8"),
        ("&".join(["a=b"] * 101), "the body is not a form in UTF-8 of at most 100 fields"),
    ],
)
def test_a_form_that_is_refused(api: Api, form: str, words: str) -> None:
    answer = api.send("POST", "/echoAtTime", data=form, content_type=FORM)
    assert (answer.status_code, answer.json["message"][: len(words)]) == (400, words)


def test_a_form_is_bounded_like_any_body(clock: FakeClock) -> None:
    api = Api(clock, {"api": {"max_body_bytes": 50}})
    assert api.send("POST", "/echoAtTime", data="time=2099&message=" + "x" * 50, content_type=FORM).status_code == 413


def test_a_body_that_is_not_declared_is_json(api: Api) -> None:
    body = f'{{"time": "{SOON}", "message": "x"}}'
    assert api.send("POST", "/echoAtTime", data=body).status_code == 200
    assert api.send("POST", "/echoAtTime", data=body, content_type="text/plain").status_code == 415
    assert api.send("POST", "/v1/messages", data='{"message": 1}').status_code == 415


@pytest.mark.parametrize(
    ("accept", "mimetype"),
    [
        (None, "text/plain"),
        ("*/*", "text/plain"),
        ("text/html, */*;q=0.8", "text/plain"),
        ("application/json, text/plain, */*", "text/plain"),
        ("image/png", "text/plain"),
        ("application/json", "application/json"),
        ("application/json, text/plain;q=0.5", "application/json"),
    ],
)
def test_text_is_the_answer_where_the_setting_says_so(clock: FakeClock, accept: str | None, mimetype: str) -> None:
    api = Api(clock, {"api": {"echo_answers": "text"}})
    headers = {} if accept is None else {"Accept": accept}
    answer = api.post("/echoAtTime", {"time": SOON, "message": "x"}, headers=headers)
    assert (answer.status_code, answer.mimetype) == (200, mimetype)
    refused = api.post("/echoAtTime", {"time": "soon", "message": "x"}, headers=headers)
    assert (refused.status_code, refused.mimetype) == (400, mimetype)
    if mimetype == "text/plain":
        assert (answer.text, refused.text) == ("Message scheduled successfully", "Invalid time format")


def test_cancelling_several_equal_messages_leaves_a_line(api: Api) -> None:
    body = {"time": SOON, "message": "x"}
    for _ in range(3):
        api.post("/echoAtTime", body)
    api.send("DELETE", "/echoAtTime", body)
    assert api.log.count("DELETE /echoAtTime from 127.0.0.1: cancelled 3 equal messages") == 1


@pytest.mark.parametrize(("time", "message", "shown"), [(SOON, "hello", "hello"), (SOON_MS, {"a": 1}, '{"a":1}')])
def test_delete(api: Api, time: Any, message: Any, shown: str) -> None:
    body = {"time": time, "message": message}
    id = api.post("/echoAtTime", body).json["id"]
    answer = api.send("DELETE", "/echoAtTime", body)
    assert answer.status_code == 200
    assert answer.json == {"status": "success", "message": f"Message '{shown}' at time {time} deleted."}
    assert api.store.get(id).status == "cancelled"
    again = api.send("DELETE", "/echoAtTime", body)
    assert again.status_code == 404
    assert again.json == {"status": "error", "message": "Message not found or already processed"}
    plain = api.send("DELETE", "/echoAtTime", body, headers=TEXT)
    assert (plain.status_code, plain.text) == (404, "Message not found or already processed")


def test_delete_takes_another_form_of_the_same_moment(api: Api) -> None:
    api.post("/echoAtTime", {"time": SOON_MS, "message": "x"})
    assert api.send("DELETE", "/echoAtTime", {"time": SOON, "message": "x"}).status_code == 200


def test_a_repeat_with_the_same_key_stores_nothing_more(api: Api) -> None:
    body, key = {"time": SOON, "message": "x"}, {"Idempotency-Key": "k"}
    first, second = (api.post("/echoAtTime", body, headers=key) for _ in range(2))
    assert first.json == second.json
    assert sum(api.store.counts().scheduled.values()) == 1
    other = api.post("/echoAtTime", {**body, "message": "y"}, headers=key)
    assert (other.status_code, other.json["status"]) == (409, "error")


def test_redis_away(clock: FakeClock) -> None:
    api = Api(clock, store=AwayStore())
    for method in ("POST", "DELETE"):
        answer = api.send(method, "/echoAtTime", {"time": SOON, "message": "x"})
        assert (answer.status_code, answer.headers["Retry-After"]) == (503, "2")
        assert answer.json["status"] == "error"
