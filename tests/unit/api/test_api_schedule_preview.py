"""``GET /v1/schedules/preview``: the next runs of a plan, and what is refused."""

from __future__ import annotations

import pytest

from tests.support.api import Api
from tests.support.clock import START_MS, FakeClock

PATH = "/v1/schedules/preview"


@pytest.fixture
def api(clock: FakeClock) -> Api:
    return Api(clock)


def preview(api: Api, **query: str | int) -> list[str]:
    answer = api.get(PATH, query_string=query)
    assert answer.status_code == 200, answer.text
    return [run["local"] for run in answer.json["runs"]]


def test_whole_answer(api: Api) -> None:
    query = {"cron": "30 2 * * *", "timezone": "Europe/Berlin", "from": "2026-03-28T12:00:00Z", "count": 1}
    assert api.get(PATH, query_string=query).json == {
        "runs": [{"at": "2026-03-29T01:00:00.000Z", "at_ms": 1774746000000, "local": "2026-03-29T03:00:00+02:00"}]
    }


def test_without_from_the_runs_come_after_now(api: Api) -> None:
    runs = api.get(PATH, query_string={"every": "90m"}).json["runs"]
    assert [run["at_ms"] - START_MS for run in runs] == [n * 90 * 60_000 for n in range(1, 6)]


@pytest.mark.parametrize(
    "moment",
    ["1774695600", "1774695600000", "2026-03-28T12:00:00+01:00", "2026-03-28 12:00", "Sat, 28 Mar 2026 11:00 GMT"],
)
def test_from_takes_every_form_of_time_and_a_local_one_is_in_the_zone_of_the_plan(api: Api, moment: str) -> None:
    query = {"timezone": "Europe/Berlin", "from": moment, "count": "1"}
    assert preview(api, cron="0 12 * * *", **query) == ["2026-03-29T12:00:00+02:00"]
    assert preview(api, cron="59 11,12 * * *", **query) == ["2026-03-28T12:59:00+01:00"]


def test_a_cron_tz_is_the_zone_of_its_moments_too(api: Api) -> None:
    query = {"cron": "CRON_TZ=Europe/Berlin 0 9 * * *", "start": "2027-07-01T09:00", "count": "1"}
    assert preview(api, **query) == ["2027-07-01T09:00:00+02:00"]
    assert preview(api, **query, timezone="Europe/Berlin") == ["2027-07-01T09:00:00+02:00"]


def test_start_end_and_max_runs_bound_it(api: Api) -> None:
    bounds: dict[str, str | int] = {"from": "2026-01-01", "start": "2026-05-01T09:00:00Z", "count": 1000}
    hours = [f"2026-05-01T{hour:02}:00:00+00:00" for hour in range(9, 13)]
    assert preview(api, cron="0 * * * *", end="2026-05-01T12:00:00Z", **bounds) == hours
    assert preview(api, cron="0 * * * *", max_runs=4, **bounds) == hours
    assert preview(api, every="1h", max_runs=4, **bounds) == hours


def test_up_to_1000_runs(api: Api) -> None:
    assert len(preview(api, cron="* * * * * *", count=1000)) == 1000


@pytest.mark.parametrize(
    ("query", "field", "told"),
    [
        ({}, "cron", "cron and every are both missing"),
        ({"cron": "0 25 * * *"}, "cron", "the field hour: '25' is out of range"),
        ({"cron": "0 0 30 2 *"}, "cron", "'0 0 30 2 *' never comes"),
        ({"every": "1ms"}, "every", "is 1 ms; accepted: from 1 second on"),
        ({"cron": "@daily", "timezone": "Mars"}, "timezone", "'Mars' is not a known time zone"),
        ({"cron": "@daily", "from": "soon"}, "from", "'soon' is not a time"),
        ({"cron": "@daily", "count": "0"}, "count", "must be greater than or equal to 1"),
        ({"cron": "@daily", "count": "1001"}, "count", "must be less than or equal to 1000"),
        ({"cron": "@daily", "max_runs": "1e3"}, "max_runs", "must be a whole number"),
        ({"cron": "@daily", "end": "1999-01-01"}, "end", "lies before the first run"),
        ({"cron": "@daily", "form": "now"}, "form", "unknown field; did you mean from?"),
    ],
)
def test_errors_name_the_parameter(api: Api, query: dict[str, str], field: str, told: str) -> None:
    answer = api.get(PATH, query_string=query)
    assert (answer.status_code, answer.mimetype) == (400, "application/problem+json")
    (error,) = answer.json["errors"]
    assert error["field"] == field
    assert error["message"].startswith(told)


@pytest.mark.parametrize("rule", ["cron=0+9+*+*+MON-FRI", "every=1h"])
def test_nothing_comes_at_the_end_of_time(api: Api, rule: str) -> None:
    answer = api.get(f"/v1/schedules/preview?{rule}&from=253402300799998&max_runs=1")
    assert (answer.status_code, answer.json) == (200, {"runs": []})
