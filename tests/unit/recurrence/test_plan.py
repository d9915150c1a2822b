"""The plan of a schedule: its bounds, its kinds, what is shown, what is kept of it, and what is refused."""

from __future__ import annotations

import json
import time

import pytest

from scheduler.errors import InvalidInput
from scheduler.recurrence import Recurrence
from scheduler.recurrence.cron import cron_of
from scheduler.recurrence.zones import changes, offset_at
from scheduler.when import parse_time

HOUR = 3_600_000


def ms(text: str) -> int:
    return parse_time(text)


def plan(**fields: object) -> Recurrence:
    fields = {"now_ms": ms("2026-01-01T00:00:00Z"), **fields}
    return Recurrence.of(**fields)  # type: ignore[arg-type]


def local(recurrence: Recurrence, after: str, count: int = 3) -> list[str]:
    return [run.local for run in recurrence.preview(ms(after), count)]


def test_a_row_of_the_preview_is_in_utc_in_ms_and_local_with_its_offset() -> None:
    (row,) = plan(cron="0 3 * * *", timezone="Europe/Berlin").preview(ms("2026-03-28T12:00:00Z"), 1)
    assert row == ("2026-03-29T01:00:00.000Z", 1774746000000, "2026-03-29T03:00:00+02:00")


def test_a_preview_begins_strictly_after_its_moment() -> None:
    daily = plan(cron="0 9 * * *")
    assert local(daily, "2026-05-01T09:00:00Z", 1) == ["2026-05-02T09:00:00+00:00"]
    assert local(daily, "2026-05-01T08:59:59.999Z", 1) == ["2026-05-01T09:00:00+00:00"]


@pytest.mark.parametrize("rule", [{"cron": "0 * * * *"}, {"every": "1h"}])
def test_start_and_end_are_inclusive(rule: dict[str, str]) -> None:
    hourly = plan(**rule, start_ms=ms("2026-05-01T09:00:00Z"), end_ms=ms("2026-05-01T11:00:00Z"))
    assert local(hourly, "2026-01-01T00:00:00Z", 10) == [f"2026-05-01T{h:02}:00:00+00:00" for h in (9, 10, 11)]
    assert hourly.next_after(ms("2026-05-01T11:00:00Z")) is None
    assert hourly.latest_at(ms("2026-05-01T08:59:59Z")) is None
    assert hourly.latest_at(ms("2027-01-01T00:00:00Z")) == ms("2026-05-01T11:00:00Z")
    assert hourly.count(0, ms("2027-01-01T00:00:00Z")) == 3


@pytest.mark.parametrize("rule", [{"cron": "0 * * * *"}, {"every": "1h"}])
@pytest.mark.parametrize("max_runs", [1, 3, 10_000])
def test_max_runs_counts_the_moments_of_the_plan_from_start_on(rule: dict[str, str], max_runs: int) -> None:
    start = ms("2026-05-01T09:00:00Z")
    bounded = plan(**rule, start_ms=start, max_runs=max_runs)
    assert bounded.last_ms == start + (max_runs - 1) * HOUR
    assert bounded.count(0, ms("2199-01-01T00:00:00Z")) == max_runs


def test_of_end_and_max_runs_the_earlier_one_counts() -> None:
    start, end = ms("2026-05-01T09:00:00Z"), ms("2026-05-01T11:30:00Z")
    assert plan(cron="0 * * * *", start_ms=start, end_ms=end, max_runs=2).last_ms == ms("2026-05-01T10:00:00Z")
    assert plan(cron="0 * * * *", start_ms=start, end_ms=end, max_runs=20).count(0, end + HOUR) == 3


def test_an_interval_does_not_drift_and_knows_no_clock_changes() -> None:
    start = ms("2026-03-28T12:00:00.250Z")
    twelve = plan(every="12h", start_ms=start, timezone="Europe/Berlin")
    assert local(twelve, "2026-03-28T00:00:00Z") == [
        "2026-03-28T13:00:00.250+01:00",
        "2026-03-29T01:00:00.250+01:00",
        "2026-03-29T14:00:00.250+02:00",
    ]
    assert twelve.next_after(start + 1_000_000 * 12 * HOUR + 17) == start + 1_000_001 * 12 * HOUR


def test_without_a_start_a_plan_begins_after_now() -> None:
    now = ms("2026-05-01T09:00:00Z")
    assert plan(cron="0 9 * * *", now_ms=now, max_runs=1).last_ms == ms("2026-05-02T09:00:00Z")
    assert plan(every="1h", now_ms=now, max_runs=1).last_ms == now + HOUR


def test_a_start_in_the_past_counts_for_max_runs() -> None:
    since = plan(cron="0 0 * * *", now_ms=ms("2026-05-10T12:00:00Z"), start_ms=ms("2026-05-01T00:00:00Z"), max_runs=12)
    assert local(since, "2026-05-10T12:00:00Z", 5) == ["2026-05-11T00:00:00+00:00", "2026-05-12T00:00:00+00:00"]


@pytest.mark.parametrize(
    "fields",
    [
        {"cron": "*/5 8-18 * * MON-FRI", "timezone": "Europe/Berlin", "max_runs": 7},
        {"every": "PT90S", "start_ms": 1_800_000_000_123},
    ],
)
def test_a_plan_is_kept_as_plain_data(fields: dict[str, object]) -> None:
    original = plan(**fields)
    assert Recurrence.decode(json.loads(json.dumps(original.encode()))) == original


def test_the_zone_may_be_a_prefix() -> None:
    prefixed = plan(cron="CRON_TZ=Asia/Tokyo 0 9 * * *")
    assert prefixed == plan(cron="0 9 * * *", timezone="Asia/Tokyo")
    assert prefixed == plan(cron="CRON_TZ=Asia/Tokyo 0 9 * * *", timezone="Asia/Tokyo")
    with pytest.raises(InvalidInput, match=r"^timezone: differs from CRON_TZ=Asia/Tokyo"):
        plan(cron="CRON_TZ=Asia/Tokyo 0 9 * * *", timezone="Europe/Berlin")


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({}, "cron: cron and every are both missing"),
        ({"cron": "* * * * *", "every": "1h"}, "cron: cron and every are both given"),
        ({"cron": 5}, "cron: must be text"),
        ({"cron": "CRON_TZ=Europe/Nowhere * * * * *"}, "cron: CRON_TZ: 'Europe/Nowhere' is not a known time zone"),
        ({"cron": "* * * * *", "timezone": "Mars"}, "timezone: 'Mars' is not a known time zone"),
        ({"every": "soon"}, "every: 'soon' is not a delay; accepted: seconds"),
        ({"every": "999ms"}, "every: is 999 ms; accepted: from 1 second on"),
        ({"every": "1h", "max_runs": 0}, "max_runs: is 0; accepted: 1 to 1,000,000"),
        ({"every": "1h", "start_ms": 10_000, "end_ms": 9_999}, "end: lies before the first run"),
        ({"cron": "0 9 * * *", "start_ms": 0, "end_ms": 3_600_000}, "end: lies before the first run"),
    ],
)
def test_what_is_wrong_is_said_with_the_field(fields: dict[str, object], told: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        plan(**fields)
    assert str(refused.value).startswith(told)


def test_a_plan_ends_before_the_year_10000() -> None:
    rare = plan(cron="0 0 29 2 *", timezone="Pacific/Kiritimati")
    last = rare.latest_at(rare.last_ms)
    assert last is not None
    assert rare.shown(last).local == "9996-02-29T00:00:00+14:00"
    assert rare.next_after(last) is None
    assert plan(cron="* * * * * *").next_after(253_402_300_799_999) is None


def test_moments_depend_on_the_plans_zone_only_and_not_on_the_machines(monkeypatch: pytest.MonkeyPatch) -> None:
    def moments() -> list[int]:
        cron_of.cache_clear()
        changes.cache_clear()
        fresh = plan(cron="30 2 * * *", timezone="America/New_York")
        return [run.at_ms for run in fresh.preview(ms("2026-03-06T00:00:00Z"), 5)]

    seen = []
    try:
        for machine in ("UTC", "Australia/Lord_Howe", "America/New_York"):
            monkeypatch.setenv("TZ", machine)
            time.tzset()
            seen.append(moments())
    finally:
        monkeypatch.undo()
        time.tzset()
    assert seen[0] == seen[1] == seen[2]


@pytest.mark.parametrize(
    ("zone", "year", "found"),
    [
        ("America/Recife", 2000, 3),  # two changes within a week
        ("Asia/Gaza", 2040, 4),
        ("America/Argentina/Tucuman", 2004, 2),
        ("Africa/Casablanca", 2026, 2),
        ("Australia/Lord_Howe", 2026, 2),
        ("Pacific/Apia", 2011, 3),
        ("Europe/Berlin", 1980, 2),
        ("Asia/Tokyo", 2026, 0),
    ],
)
def test_every_change_of_a_zones_clock_is_found(zone: str, year: int, found: int) -> None:
    start = ms(f"{year}-01-01T00:00:00Z") // 1000
    hourly = [(at, offset_at(zone, at - 3600), offset_at(zone, at)) for at in range(start, start + 365 * 86_400, 3600)]
    walked = [(at, before, after) for at, before, after in hourly if before != after]
    rounded = [(-(-change.at // 3600) * 3600, change.before, change.after) for change in changes(zone, year)]
    assert rounded == walked
    assert len(walked) == found
    for change in changes(zone, year):
        assert (offset_at(zone, change.at - 1), offset_at(zone, change.at)) == change[1:]
