"""Destinations over HTTP: what is known of them, and their circuit breakers by hand."""

from __future__ import annotations

import pytest

from scheduler.api.v1.destination_models import BreakerListOut, BreakerOut
from scheduler.destination import BreakerRules, Tally
from tests.support.api import Api
from tests.support.clock import FakeClock

HOST = "https:api.example.com:443"
BAD = Tally(bad=1, after=1, error="HTTP 503")
RULES = BreakerRules(1, 0.9, 60_000, 5_000, 60_000)


@pytest.fixture
def api(clock: FakeClock) -> Api:
    return Api(clock)


def test_one_that_has_failed_is_listed_and_read(api: Api, clock: FakeClock) -> None:
    assert api.get("/v1/destinations").json == {"destinations": [], "more": False}
    for _ in range(2):
        api.store.attempted({HOST: BAD}, RULES)
        clock.advance(10)
    found = api.get(f"/v1/destinations/{HOST}")
    assert found.status_code == 200
    BreakerOut.model_validate(found.json)
    assert found.json == {
        "id": HOST, "state": "open", "by_hand": False, "failures": 2, "failing_since": "2027-01-15T08:00:00.000Z",
        "window": {"began_at": "2027-01-15T08:00:00.000Z", "attempts": 2, "failures": 2},
        "last_error": "HTTP 503", "opened_at": "2027-01-15T08:00:10.000Z", "closed_at": None,
        "next_probe_at": "2027-01-15T08:00:15.000Z", "probe_interval_ms": 5_000, "held_until": None, "note": None,
        "updated_at": "2027-01-15T08:00:10.000Z",
    }  # fmt: skip
    listed = api.get("/v1/destinations").json
    BreakerListOut.model_validate(listed)
    assert listed == {"destinations": [found.json], "more": False}


def test_the_list_has_open_ones_first_and_can_be_filtered(api: Api) -> None:
    api.store.attempted({"http:a:80": BAD, "http:b:80": BAD}, RULES)
    api.post("/v1/destinations/http:c:80/open")
    found = api.get("/v1/destinations").json["destinations"]
    assert [one["id"] for one in found] == ["http:c:80", "http:a:80", "http:b:80"]
    found = api.get("/v1/destinations?state=open").json["destinations"]
    assert [one["id"] for one in found] == ["http:c:80"]
    found = api.get("/v1/destinations?limit=2").json
    assert (len(found["destinations"]), found["more"]) == (2, True)
    assert api.get("/v1/destinations?state=ajar").status_code == 400


def test_it_is_opened_and_closed_by_hand(api: Api) -> None:
    opened = api.post(f"/v1/destinations/{HOST}/open", {"note": "maintenance until nine"}).json
    assert (opened["state"], opened["by_hand"], opened["note"]) == ("open", True, "maintenance until nine")
    closed = api.post(f"/v1/destinations/{HOST}/close").json
    assert (closed["state"], closed["by_hand"], closed["note"]) == ("closed", False, None)


@pytest.mark.parametrize(
    ("asked", "id"),
    [
        ("HTTPS:API.Example.com.:0443", "https:api.example.com:443"),
        ("https:[::1]:443", "https:::1:443"),
        ("https:0:0:0:0:0:0:0:1:443", "https:::1:443"),
        ("http:127.1:80", "http:127.0.0.1:80"),
        ("https:straße.example:443", "https:xn--strae-oqa.example:443"),
    ],
)
def test_it_is_the_one_that_webhooks_go_to_however_it_is_written(api: Api, asked: str, id: str) -> None:
    """Under another name it would be left alone in the list, and called all the same."""
    assert api.post(f"/v1/destinations/{asked}/open").json["id"] == id
    assert api.get(f"/v1/destinations/{asked}").json["by_hand"] is True
    assert [one["id"] for one in api.get("/v1/destinations").json["destinations"]] == [id]


@pytest.mark.parametrize("name", ["https:a.example:0", "https:a.example:99999", "https:..:443", "https:u@a.example:1"])
def test_what_no_url_can_have_is_refused(api: Api, name: str) -> None:
    assert api.post(f"/v1/destinations/{name}/open").status_code == 400
    assert api.get(f"/v1/destinations/{name}").status_code == 404


@pytest.mark.parametrize("name", ["nonsense", "ftp:a:21", "https://a.example", "http:a"])
def test_a_name_that_is_none(api: Api, name: str) -> None:
    refused = api.post(f"/v1/destinations/{name}/open")
    assert refused.status_code in (400, 404)
    if refused.status_code == 400:
        assert "https:api.example.com:443" in refused.json["detail"]
    assert api.get(f"/v1/destinations/{name}").status_code == 404


def test_one_of_which_nothing_is_known(api: Api) -> None:
    assert api.get(f"/v1/destinations/{HOST}").status_code == 404
    assert api.post(f"/v1/destinations/{HOST}/close").status_code == 404
    assert api.post(f"/v1/destinations/{HOST}/open", {"note": "x" * 501}).status_code == 400


def test_metrics_count_them(api: Api) -> None:
    api.store.attempted({"http:a:80": Tally(good=1, hold_ms=60_000), "http:b:80": BAD}, RULES)
    api.post(f"/v1/destinations/{HOST}/open")
    text = api.get("/metrics").text
    for line in ('state="open"} 1.0', 'state="closed"} 2.0', 'state="half_open"} 0.0', 'state="held"} 1.0'):
        assert f"scheduler_destinations{{{line}" in text
