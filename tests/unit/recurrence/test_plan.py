"""The plan of a schedule: its bounds, its kinds, what is shown, what is kept of it, and what is refused."""

from __future__ import annotations

import pytest

from scheduler.recurrence import Recurrence
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
