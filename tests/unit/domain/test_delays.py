"""Every accepted form of ``delay``, and what is refused in words."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scheduler.when import MAX_MS, parse_delay
from tests.support.refusals import refused

DAY = 86_400_000


@pytest.mark.parametrize(
    ("value", "milliseconds"),
    [
        (0, 0),
        (90, 90_000),
        (1.5, 1500),
        ("90", 90_000),
        ("1.5", 1500),
        (0.0001, 1),
        (0.1, 100),
        ("0.0011", 2),
        ("1d2h30m45s", 95_445_000),
        ("1D 2H 30M 45S", 95_445_000),
        ("1 d 2 h", DAY + 7_200_000),
        ("2w", 14 * DAY),
        ("1w1ms", 7 * DAY + 1),
        ("250ms", 250),
        ("0.5ms", 1),
        ("1h1.5m", 3_690_000),
        ("PT5M", 300_000),
        ("pt5m", 300_000),
        ("P1DT2H", DAY + 7_200_000),
        ("P2W", 14 * DAY),
        ("PT1.5S", 1500),
        ("PT1,5S", 1500),
        ("PT0.0001S", 1),
        ("P0D", 0),
    ],
)
def test_delays(value: object, milliseconds: int) -> None:
    assert parse_delay(value) == milliseconds


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("", "'' is not a delay; accepted: seconds"),
        ("soon", "is not a delay; accepted: seconds .*PT5M"),
        ("P", "is not a delay"),
        ("PT", "is not a delay"),
        ("P1DT", "is not a delay"),
        ("5 minutes", "is not a delay"),
        ("1e3", "is not a delay"),
        ("1h2h", "each unit only once, the largest first"),
        ("1m2h", "each unit only once, the largest first"),
        ("1.5h30m", "only the last number may have decimals"),
        ("PT1.5H30M", "only the last number may have decimals"),
        ("P1Y", "years or months, which have no fixed length"),
        ("P1M", "years or months, which have no fixed length"),
        ("P1Y2DT3H", "years or months, which have no fixed length"),
        ("-5", "is negative"),
        (-5, "is negative"),
        (-0.0001, "is negative"),
        ("-PT5M", "is negative"),
        (float("nan"), "not a finite number"),
        (float("-inf"), "not a finite number"),
        (False, "false is neither text nor a number"),
        ({}, "a value of type dict"),
        ("9" * 10_000, "is not a delay"),
    ],
)
def test_refused_delays_say_what_was_wrong(value: object, words: str) -> None:
    with refused("delay", words):
        parse_delay(value)


@given(st.integers(min_value=0, max_value=MAX_MS))
def test_delays_round_trip_in_every_form(milliseconds: int) -> None:
    seconds, ms = divmod(milliseconds, 1000)
    minutes, s = divmod(seconds, 60)
    hours, m = divmod(minutes, 60)
    d, h = divmod(hours, 24)
    assert parse_delay(f"{d}d{h}h{m}m{s}s{ms}ms") == milliseconds
    assert parse_delay(f"P{d}DT{h}H{m}M{s}.{ms:03}S") == milliseconds
    assert parse_delay(f"{seconds}.{ms:03}") == milliseconds
    assert parse_delay(seconds) == seconds * 1000
