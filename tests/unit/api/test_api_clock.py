"""/v1/test/clock: there with Test.Clock, and nowhere else."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.api import Api
from tests.support.clock import FakeClock

PATH = "/v1/test/clock"


@pytest.fixture
def api(clock: FakeClock) -> Api:
    return Api(clock, {"test": {"clock": True}})


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_without_the_setting_it_does_not_exist(clock: FakeClock, method: str) -> None:
    api = Api(clock)
    here, nowhere = (api.send(method, path, {}) for path in (PATH, "/v1/test/nothing"))
    assert here.status_code == 404
    assert here.json["detail"].replace(PATH, "") == nowhere.json["detail"].replace("/v1/test/nothing", "")
    assert PATH not in api.get("/openapi.json").json["paths"]


def test_to_a_time(api: Api) -> None:
    answer = api.post(PATH, {"time": "2099-03-01T09:00:00", "timezone": "Europe/Berlin"})
    assert answer.status_code == 200
    assert answer.json["now"].startswith("2099-03-01T08:00:0")
    assert answer.json["moved_ms"] > 0
    preview = api.post("/v1/preview", {}).json
    assert 0 <= preview["due_at_ms"] - answer.json["now_ms"] < 5000


def test_by_a_delay(api: Api) -> None:
    before = api.post(PATH).json
    assert before["moved_ms"] == 0
    after = api.post(PATH, {"delay": "90d"}).json
    assert after["moved_ms"] == pytest.approx(90 * 86_400_000, abs=1000)
    assert after["now_ms"] - before["now_ms"] == pytest.approx(90 * 86_400_000, abs=5000)


def test_what_is_in_the_past_is_by_this_clock(clock: FakeClock) -> None:
    api = Api(clock, {"test": {"clock": True}, "scheduler": {"past": "reject"}})
    later = {"message": 1, "time": "2099-03-01T09:00:00"}
    assert api.post("/v1/messages", later).status_code == 201
    api.post(PATH, {"time": "2099-03-01T10:00:00"})
    assert api.post("/v1/messages", later).status_code == 400


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"time": "2001-01-01"}, "time"),
        ({"time": 5e12, "delay": 1}, "delay"),
        ({"delay": "soon"}, "delay"),
        ({"delay": -1}, "delay"),
        ({"delay": 1e300}, "delay"),
        ({"by": 5}, "by"),
    ],
)
def test_refused(api: Api, body: dict[str, Any], field: str) -> None:
    answer = api.post(PATH, body)
    assert answer.status_code == 400
    assert answer.json["errors"][0]["field"] == field
    assert api.store.moved_ms() == 0
