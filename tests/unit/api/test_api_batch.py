"""POST /v1/messages/batch: all or none."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.api import Api, fields_of
from tests.support.clock import FakeClock

NOW = "2027-01-15T08:00:00.000Z"


@pytest.fixture
def api(clock: FakeClock) -> Api:
    return Api(clock)


class TestBatch:
    def test_in_order(self, api: Api) -> None:
        answer = api.post(
            "/v1/messages/batch",
            {"messages": [{"message": 1, "delay": 5}, {"message": 2, "id": "mine"}, {"message": 3}]},
        )
        assert answer.status_code == 201
        assert answer.json["accepted"] == 3
        shown = answer.json["messages"]
        assert [message["due_at"] for message in shown] == ["2027-01-15T08:00:05.000Z", NOW, NOW]
        assert shown[1]["id"] == "mine"
        assert [api.store.get(message["id"]).payload for message in shown] == ["1", "2", "3"]

    def test_a_thousand(self, api: Api) -> None:
        answer = api.post("/v1/messages/batch", {"messages": [{"message": n, "delay": 9} for n in range(1000)]})
        assert (answer.status_code, answer.json["accepted"]) == (201, 1000)
        assert sum(api.store.counts().scheduled.values()) == 1000

    @pytest.mark.parametrize(
        ("messages", "fields"),
        [
            ([], ["messages"]),
            ([{"message": 1}] * 1001, ["messages"]),
            ("x", ["messages"]),
            ([{"message": 1}, 7], ["messages.1"]),
            ([{"message": 1}, {}, {"message": 1, "x": 1}], ["messages.1.message", "messages.2.x"]),
            ([{"message": 1, "time": "a"}, {"message": 1}, {"message": 1, "delay": "b"}],
             ["messages.0.time", "messages.2.delay"]),
            ([{"message": 1, "channel": "job"}], ["messages.0.job"]),
            ([{"message": 1}, {"message": 1, "job": {"type": "nobodys"}}], ["messages.1.job.type"]),
            ([{"message": 1, "id": "a"}, {"message": 1, "id": "b"}, {"message": 1, "id": "a"}], ["messages.2.id"]),
        ],
    )  # fmt: skip
    def test_refused_as_a_whole(self, api: Api, messages: Any, fields: list[str]) -> None:
        assert fields_of(api.post("/v1/messages/batch", {"messages": messages})) == fields
        assert sum(api.store.counts().scheduled.values()) == 0

    def test_every_bad_index_is_named(self, api: Api) -> None:
        answer = api.post("/v1/messages/batch", {"messages": [{"message": 1, "time": "x"}] * 1000})
        assert fields_of(answer) == [f"messages.{n}.time" for n in range(1000)]

    def test_one_id_exists(self, api: Api) -> None:
        api.message(id="mine")
        answer = api.post("/v1/messages/batch", {"messages": [{"message": 1}, {"message": 2, "id": "mine"}]})
        assert answer.status_code == 409
        assert sum(api.store.counts().scheduled.values()) == 1
