"""Flow keys over HTTP: limits that come with messages, are pinned, or are in the settings."""

from __future__ import annotations

from typing import Any

import pytest

from scheduler.api.v1 import flow_models
from scheduler.message import Outcome
from tests.support.api import Api
from tests.support.clock import FakeClock
from tests.support.store import outcomes, take

FLOW = {"key": "tenant-42", "concurrency": 5, "rate": 10, "period": "1m", "ordered": True}


@pytest.fixture
def api(clock: FakeClock) -> Api:
    return Api(clock)


def send(api: Api, flow: Any, **more: Any) -> Any:
    return api.post("/v1/messages", {"message": "x", "flow": flow, **more})


def faults(answer: Any) -> dict[str, str]:
    assert answer.status_code == 400
    return {fault["field"]: fault["message"] for fault in answer.json["errors"]}


def test_a_message_shows_its_key_and_the_key_what_it_allows(api: Api) -> None:
    message = send(api, FLOW).json
    assert message["flow"] == {"key": "tenant-42", "waited_ms": 0}
    assert api.get(f"/v1/messages/{message['id']}").json["flow"] == message["flow"]
    assert api.get("/v1/messages").json["messages"][0]["flow"] == message["flow"]
    found = api.get("/v1/flows/tenant-42")
    assert found.status_code == 200
    flow_models.FlowOut.model_validate(found.json)
    assert found.json == {
        "key": "tenant-42", "scheduled": 1, "waiting": 1, "in_flight": 0,
        "limits": {"concurrency": 5, "rate": 10, "period_ms": 60_000, "ordered": True},
        "sources": {"concurrency": "message", "rate": "message", "ordered": "message"},
        "window": None, "paused": False, "paused_until": None,
        "oldest_due_at": message["due_at"], "next_at": message["due_at"],
    }  # fmt: skip


def test_what_is_in_flight_and_the_window(api: Api) -> None:
    send(api, FLOW | {"ordered": False, "concurrency": 1})
    send(api, {"key": "tenant-42"})
    claimed = take(api.store, 9, 1000)
    found = api.get("/v1/flows/tenant-42").json
    assert (found["scheduled"], found["in_flight"], found["window"]["used"], found["next_at"]) == (1, 1, 1, None)
    api.store.settle(outcomes(claimed))
    assert api.get("/v1/flows/tenant-42").json["next_at"] is not None


def test_a_batch_and_a_schedule_take_it_too(api: Api) -> None:
    batch = {"messages": [{"message": n, "flow": {"key": f"k{n}"}} for n in range(3)]}
    assert api.post("/v1/messages/batch", batch).status_code == 201
    assert api.post("/v1/schedules", {"every": "1h", "message": 1, "flow": {"key": "k9"}}).status_code == 201
    assert [flow["key"] for flow in api.get("/v1/flows").json["flows"]] == ["k0", "k1", "k2", "k9"]


@pytest.mark.parametrize(
    ("flow", "field", "words"),
    [
        ({}, "flow.key", "is required"),
        ({"key": "a b"}, "flow.key", "must match"),
        ({"key": "."}, "flow.key", "'.' cannot be part of an address"),
        ({"key": ".."}, "flow.key", "'..' cannot be part of an address; accepted: any other name"),
        ({"key": "k", "concurrency": 0}, "flow.concurrency", "greater than or equal to 1"),
        ({"key": "k", "rate": 5}, "flow", "rate and period belong together; accepted: both, or neither"),
        ({"key": "k", "rate": 5, "period": "8d"}, "flow.period", "must be from 1 second to 7 days"),
        ({"key": "k", "rate": 5, "period": "soon"}, "flow.period", "accepted"),
        ({"key": "k", "ordered": "yes"}, "flow.ordered", "must be true or false"),
        ({"key": "k", "concurency": 5}, "flow.concurency", "did you mean concurrency?"),
    ],
)
def test_what_is_wrong_is_named(api: Api, flow: Any, field: str, words: str) -> None:
    assert words in faults(send(api, flow))[field]


def test_pins_hold_until_they_are_taken_back(api: Api) -> None:
    pinned = api.send("PUT", "/v1/flows/k", {"concurrency": 1})
    assert pinned.status_code == 200
    assert pinned.json["sources"] == {"concurrency": "pinned", "rate": None, "ordered": None}
    for _ in range(3):
        send(api, {"key": "k", "concurrency": 3, "ordered": False})
    assert len(take(api.store, 9, 1000).claims) == 1
    found = api.send("DELETE", "/v1/flows/k").json
    assert (found["limits"]["concurrency"], found["sources"]["concurrency"]) == (3, "message")
    assert len(take(api.store, 9, 1000).claims) == 2, "those that waited go at once"


def test_a_pin_replaces_the_one_before_and_says_something(api: Api) -> None:
    api.send("PUT", "/v1/flows/k", {"concurrency": 1})
    found = api.send("PUT", "/v1/flows/k", {"rate": 9, "period": 1}).json
    assert found["limits"] == {"concurrency": None, "rate": 9, "period_ms": 1000, "ordered": False}
    assert "nothing to pin" in faults(api.send("PUT", "/v1/flows/k", {}))[""]
    assert "must match" in faults(api.send("PUT", "/v1/flows/a%20b", {"concurrency": 1}))["key"]
    assert "cannot be part of an address" in faults(api.send("PUT", "/v1/flows/%2E%2E", {"concurrency": 1}))["key"]


def test_pause_and_resume(api: Api) -> None:
    send(api, {"key": "k"})
    paused = api.post("/v1/flows/k/pause").json
    assert (paused["paused"], paused["paused_until"], paused["next_at"]) == (True, None, None)
    assert take(api.store, 9, 1000).claims == []
    assert api.post("/v1/flows/k/resume").json["paused"] is False
    assert len(take(api.store, 9, 1000).claims) == 1


@pytest.mark.parametrize("delay", ["99999999w", 1e300])
def test_a_pause_beyond_the_year_9999_is_refused_and_not_stored(api: Api, delay: object) -> None:
    answer = api.post("/v1/flows/k/pause", {"delay": delay})
    assert (answer.status_code, answer.json["errors"][0]["field"]) == (400, "delay")
    assert api.get("/v1/flows").json["flows"] == []


def test_a_pause_for_a_while_ends_by_itself(api: Api, clock: FakeClock) -> None:
    send(api, {"key": "k"})
    paused = api.post("/v1/flows/k/pause", {"delay": "10s"}).json
    assert paused["paused_until"] == paused["next_at"] is not None
    claimed = take(api.store, 9, 1000)
    assert claimed.claims == []
    assert claimed.wait_ms == 10_000
    clock.advance(10)
    assert api.get("/v1/flows/k").json["paused"] is False
    assert len(take(api.store, 9, 1000).claims) == 1


def test_a_key_that_was_paused_for_a_while_and_has_no_message_goes(api: Api, clock: FakeClock) -> None:
    for key in ("never-used", "used"):
        if key == "used":
            send(api, {"key": key})
            api.store.settle([Outcome(claim, "ack") for claim in take(api.store, 9, 1000).claims])
        api.post(f"/v1/flows/{key}/pause", {"delay": "10s"})
    api.post("/v1/flows/kept/pause")
    assert [one["key"] for one in api.get("/v1/flows").json["flows"]] == ["kept", "never-used", "used"]
    clock.advance(10)
    assert take(api.store, 9, 1000).claims == []
    assert [one["key"] for one in api.get("/v1/flows").json["flows"]] == ["kept"]


def test_a_reset_begins_a_new_window_and_counts_again(api: Api) -> None:
    for _ in range(2):
        send(api, {"key": "k", "rate": 1, "period": "1h", "concurrency": 9})
    assert len(take(api.store, 9, 1000).claims) == 1
    state: Any = api.store.client.get("ms1:{0}:flow:key:k")
    api.store.client.set("ms1:{0}:flow:key:k", state.replace("1 ", "8 ", 1))
    found = api.post("/v1/flows/k/reset").json
    assert (found["in_flight"], found["window"]) == (1, None)
    assert len(take(api.store, 9, 1000).claims) == 1


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "k"), ("DELETE", "k"), ("POST", "k/resume"), ("POST", "k/reset"), ("GET", "a%20b"),
    ],
)  # fmt: skip
def test_a_key_that_nobody_uses_is_not_there(api: Api, method: str, path: str) -> None:
    assert api.send(method, f"/v1/flows/{path}").status_code == 404


def test_the_messages_of_a_key_in_a_list(api: Api) -> None:
    ids = [send(api, {"key": key}).json["id"] for key in ("k", "kk", "k")]
    api.message()
    assert [message["id"] for message in api.get("/v1/messages?flow_key=k").json["messages"]] == [ids[0], ids[2]]


def test_pages_by_name(api: Api) -> None:
    for n in range(5):
        send(api, {"key": f"k{n}"})
    names: list[str] = []
    cursor: str | None = ""
    while cursor is not None:
        page = api.get(f"/v1/flows?limit=2{cursor and f'&cursor={cursor}'}").json
        flow_models.FlowPageOut.model_validate(page)
        names += [flow["key"] for flow in page["flows"]]
        cursor = page["next_cursor"]
    assert names == ["k0", "k1", "k2", "k3", "k4"]


# -- settings ----------------------------------------------------------------------------------------------------------


def test_defaults_are_for_what_neither_message_nor_pin_says(clock: FakeClock) -> None:
    api = Api(clock, {"flow": {"defaults": "tenant-* concurrency=2 rate=10/1m, * concurrency=9"}})
    send(api, {"key": "tenant-1", "rate": 5, "period": 1})
    found = api.get("/v1/flows/tenant-1").json
    assert found["limits"] == {"concurrency": 2, "rate": 5, "period_ms": 1000, "ordered": False}
    assert found["sources"] == {"concurrency": "settings", "rate": "message", "ordered": None}
    send(api, {"key": "other"})
    assert api.get("/v1/flows/other").json["limits"]["concurrency"] == 9


def test_a_key_for_each_destination(clock: FakeClock) -> None:
    api = Api(clock, {"flow": {"per_destination": "concurrency=20", "defaults": "https:slow.example:* concurrency=1"}})
    for host in ("a.example", "slow.example"):
        body = {"message": 1, "webhook": {"url": f"https://{host}/x"}}
        assert api.post("/v1/messages", body).json["flow"]["key"] == f"https:{host}:443"
        assert api.post("/schedule", {"webhook": f"https://{host}/y", "ttl": 9, "data": 1}).status_code == 200
    own = {"message": 1, "webhook": {"url": "https://a.example/x"}, "flow": {"key": "mine"}}
    assert api.post("/v1/messages", own).json["flow"]["key"] == "mine"
    assert api.post("/v1/messages", {"message": 1}).json["flow"] is None
    limits = {
        flow["key"]: (flow["scheduled"], flow["limits"]["concurrency"]) for flow in api.get("/v1/flows").json["flows"]
    }
    assert limits == {"https:a.example:443": (2, 20), "https:slow.example:443": (2, 1), "mine": (1, None)}


# -- partitions --------------------------------------------------------------------------------------------------------


@pytest.fixture
def spread(clock: FakeClock) -> Api:
    return Api(clock, {"redis": {"partitions": 8}})


def test_messages_of_a_key_share_its_partition(spread: Api) -> None:
    for n in range(9):
        message = send(spread, {"key": f"k{n}"}).json
        assert spread.store.partition_of(message["id"]) == spread.store.partition_of(f"k{n}")
    assert len(spread.get("/v1/flows").json["flows"]) == 9


def test_an_own_id_elsewhere_is_refused_in_words(spread: Api) -> None:
    here = spread.store.partition_of("k")
    fits, other = (
        next(f"m{n}" for n in range(999) if (spread.store.partition_of(f"m{n}") == here) is wanted)
        for wanted in (True, False)
    )
    assert send(spread, {"key": "k"}, id=fits).status_code == 201
    words = faults(send(spread, {"key": "k"}, id=other))["id"]
    assert "lies in another of the 8 parts of Redis" in words
    batch = {"messages": [{"message": 1}, {"message": 1, "id": other, "flow": {"key": "k"}}]}
    assert "messages.1.id" in faults(spread.post("/v1/messages/batch", batch))
    schedule = {"every": "1h", "message": 1, "flow": {"key": "k"}}
    assert "id" in faults(spread.post("/v1/schedules", {"id": other, **schedule}))
    made = spread.post("/v1/schedules", schedule).json
    assert spread.store.partition_of(made["id"]) == here


def test_a_repeat_is_known_wherever_the_key_lies(spread: Api) -> None:
    once = {"Idempotency-Key": "K"}
    elsewhere = [key for key in "abcdefgh" if spread.store.partition_of(key) != spread.store.partition_of("K")]
    first = spread.post("/v1/messages", {"message": 1, "flow": {"key": elsewhere[0]}}, headers=once)
    again = spread.post("/v1/messages", {"message": 1, "flow": {"key": elsewhere[0]}}, headers=once)
    assert again.json["id"] == first.json["id"]
    assert spread.post("/v1/messages", {"message": 1, "flow": {"key": elsewhere[1]}}, headers=once).status_code == 409
    assert spread.get("/v1/flows").json["flows"][0]["scheduled"] == 1
