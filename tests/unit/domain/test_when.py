"""Every accepted form of ``time``, ``delay`` and ``timezone``, and words for everything else."""

from __future__ import annotations

import time as stopwatch
from datetime import UTC, datetime, timedelta, timezone
from email.utils import format_datetime
from fractions import Fraction
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from scheduler import moments
from scheduler.errors import InvalidInput
from scheduler.when import MAX_MS, format_ms, parse_delay, parse_time, parse_timezone, parse_when
from tests.support.refusals import refused

BERLIN = ZoneInfo("Europe/Berlin")
NEW_YEAR = 1_798_794_000_000  # 2027-01-01T09:00:00Z
DAY = 86_400_000
MOMENTS = st.integers(min_value=0, max_value=MAX_MS)


def local_times(first_year: int, end_year: int) -> st.SearchStrategy[datetime]:
    return st.datetimes(min_value=datetime(first_year, 1, 2), max_value=datetime(end_year, 1, 1))  # noqa: DTZ001 - local times, of no zone


# ----------------------------------------------------------------------------------------------------------------- time
@pytest.mark.parametrize(
    "text",
    [
        "2027-01-01T09:00:00Z",
        "2027-01-01t09:00:00z",
        " 2027-01-01T09:00:00Z ",
        "2027-01-01 09:00:00Z",
        "2027-01-01T09:00:00 Z",
        "2027-01-01T09:00Z",
        "2027-01-01T09Z",
        "2027-01-01T09:00:00",
        "2027-01-01T10:00:00+01:00",
        "2027-01-01T10:00:00+0100",
        "2027-01-01T10:00:00+01",
        "2027-01-01T04:00:00-05:00",
        "2027-01-01T09:00:00-00:00",
        "20270101T090000Z",
        "20270101T0900Z",
        "2026-W53-5T09:00:00Z",
        "2026W535T090000Z",
        "2027-01-01T09:00:00.000Z",
        "2027-01-01T09:00:00,000Z",
        "Thu, 01 Jan 2027 09:00:00 GMT",  # the wrong day of the week: the date decides
        "Fri, 01 Jan 2027 09:00:00 GMT",
        "Fri, 1 Jan 2027 10:00:00 +0100",
        "1 jan 2027 09:00 ut",
        "01 Jan 2027 04:00:00 EST",
        "01 Jan 2027 09:00:00 -0000",
        "Fri, 01 Jan 2027 10:00:00 +0100 (CET)",
        "01 Jan 2027 09:00:00",
        "1798794000",
        "1798794000.000",
        "1798794000000",
        1798794000,
        1798794000.0,
        1798794000000,
    ],
)
def test_forms_of_one_moment(text: object) -> None:
    assert parse_time(text) == NEW_YEAR


@pytest.mark.parametrize(
    ("value", "moment"),
    [
        ("2027-01-01", NEW_YEAR - 9 * 3_600_000),
        ("2026-12-31T24:00:00Z", NEW_YEAR - 9 * 3_600_000),
        ("2026-12-31T24:00", NEW_YEAR - 9 * 3_600_000),
        ("20261231T240000.000", NEW_YEAR - 9 * 3_600_000),
        ("2027-01-01T09:00:00.5Z", NEW_YEAR + 500),
        ("2027-01-01T09:00:00,123Z", NEW_YEAR + 123),
        # Never early: what is finer than a millisecond rounds up, however long it is.
        ("2027-01-01T09:00:00.1230001Z", NEW_YEAR + 124),
        ("2027-01-01T09:00:00.000000000000000001Z", NEW_YEAR + 1),
        ("2027-01-01T09:00:00.999999999Z", NEW_YEAR + 1000),
        ("1798794000.0001", NEW_YEAR + 1),
        (1798794000.0001, NEW_YEAR + 1),
        # … and what a float cannot hold exactly is meant as it is written.
        (1798794000.123, NEW_YEAR + 123),
        (99_999_999_999, 99_999_999_999_000),
        (100_000_000_000, 100_000_000_000),
        ("99999999999", 99_999_999_999_000),
        ("100000000000", 100_000_000_000),
        (1e11, 100_000_000_000),
        (100_000_000, 100_000_000_000),
        ("100000000.5", 100_000_000_500),
        ("1970-01-01T00:00:00Z", 0),
        (MAX_MS, MAX_MS),
        ("9999-12-31T23:59:59.999Z", MAX_MS),
    ],
)
def test_moments(value: object, moment: int) -> None:
    assert parse_time(value) == moment


def test_a_local_time_is_taken_in_the_zone_and_an_offset_wins_over_it() -> None:
    assert parse_time("2027-01-01T10:00:00", BERLIN) == NEW_YEAR
    assert parse_time("01 Jan 2027 10:00:00", BERLIN) == NEW_YEAR
    assert parse_time("2027-01-01T09:00:00Z", BERLIN) == NEW_YEAR
    assert parse_time("01 Jan 2027 09:00:00 GMT", BERLIN) == NEW_YEAR
    assert parse_time(NEW_YEAR, BERLIN) == NEW_YEAR


def test_a_local_time_that_the_clocks_skip_moves_forward_by_the_gap() -> None:
    assert format_ms(parse_time("2027-03-28T02:30:00", BERLIN)) == "2027-03-28T01:30:00.000Z"  # 03:30 summer time
    assert parse_time("2027-03-28T02:30", BERLIN) == parse_time("2027-03-28T03:30", BERLIN)


def test_a_local_time_that_comes_twice_is_the_first() -> None:
    assert format_ms(parse_time("2027-10-31T02:30:00", BERLIN)) == "2027-10-31T00:30:00.000Z"  # still summer time


def test_a_day_that_a_zone_skipped_as_a_whole() -> None:
    # Samoa went from 29 to 31 December 2011.
    apia = ZoneInfo("Pacific/Apia")
    assert parse_time("2011-12-30T12:00", apia) == parse_time("2011-12-31T12:00", apia)


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("", "is not a time; accepted: epoch"),
        ("tomorrow", "'tomorrow' is not a time; accepted: epoch seconds .* ISO 8601 .* RFC 2822"),
        ("1/2/2027", "must begin with the year"),
        ("13/6/2099", "must begin with the year"),
        ("6/13/99", "is not a time"),
        ("13.06.2099", "is not a time"),
        ("Jan 1 27", "is not a time"),
        ("Jan 32 2027", "day is out of range"),
        ("Janu 1 2027", "the month must be Jan to Dec"),
        ("Jan 1 2027 13:00 PM", "the hour before AM or PM must be 1 to 12"),
        ("Jan 1 2027 0:30 AM", "the hour before AM or PM must be 1 to 12"),
        ("2027/13/01", "month must be in 1..12"),
        ("2027/01-01", "is not a time"),
        ("2027-13", "month must be in 1..12"),
        ("1969", "would lie before 1973"),
        ("0000", "would lie before 1973"),
        ("1969-12", "before 1970"),
        ("0000-12", "year 0 is out of range"),
        ("2027-0101", "is not a time"),
        ("2027-1", "is not a time"),
        ("1e9", "is not a time"),
        ("٢٠٢٧", "is not a time"),
        ("2027-02-30", "day is out of range|day 30"),
        ("2027-01-01T25:00", "hour must be in 0..23"),
        ("2027-01-01T24:00:01", "hour 24 is only accepted as 24:00:00"),
        ("2027-01-01T24:00:00.001", "hour 24 is only accepted as 24:00:00"),
        ("2027-01-01T09:00.5Z", "only seconds may have a fraction"),
        ("2027-01-01T09:00:00+25:00", "the offset must be"),
        ("2027-01-01T09:00:00+01:60", "the offset must be"),
        ("01 Foo 2027 09:00:00 GMT", "the month must be Jan to Dec"),
        ("01 Jan 2027 09:00:00 CET", r"CET is no zone of RFC 2822 \(GMT, UT, EST, or an offset such as \+0100"),
        ("01 Jan 2027 09:00:00 +0160", "minutes of an offset"),
        ("-1", "before 1970"),
        (-0.5, "before 1970"),
        ("1969-12-31T23:59:59.999Z", "before 1970"),
        ("9999-12-31T23:59:59.9991Z", "beyond the year 9999"),
        ("9999-12-31T24:00:00Z", "beyond the year 9999"),
        ("9999-12-31T23:59:59-00:01", "beyond the year 9999"),
        (MAX_MS + 1, "beyond the year 9999"),
        pytest.param(10**5000, "beyond the year 9999", id="5001 digits"),
        (1e300, "beyond the year 9999"),
        (float("nan"), "nan is not a finite number"),
        (float("inf"), "inf is not a finite number"),
        (True, "true is neither text nor a number"),
        (None, "null is neither text nor a number"),
        ([], "a value of type list is neither text nor a number"),
        ("9" * 10_000, "is not a time"),
    ],
)
def test_refused_times_say_what_was_wrong(value: object, words: str) -> None:
    with refused("time", words) as raised:
        parse_time(value)
    assert len(str(raised.value)) < 500


# What JavaScript's Date writes, and what it reads: each of these means half past one in the afternoon of 1 June 2099.
AFTERNOON = parse_time("2099-06-01T13:30:00Z")


@pytest.mark.parametrize(
    "text",
    [
        "Mon Jun 01 2099 13:30:00 GMT+0000 (Coordinated Universal Time)",
        "Mon Jun 01 2099 15:30:00 GMT+0200 (Mitteleuropäische Sommerzeit)",
        "Mon, 01 Jun 2099 13:30:00 GMT",
        "June 1, 2099 13:30:00",
        "June 1, 2099, 1:30 PM",
        "Jun 1 2099 1:30:00 pm UTC",
        "Monday, June 1, 2099 13:30",
        "1 June 2099 13:30:00",
        "June 01, 2099 08:30:00 EST",
        "June 1, 2099 19:00:00 +05:30",
        "2099/06/01 13:30:00",
        "2099/6/1 13:30",
        "2099-6-1 1:30 PM",
        "2099/06/01, 13:30:00 Z",
        "20990601T133000",
    ],
)
def test_what_javascripts_date_writes_and_reads(text: str) -> None:
    assert parse_time(text) == parse_time(text.lower()) == AFTERNOON


@pytest.mark.parametrize(
    "text", ["6/1/2099, 1:30:00 PM", "6/1/2099, 1:30:00\u202fPM", "06/01/2099 13:30", "6/1/2099 15:30 GMT+0200"]
)
def test_dates_with_slashes_are_month_first_where_that_is_asked_for(text: str) -> None:
    assert parse_time(text, american=True) == AFTERNOON
    with refused("time", "must begin with the year"):
        parse_time(text)


def test_the_hours_of_a_clock_of_twelve() -> None:
    assert [parse_time(f"June 1, 2099 {hour}") for hour in ("12:30 AM", "12:30 PM", "1:30 AM", "11:30 PM")] == [
        parse_time(f"2099-06-01T{hour}") for hour in ("00:30", "12:30", "01:30", "23:30")
    ]


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("2099", "2099-01-01"),
        (" 2099 ", "2099-01-01"),
        ("1971", "1971-01-01"),
        ("2099-06", "2099-06-01"),
        ("20990613", "2099-06-13"),
        ("2099/6/13", "2099-06-13"),
        ("2099-6-13", "2099-06-13"),
        ("June 13, 2099", "2099-06-13"),
        ("13 Jun 2099", "2099-06-13"),
        ("Sat Jun 13 2099", "2099-06-13"),
        ("Sept 13, 2099", "2099-09-13"),
    ],
)
def test_a_day_alone_is_its_first_moment_in_the_zone(text: str, day: str) -> None:
    assert parse_time(text) == parse_time(f"{day}T00:00:00Z")
    assert parse_time(text, BERLIN) == parse_time(f"{day}T00:00:00", BERLIN)


FAR_FROM_WHAT_WAS_MEANT: list[tuple[str, list[object]]] = [
    ("a delay", [0, 1, 60, "0", "60", "1.5", 86_400, "3600", "007"]),
    ("a year", [2099, 2099.0, "2099.0", "02099", "12099", "2200"]),
    ("a date", [20_990_613, 209_906, "209906", "990613", "2099613", "1e7", "36001231"]),
    ("a date and time", [209_906_131_200, "209906131200", 20_990_613_120_000, "20990613120000", 20_990_613_120_000.0]),
    ("microseconds, nanoseconds", [1_798_794_000_000_000, "1798794000000000", 1_798_794_000_000_000_000]),
    ("a time of day", ["12:30", "12:30:00"]),
]


@pytest.mark.parametrize(
    ("meant", "value"), [(meant, value) for meant, values in FAR_FROM_WHAT_WAS_MEANT for value in values]
)
def test_what_could_be_taken_for_a_moment_far_from_what_was_meant(meant: str, value: object) -> None:
    with refused("time", "accepted: "):
        parse_time(value)


def test_the_sentences_name_what_is_accepted() -> None:
    with refused("time", r"2099 as epoch seconds would lie before 1973.*numbers from 100000000 on.*\"2099\""):
        parse_time(2099)
    with refused("time", r"'20990613120000' reads as a date and time.*20990613T120000"):
        parse_time("20990613120000")


@given(st.integers(min_value=0, max_value=99_999_999))
def test_a_short_digit_string_is_a_year_or_a_date_or_refused(number: int) -> None:
    for text in (str(number), f"{number:04}", f"{number:08}"):
        try:
            moment = parse_time(text)
        except InvalidInput:
            continue
        assert format_ms(moment).replace("-", "").startswith(text)


@given(MOMENTS)
def test_iso_round_trip(moment: int) -> None:
    assert parse_time(format_ms(moment)) == moment


@given(
    local_times(1970, 9999),
    st.integers(min_value=-23 * 60, max_value=23 * 60),
)
def test_python_iso_forms_round_trip(local: datetime, offset_minutes: int) -> None:
    moment = local.replace(tzinfo=timezone(timedelta(minutes=offset_minutes)))
    exact = Fraction((moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1), 1000)
    parsed = parse_time(moment.isoformat())
    assert 0 <= parsed - exact < 1
    assert parse_time(moment.strftime("%Y%m%dT%H%M%S.%f%z").rjust(26, "0")) == parsed
    year, week, day = moment.isocalendar()
    assert parse_time(f"{year:04}-W{week:02}-{day}T{moment.isoformat()[11:]}") == parsed


@given(local_times(1970, 9999))
def test_rfc_2822_round_trip(local: datetime) -> None:
    moment = local.replace(microsecond=0, tzinfo=UTC)
    assert parse_time(format_datetime(moment, usegmt=True)) == parse_time(moment.isoformat())
    assert parse_time(format_datetime(moment)) == parse_time(moment.isoformat())


@given(MOMENTS.filter(lambda moment: moment >= 10**11 and not moments.is_date_and_time(str(moment))))
def test_epoch_round_trip(moment: int) -> None:
    seconds, rest = divmod(moment, 1000)
    if seconds < 10**11:
        assert parse_time(f"{seconds}.{rest:03}") == moment
        assert parse_time(seconds) == seconds * 1000
        assert 0 <= parse_time(moment / 1000) - moment <= 1
    if moment >= 10**11:
        assert parse_time(moment) == parse_time(str(moment)) == moment


# No deadline: each zone is read from disk once.
@hypothesis_settings(deadline=None)
@given(local_times(1971, 2100), st.timezone_keys())
def test_a_local_time_comes_back_in_its_zone_unless_the_clocks_skip_it(local: datetime, name: str) -> None:
    zone = ZoneInfo(name)
    local = local.replace(microsecond=0, fold=0)
    back = datetime.fromtimestamp(parse_time(local.isoformat(), zone) / 1000, tz=zone)
    assert back.replace(tzinfo=None) >= local
    assert back.fold == 0
    if back.replace(tzinfo=None) != local:
        # In a gap: moved by exactly the gap, which is what the offset grew by there.
        before = local.replace(tzinfo=zone).utcoffset()
        after = back.utcoffset()
        assert before is not None
        assert after is not None
        assert back.replace(tzinfo=None) - local == after - before


# ------------------------------------------------------------------------------------------------------------- timezone
def test_no_timezone_is_none() -> None:
    assert parse_timezone(None) is None


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("Europe/Berln", r"is not a known time zone \(did you mean Europe/Berlin\?\); accepted: an IANA name"),
        ("europe/berlin", r"\(did you mean Europe/Berlin\?\)"),
        ("Europe", "is not a known time zone"),
        ("+01:00", "is not a known time zone"),
        ("../../etc/passwd", "is not a known time zone"),
        ("/etc/passwd", "is not a known time zone"),
        ("a\0b", "is not a known time zone"),
        ("\ud800", "is not a known time zone"),
        ("right/Europe/Berlin", r"is not a known time zone \(did you mean Europe/Berlin\?\)"),
        ("posix/Europe/Berlin", "is not a known time zone"),
        ("localtime", r"is not a known time zone; accepted|is not a known time zone \(did you mean (?!localtime)"),
        ("posixrules", "is not a known time zone"),
        ("Factory", "is not a known time zone"),
        ("x" * 1000, "is not a time zone"),
        ("", "is not a time zone"),
        (5, "is not a time zone"),
    ],
)
def test_refused_time_zones_say_what_was_wrong(value: object, words: str) -> None:
    with refused("timezone", words):
        parse_timezone(value)


# ----------------------------------------------------------------------------------------------------------- all of it
def test_one_of_time_and_delay_or_now() -> None:
    assert parse_when("2027-01-01T10:00", None, "Europe/Berlin", 5) == NEW_YEAR
    assert parse_when(None, "1m", None, 5) == 60_005
    assert parse_when(None, "1m", "Europe/Berlin", 5) == 60_005
    assert parse_when(None, None, None, 5) == 5
    with refused("delay", "time and delay are both given"):
        parse_when(0, 0, None, 5)
    with refused("timezone", "is not a known time zone"):
        parse_when(None, None, "Nowhere/Land", 5)


def test_the_first_millisecond_is_a_moment_like_any_other() -> None:
    assert parse_when("1970-01-01T00:00:00Z", None, None, 5) == 0
    assert parse_when("1970-01-01", None, None, 5) == 0


def test_a_delay_that_leads_beyond_the_year_9999_is_refused() -> None:
    assert parse_when(None, "1ms", None, MAX_MS - 1) == MAX_MS
    with refused("delay", "'2ms' from now lies beyond the year 9999"):
        parse_when(None, "2ms", None, MAX_MS - 1)
    with refused("delay", "beyond the year 9999"):
        parse_when(None, 10**5000, None, NEW_YEAR)


ANYTHING = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(),
    st.text(alphabet="0123456789-+:.,TZWPYMDHSwdhms/ "),
    st.binary(),
    st.lists(st.integers()),
    st.builds(object),
)


# No deadline: the first unknown name of a zone reads the list of all zones from disk.
@hypothesis_settings(deadline=None)
@given(ANYTHING, ANYTHING, ANYTHING)
@example("0000-01-01", None, None)
@example("0001-01-01T00:00:00+23:59", None, None)
@example("9999-12-31T23:59:59-23:59", None, "Pacific/Apia")
@example("0001-01-01", None, "Pacific/Apia")
@example("9999-12-31T24:00", None, "America/New_York")
@example("2027-W54-1", None, None)
def test_any_input_is_a_moment_or_an_invalid_input(time: object, delay: object, zone: object) -> None:
    for arguments in ((time, None, zone), (None, delay, zone), (time, delay, zone), (time, None, None)):
        try:
            moment = parse_when(*arguments, now_ms=NEW_YEAR)
        except InvalidInput as error:
            assert {e.field for e in error.errors} <= {"time", "delay", "timezone"}  # noqa: PT017 - most inputs raise nothing
            assert str(error).isascii()  # noqa: PT017 - most inputs raise nothing
        else:
            assert 0 <= moment <= MAX_MS


@pytest.mark.parametrize(
    "part", ["1", "1d", "1d ", " ", "1.", "P1D", "PT1", "P1Y", "1 Jan ", "2027-", "(", "+0", "-1", "1ms"]
)
def test_hostile_lengths_cost_no_more_than_linear_time(part: str) -> None:
    text = part * (200_000 // len(part)) + "!"
    began = stopwatch.thread_time()
    for parse in (parse_time, parse_delay, parse_timezone):
        with pytest.raises(InvalidInput):
            parse(text)
    assert stopwatch.thread_time() - began < 1


@given(MOMENTS)
def test_format_is_what_python_writes(moment: int) -> None:
    expected = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=moment)
    assert format_ms(moment) == expected.isoformat(timespec="milliseconds").replace("+00:00", "Z")
