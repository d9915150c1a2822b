"""Cron expressions: what is read, what is refused and how, and the nights on which the clock changes."""

from __future__ import annotations

import time as stopwatch

import pytest

from scheduler.errors import InvalidInput
from scheduler.recurrence import Recurrence
from scheduler.recurrence.cron import cron_of
from scheduler.recurrence.days import _days_of
from scheduler.recurrence.fields import read_cron
from scheduler.when import parse_time

BERLIN = "Europe/Berlin"


def runs(cron: str, after: str, count: int, zone: str = "UTC") -> list[str]:
    """The next runs, local, without the seconds if they are 0."""
    after_ms = parse_time(after)
    found = Recurrence.of(now_ms=after_ms, cron=cron, timezone=zone).preview(after_ms, count)
    return [run.local.replace(":00+", "+").replace(":00-", "-") for run in found]


def days(cron: str, count: int, after: str = "2026-01-01T00:00:00Z") -> list[str]:
    return [run[:10] for run in runs(cron, after, count)]


# ----------------------------------------------------------------------------------------------------------- the nights
def test_a_fixed_time_in_the_gap_comes_once_at_the_first_moment_after_it() -> None:
    assert runs("30 2 * * *", "2026-03-28T00:00:00Z", 3, BERLIN) == [
        "2026-03-28T02:30+01:00",
        "2026-03-29T03:00+02:00",
        "2026-03-30T02:30+02:00",
    ]


def test_several_fixed_times_in_the_gap_are_one_moment_and_may_be_that_of_the_next_time() -> None:
    assert runs("0,20,40 2-3 * * *", "2026-03-29T00:00:00Z", 4, BERLIN) == [
        "2026-03-29T03:00+02:00",
        "2026-03-29T03:20+02:00",
        "2026-03-29T03:40+02:00",
        "2026-03-30T02:00+02:00",
    ]


def test_a_fixed_time_that_comes_twice_is_the_first() -> None:
    assert runs("30 2 * * *", "2026-10-24T12:00:00Z", 2, BERLIN) == ["2026-10-25T02:30+02:00", "2026-10-26T02:30+01:00"]
    for later in ("2026-10-25T00:45:00Z", "2026-10-25T01:15:00Z"):  # in the first pass, and in the second
        assert runs("30 2 * * *", later, 1, BERLIN) == ["2026-10-26T02:30+01:00"]
    plan = Recurrence.of(now_ms=0, cron="30 2 * * *", timezone=BERLIN, start_ms=0)
    day = (parse_time("2026-10-25T00:00:00+02:00"), parse_time("2026-10-26T00:00:00+01:00"))
    assert plan.latest_at(day[1]) == parse_time("2026-10-25T00:30:00Z")
    assert plan.count(*day) == 1


def test_an_interval_goes_on_through_both_passes_and_makes_nothing_up() -> None:
    assert runs("*/30 * * * *", "2026-10-25T00:00:00Z", 4, BERLIN) == [
        "2026-10-25T02:30+02:00",
        "2026-10-25T02:00+01:00",
        "2026-10-25T02:30+01:00",
        "2026-10-25T03:00+01:00",
    ]
    assert runs("*/30 2 * * *", "2026-03-28T12:00:00Z", 1, BERLIN) == ["2026-03-30T02:00+02:00"]
    assert runs("30 * * * *", "2026-03-29T00:00:00Z", 2, BERLIN) == ["2026-03-29T01:30+01:00", "2026-03-29T03:30+02:00"]


def test_six_fields_follow_the_same_rules() -> None:
    assert runs("15 30 2 * * *", "2026-03-28T12:00:00Z", 1, BERLIN) == ["2026-03-29T03:00+02:00"]
    assert runs("15 30 2 * * *", "2026-10-24T12:00:00Z", 2, BERLIN) == [
        "2026-10-25T02:30:15+02:00",
        "2026-10-26T02:30:15+01:00",
    ]
    assert runs("15 */30 2 * * *", "2026-10-25T00:45:00Z", 1, BERLIN) == ["2026-10-25T02:00:15+01:00"]


def test_half_an_hour_is_made_up_for_and_repeated_too() -> None:
    lord_howe = "Australia/Lord_Howe"
    assert runs("15 2 * * *", "2026-10-03T00:00:00Z", 1, lord_howe) == ["2026-10-04T02:30+11:00"]
    assert runs("45 1 * * *", "2026-04-04T00:00:00Z", 2, lord_howe) == [
        "2026-04-05T01:45+11:00",
        "2026-04-06T01:45+10:30",
    ]


def test_a_gap_of_more_than_three_hours_is_not_made_up_for() -> None:
    assert runs("0 12 30 12 *", "2011-12-01T00:00:00Z", 1, "Pacific/Apia") == ["2012-12-30T12:00+14:00"]
    assert runs("0 1 * * *", "2020-10-03T00:00:00Z", 1, "Antarctica/Casey") == ["2020-10-04T03:01+11:00"]


# ------------------------------------------------------------------------------------------------------------- the days
def test_of_two_restricted_day_fields_either_is_enough() -> None:
    assert days("0 0 13 * FRI", 4) == ["2026-01-02", "2026-01-09", "2026-01-13", "2026-01-16"]
    assert days("0 0 1 * MON#2", 3) == ["2026-01-12", "2026-02-01", "2026-02-09"]
    assert days("0 0 15W * 1", 4) == ["2026-01-05", "2026-01-12", "2026-01-15", "2026-01-19"]
    assert days("0 0 31 2 MON", 2) == ["2026-02-02", "2026-02-09"]


@pytest.mark.parametrize("cron", ["0 0 */2 * MON", "0 0 1-31/2 * */1"])
def test_a_day_field_that_begins_with_a_star_is_not_restricted_so_both_must_match(cron: str) -> None:
    weekdays = {"0 0 */2 * MON": ["2026-01-05", "2026-01-19", "2026-02-09"]}
    assert days(cron, 3) == weekdays.get(cron, ["2026-01-03", "2026-01-05", "2026-01-07"])


@pytest.mark.parametrize(
    ("cron", "expected"),
    [
        ("0 0 L * *", ["2026-01-31", "2026-02-28", "2026-03-31"]),
        ("0 0 L-3 * *", ["2026-01-28", "2026-02-25", "2026-03-28"]),
        ("0 0 LW * *", ["2026-01-30", "2026-02-27", "2026-03-31"]),
        ("0 0 15W * *", ["2026-01-15", "2026-02-16", "2026-03-16"]),
        ("0 0 1W 8 *", ["2026-08-03", "2027-08-02", "2028-08-01"]),
        ("0 0 31W * *", ["2026-01-30", "2026-03-31", "2026-05-29"]),
        ("0 0 1,15W,L * *", ["2026-01-15", "2026-01-31", "2026-02-01"]),
        ("0 0 * * 5L", ["2026-01-30", "2026-02-27", "2026-03-27"]),
        ("0 0 * * FRIL", ["2026-01-30", "2026-02-27", "2026-03-27"]),
        ("0 0 * * 7#1", ["2026-01-04", "2026-02-01", "2026-03-01"]),
        ("0 0 * * SUN#1,WED", ["2026-01-04", "2026-01-07", "2026-01-14"]),
        ("0 0 * 2 MON#5", ["2044-02-29", "2072-02-29", "2112-02-29"]),
        ("@monthly", ["2026-02-01", "2026-03-01", "2026-04-01"]),
        ("@weekly", ["2026-01-04", "2026-01-11", "2026-01-18"]),
        ("@YEARLY", ["2027-01-01", "2028-01-01", "2029-01-01"]),
    ],
)
def test_days_of_the_calendar(cron: str, expected: list[str]) -> None:
    assert days(cron, 3) == expected


@pytest.mark.parametrize(
    ("same", "as_this"),
    [
        ("0 22-2 * * *", "0 22,23,0,1,2 * * *"),
        ("0 22-4/2 * * *", "0 22,0,2,4 * * *"),
        ("0 23-22/5 * * *", "0 23,4,9,14,19 * * *"),
        ("50-10/5 * * * *", "50,55,0,5,10 * * * *"),
        ("0 0 * NOV-FEB *", "0 0 * 11,12,1,2 *"),
        ("0 0 * * FRI-MON", "0 0 * * 5,6,0,1"),
        ("0 0 * * 5-7", "0 0 * * 5,6,0"),
        ("0 0 * * 7-2", "0 0 * * 0,1,2"),
        ("0 0 * * 0-7", "0 0 * * 0,1,2,3,4,5,6"),
        ("0 0 29-2 * *", "0 0 29,30,31,1,2 * *"),
        ("5-5 * * * *", "5 * * * *"),
        ("50/5 * * * *", "50,55 * * * *"),
        ("59/15 * * * *", "59 * * * *"),
        ("0 0 * jan mon", "0 0 * 1 1"),
        ("0 5 * * * *", "5 * * * *"),
        ("@hourly", "0 * * * *"),
        ("  0   9  *\t* * ", "0 9 * * *"),
    ],
)
def test_two_ways_to_write_the_same(same: str, as_this: str) -> None:
    assert read_cron(same.strip()) == read_cron(as_this)


# ----------------------------------------------------------------------------------------------------------- the errors
@pytest.mark.parametrize(
    ("cron", "told"),
    [
        ("60 * * * *", "the field minute: '60' is out of range: the value 60 is not from 0 to 59; accepted: "),
        ("* 24 * * *", "the field hour: '24' is out of range"),
        ("* * 0 * *", "the field day of month: '0' is out of range: the value 0 is not from 1 to 31"),
        ("* * 32W * *", "the field day of month: '32W' is out of range"),
        ("* * L-31 * *", "the field day of month: 'L-31' is out of range"),
        ("* * * 13 *", "the field month: '13' is out of range"),
        ("* * * JANUARY *", "the field month: 'JANUARY' is not a value of it; accepted: * or 1 to 12, JAN to DEC"),
        ("* * * * 8", "the field day of week: '8' is out of range"),
        ("* * * * 5#6", "the field day of week: '5#6' takes 1 to 5 after the #"),
        ("* * * * L", "the field day of week: 'L' does not say which day is meant"),
        ("* * * * L5", "the field day of week: 'L5' is not a value of it; accepted: "),
        ("61 * * * * *", "the field second: '61' is out of range"),
        ("*/0 * * * *", "the field minute: '*/0' is out of range: the step 0 is not from 1 to 60"),
        ("*/90 * * * *", "the field minute: '*/90' is out of range: the step 90 is not from 1 to 60"),
        ("5- * * * *", "the field minute: '5-' lacks a value"),
        ("5/ * * * *", "the field minute: '5/' lacks a step"),
        ("-5 * * * *", "the field minute: '-5' lacks a value"),
        ("1,,2 * * * *", "the field minute: '1,,2' has an empty place in its list"),
        ("? * * * *", "the field minute: '?' is not taken; write * for any value"),
        ("H * * * *", "the field minute: 'H' is not a value of it"),
        ("* * * *", "has 4 fields; accepted: 5 (minute, hour, day of month, month, day of week), or 6 with the second"),
        ("0 0 9 * * * 2027", "has 7 fields; a year cannot be given, use start and end; accepted: 5"),
        ("", "has 0 fields"),
        ("TZ=Europe/Berlin 0 9 * * *", "begins with a zone in another form; accepted: CRON_TZ=Europe/Berlin 0 9"),
        ("cron_tz=Europe/Berlin 0 9 * * *", "begins with a zone in another form"),
        ("@reboot", "'@reboot' is not known; accepted: @yearly"),
        ("@every 5m", "'@every 5m' is not known; accepted: @yearly, @annually, @monthly, @weekly, @daily, @midnight"),
        ("\u0665 * * * *", "has characters that are not ASCII"),
        ("1" * 5000 + " * * * *", "is longer than 200 characters"),
    ],
)
def test_an_error_names_the_field_and_what_it_takes(cron: str, told: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        Recurrence.of(now_ms=0, cron=cron)
    (error,) = refused.value.errors
    assert error.field == "cron"
    assert error.message.startswith(told)
    assert len(error.message) < 400


@pytest.mark.parametrize(
    "cron", ["0 0 30 2 *", "0 0 31 2,4,6,9,11 *", "0 0 31W 2 *", "0 0 L-29 2 */2", "* * */30 2 1L"]
)
def test_an_expression_that_never_comes_is_refused_quickly_and_with_that_reason(cron: str) -> None:
    cron_of.cache_clear()
    _days_of.cache_clear()
    began = stopwatch.thread_time()
    with pytest.raises(InvalidInput, match="never comes: none of its months has a day that it names"):
        Recurrence.of(now_ms=0, cron=cron)
    assert stopwatch.thread_time() - began < 0.5
