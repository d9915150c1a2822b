"""``Idempotency-Key``: a request that is sent again stores nothing more."""

from __future__ import annotations

from typing import Any, ClassVar

import pytest

from tests.support.api import Api, fields_of
from tests.support.clock import FakeClock


@pytest.fixture
def api(clock: FakeClock) -> Api:
    return Api(clock)


class TestIdempotency:
    KEY: ClassVar = {"Idempotency-Key": "order 17"}

    @pytest.mark.parametrize(
        ("path", "body"),
        [("/v1/messages", {"message": 1, "delay": 5}), ("/v1/messages/batch", {"messages": [{"message": 1}] * 3})],
    )
    def test_a_repeat_is_answered_alike_and_stores_nothing(
        self, api: Api, clock: FakeClock, path: str, body: dict[str, Any]
    ) -> None:
        first = api.post(path, body, headers=self.KEY)
        clock.advance(2)
        stored = sum(api.store.counts().scheduled.values())
        second = api.post(path, body, headers=self.KEY)
        assert (first.status_code, second.status_code) == (201, 201)
        assert first.json == second.json
        assert sum(api.store.counts().scheduled.values()) == stored
        accepted = [n for name, _, n in api.telemetry.snapshot()["counters"] if name == "scheduler_accepted"]
        assert accepted == [stored]

    def test_order_of_fields_and_white_space_do_not_matter(self, api: Api) -> None:
        texts = ('{"message": 1, "delay": 5}', '{"delay":5,"message":1}')
        answers = [
            api.post("/v1/messages", data=text, content_type="application/json", headers=self.KEY) for text in texts
        ]
        assert answers[0].json["id"] == answers[1].json["id"]

    def test_another_body(self, api: Api) -> None:
        api.post("/v1/messages", {"message": 1}, headers=self.KEY)
        answer = api.post("/v1/messages", {"message": 2}, headers=self.KEY)
        assert (answer.status_code, answer.mimetype) == (409, "application/problem+json")

    def test_another_route(self, api: Api) -> None:
        body = {"message": 1, "time": 9e9}
        api.post("/v1/messages", body, headers=self.KEY)
        assert api.post("/echoAtTime", body, headers=self.KEY).status_code == 409

    @pytest.mark.parametrize("key", ["", "x" * 256, "tab\there", "\xfc"])
    def test_what_is_no_key(self, api: Api, key: str) -> None:
        answer = api.post("/v1/messages", {"message": 1}, headers={"Idempotency-Key": key})
        assert fields_of(answer) == ["Idempotency-Key"]

    def test_longest_key(self, api: Api) -> None:
        assert api.post("/v1/messages", {"message": 1}, headers={"Idempotency-Key": "k" * 255}).status_code == 201

    def test_not_together_with_own_ids(self, api: Api) -> None:
        assert fields_of(api.post("/v1/messages", {"message": 1, "id": "a"}, headers=self.KEY)) == ["id"]
        batch = {"messages": [{"message": 1}, {"message": 1, "id": "a"}]}
        assert fields_of(api.post("/v1/messages/batch", batch, headers=self.KEY)) == ["messages.1.id"]
