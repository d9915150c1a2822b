"""The webhook of a message at the API: what is accepted and stored, what is refused in which words, what is shown."""

from __future__ import annotations

import json
from typing import Any

import pytest

from scheduler.message import NewMessage
from tests.support.api import Api
from tests.support.clock import FakeClock
from tests.support.store import take
from tests.unit.channels.test_webhook_addresses import HOSTILE, MALFORMED, PUBLIC

URL = "https://example.com/hook"
SECRET = "hunter2hunter2"
METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE"]


@pytest.fixture
def api(clock: FakeClock) -> Api:
    return Api(clock)


@pytest.fixture(scope="module")
def shared() -> Api:
    """For the many requests that store nothing."""
    api = Api(FakeClock())
    api.message(id="existing", webhook={"url": URL})
    return api


def body(url: Any = URL, **webhook: Any) -> dict[str, Any]:
    return {"message": "hello", "delay": 3600, "webhook": {"url": url, **webhook}}


def stored(api: Api, id: str) -> Any:
    """The webhook as the channel will read it."""
    return json.loads(api.store.get(id).target or "")


def waiting(api: Api) -> int:
    return sum(api.store.counts().scheduled.values())


# -- accepted ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", METHODS)
def test_every_method_headers_and_a_timeout_by_each_of_the_three_ways_in(api: Api, method: str) -> None:
    webhook = {"url": URL, "method": method, "headers": {"X-Shop": "berlin"}, "timeout": 7.5}
    one = api.post("/v1/messages", {"message": "hello", "delay": 9, "webhook": webhook}).json["id"]
    batch = api.post("/v1/messages/batch", {"messages": [body(), {"message": 1, "webhook": webhook}]})
    changed = api.message(webhook={"url": "https://example.org/"})
    answer = api.send("PATCH", f"/v1/messages/{changed}", {"webhook": webhook})
    assert answer.status_code == 200
    assert answer.json["webhook"] == webhook
    for id in (one, batch.json["messages"][1]["id"], changed):
        assert {"method": "POST", **stored(api, id)} == webhook
        assert api.get(f"/v1/messages/{id}").json["webhook"] == webhook
        assert api.get(f"/v1/messages/{id}").json["channel"] == "webhook"


@pytest.mark.parametrize("url", PUBLIC)
def test_public_targets_are_accepted(api: Api, url: str) -> None:
    assert api.post("/v1/messages", body(url)).status_code == 201


@pytest.mark.parametrize(
    ("settings", "url", "status"),
    [
        ({"allow_private_networks": True}, "http://127.0.0.1:8000/", 201),
        ({"allow_private_networks": True}, "http://localhost:8000/", 201),
        ({"allow_private_networks": True}, "http://169.254.169.254/", 400),
        ({"allowed_networks": "10.1.0.0/16"}, "http://10.1.2.3/", 201),
        ({"allowed_networks": "10.1.0.0/16"}, "http://10.2.2.3/", 400),
        ({"allowed_networks": "hook.internal"}, "http://hook.internal/", 201),
        ({"allowed_networks": "hook.internal"}, "http://other.internal/", 400),
    ],
)
def test_the_settings_open_what_they_name(clock: FakeClock, settings: dict[str, Any], url: str, status: int) -> None:
    api = Api(clock, {"webhook": settings})
    assert api.post("/v1/messages", body(url)).status_code == status
    assert api.post("/schedule", {"webhook": url, "ttl": 5, "data": 1}).status_code == {201: 200}.get(status, status)


# -- refused -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("url", HOSTILE + MALFORMED)
def test_a_url_that_may_not_be_called_is_refused_and_named_by_every_way_in(shared: Api, url: str) -> None:
    single = shared.post("/v1/messages", body(url))
    changed = shared.send("PATCH", "/v1/messages/existing", {"webhook": {"url": url}})
    for answer in (single, changed):
        assert answer.status_code == 400
        assert [error["field"] for error in answer.json["errors"]] == ["webhook.url"]
        assert answer.json["errors"][0]["message"]
    batch = shared.post("/v1/messages/batch", {"messages": [body(), body(url), body(), body(url)]})
    assert batch.status_code == 400
    assert [error["field"] for error in batch.json["errors"]] == ["messages.1.webhook.url", "messages.3.webhook.url"]
    task = shared.post("/schedule", {"webhook": url, "ttl": 5, "data": 1})
    assert (task.status_code, task.json["status"], task.json["error"].split(":")[0]) == (400, 400, "webhook")
    assert waiting(shared) == 1
    assert stored(shared, "existing")["url"] == URL


def test_a_refused_address_says_what_it_is_and_the_way_out(api: Api) -> None:
    (error,) = api.post("/v1/messages", body("http://0x7f.1/")).json["errors"]
    assert error["message"] == (
        "127.0.0.1 is a loopback address; allowed are public addresses "
        "(see Webhook.AllowPrivateNetworks and Webhook.AllowedNetworks)"
    )


@pytest.mark.parametrize("fields", [{"webhook": None, "channel": "webhook"}, {"channel": "echo"}, {"channel": "job"}])
def test_a_webhook_belongs_to_its_channel(api: Api, fields: dict[str, Any]) -> None:
    answer = api.post("/v1/messages", {**body(), **fields})
    assert answer.status_code == 400
    assert answer.json["errors"][0]["field"] in ("webhook", "job")


def test_only_a_webhook_message_can_get_another_webhook(api: Api) -> None:
    echo = api.message()
    answer = api.send("PATCH", f"/v1/messages/{echo}", {"webhook": {"url": URL}, "message": "changed"})
    assert answer.status_code == 400
    assert answer.json["errors"] == [
        {"field": "webhook", "message": "can only be changed of a message that has one"},
    ]
    assert api.get(f"/v1/messages/{echo}").json["message"] == "hello", "nothing of a refused change is kept"
    assert api.send("PATCH", "/v1/messages/nobody", {"webhook": {"url": URL}}).status_code == 404


def test_a_webhook_in_flight_cannot_be_changed(api: Api, clock: FakeClock) -> None:
    id = api.message(delay=None, webhook={"url": URL})
    assert len(take(api.store, 10, 5000).claims) == 1
    assert api.send("PATCH", f"/v1/messages/{id}", {"webhook": {"url": URL}}).status_code == 409


# -- secrets -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "webhook",
    [
        {"url": URL, "headers": {f"Authorization: Bearer {SECRET}": "x"}},
        {"url": URL, "headers": {f"Authorization: Bearer {SECRET}": 1}},
        {"url": URL, "headers": {"Authorization": [SECRET]}},
        {"url": URL, "headers": {"Authorization": f"Bearer {SECRET}\r\nX: y"}},
        {"url": URL, "headers": {"Authorization": f"Bearer {SECRET} "}},
        {"url": URL, "headers": {"X-Token": SECRET, "x-token": SECRET}},
        {"url": URL, "headers": {"X-Token": SECRET * 1000}},
        {"url": URL, "headers": {"Host": SECRET}},
        {"url": URL, "headers": f"Authorization: {SECRET}"},
        {"url": URL, "headers": [f"Authorization: {SECRET}"]},
        {"url": URL, "timeout": SECRET},
        {"url": URL, "method": SECRET},
        {"url": URL, f"Authorization: {SECRET}": 1},
        f"https://user:{SECRET}@example.com/",
        {"url": [f"https://user:{SECRET}@example.com/"]},
        {"url": f"https://user:{SECRET}@127.0.0.1/"},
        {"url": f"https://user:{SECRET}@localhost/?token={SECRET}"},
        {"url": f"https://user:{SECRET}@[::1/"},
        {"url": f"https://user:{SECRET}@example.com:99999/"},
        {"url": f"https://user:{SECRET}@exa$mple.com/"},
        {"url": f"https://user:{SECRET}\n@example.com/"},
        {"url": f"ftp://user:{SECRET}@example.com/"},
        {"url": f"https://user:{SECRET}@example.com/{'a' * 2048}"},
    ],
)
def test_a_refusal_never_repeats_a_secret(shared: Api, webhook: Any) -> None:
    message = {"message": 1, "delay": 9, "webhook": webhook}
    for answer in (
        shared.post("/v1/messages", message),
        shared.post("/v1/messages/batch", {"messages": [message]}),
        shared.send("PATCH", "/v1/messages/existing", {"webhook": webhook}),
    ):
        assert answer.status_code == 400
        assert SECRET not in answer.text
    if isinstance(webhook, dict):
        assert SECRET not in shared.post("/schedule", {"webhook": webhook["url"], "ttl": 5, "data": 1}).text
    assert shared.log.count(SECRET) == 0


@pytest.mark.parametrize(
    ("webhook", "shown"),
    [
        ({"url": f"https://me:{SECRET}@example.com/a"}, {"url": "https://***@example.com/a"}),
        ({"url": f"https://{SECRET}@example.com/"}, {"url": "https://***@example.com/"}),
        (
            {"url": f"https://example.com/?a=1&API_Key={SECRET}&b=2&sig={SECRET}&design=x"},
            {"url": "https://example.com/?a=1&API_Key=***&b=2&sig=***&design=x"},
        ),
        (
            {"url": f"https://example.com/?access%5Ftoken={SECRET}"},
            {"url": "https://example.com/?access%5Ftoken=***"},
        ),
        (
            {"url": URL, "headers": {"Authorization": f"Bearer {SECRET}", "X-Api-Key": SECRET, "X-Shop": "berlin"}},
            {"url": URL, "headers": {"Authorization": "***", "X-Api-Key": "***", "X-Shop": "berlin"}},
        ),
    ],
)
def test_no_answer_shows_a_secret_and_the_stored_one_stays(api: Api, webhook: Any, shown: Any) -> None:
    created = api.post("/v1/messages", {"message": 1, "delay": 9, "webhook": webhook})
    assert created.status_code == 201
    id = created.json["id"]
    path = f"/v1/messages/{id}"
    for answer in (
        created,
        api.get(path),
        api.get("/v1/messages?channel=webhook"),
        api.send("PATCH", path, {"message": 2}),
        api.send("PATCH", path, {"webhook": webhook}),
        api.post(f"{path}/run"),
    ):
        assert SECRET not in answer.text
        message = answer.json.get("messages", [answer.json])[0]
        assert message["webhook"] == {"method": "POST", "headers": {}, **shown}
    assert stored(api, id)["url"] == webhook["url"]
    assert stored(api, id).get("headers", {}) == webhook.get("headers", {})
    assert SECRET not in api.send("DELETE", path).text


@pytest.mark.parametrize(
    ("webhook", "field"),
    [
        ({"url": "https://***@example.com/"}, "webhook.url"),
        ({"url": "https://example.com/?api_key=***"}, "webhook.url"),
        ({"url": URL, "headers": {"Authorization": "***", "X-Stars": "***"}}, "webhook.headers.Authorization"),
    ],
)
def test_what_an_answer_showed_in_place_of_a_secret_is_not_taken_for_one(api: Api, webhook: Any, field: str) -> None:
    """Somebody reads a message, changes the timeout and sends the whole webhook back."""
    id = api.message(webhook={"url": URL})
    for answer in (
        api.send("PATCH", f"/v1/messages/{id}", {"webhook": webhook}),
        api.post("/v1/messages", {"message": 1, "webhook": webhook}),
    ):
        assert answer.status_code == 400
        (error,) = answer.json["errors"]
        assert error["field"] == field
        assert "give the secret itself" in error["message"]


def test_stars_that_hide_nothing_are_accepted(api: Api) -> None:
    url = "https://example.com/***?q=***&r=a@***"
    assert stored(api, api.message(webhook={"url": url, "headers": {"X-Stars": "***"}}))["url"] == url


# -- what others stored ------------------------------------------------------------------------------------------------


def test_a_task_stays_a_task_when_its_webhook_is_changed_through_v1_and_the_other_way_round(api: Api) -> None:
    key = api.post("/schedule", {"webhook": URL, "ttl": 120, "data": 1}).json["data"]
    id = key.rpartition(":")[2]
    webhook = {"url": "https://example.org/b", "headers": {"X-Shop": "berlin"}, "method": "PUT"}
    assert api.send("PATCH", f"/v1/messages/{id}", {"webhook": webhook}).status_code == 200
    info = api.get(f"/schedule/{key}").json["data"]["info"]
    assert (info["ttl"], info["webhook"]) == (120, "https://example.org/b")
    assert api.send("PATCH", f"/schedule/{key}", {"ttl": 60}).status_code == 200
    assert api.get(f"/v1/messages/{id}").json["webhook"] == webhook


@pytest.mark.parametrize("target", ['{"url": 5}', "{}", '{"url": "http://[::1/"}', "not JSON"])
def test_a_webhook_that_cannot_be_read_does_not_hide_its_message_nor_others(api: Api, target: str) -> None:
    api.store.schedule([NewMessage(id="odd", payload="1", due_at=5, channel="webhook", target=target)])
    api.message()
    answer = api.get("/v1/messages/odd")
    assert (answer.status_code, answer.json["webhook"]) == (200, None)
    assert len(api.get("/v1/messages").json["messages"]) == 2
