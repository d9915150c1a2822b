"""For how long an endpoint asks to be left alone: Retry-After and RateLimit in the forms that servers send."""

from __future__ import annotations

import pytest

from scheduler.channels.webhook.response import Answer, judge, reset_of

NOW_MS = 1_800_000_000_000  # Fri, 15 Jan 2027 08:00:00 GMT


def delay_ms(*, retry_after: str | None = None, pause: str | None = None) -> int | None:
    answer = Answer(429, retry_after, pause=pause)
    return judge(answer, client_errors_final=False, retry_after_cap=3600.0, now_ms=NOW_MS, follows=False).delay_ms


@pytest.mark.parametrize(
    ("value", "ms"),
    [
        ("1800000030", 30_000),
        ("1800000030000", 30_000),
        ("1799999999", None),
        ("9" * 5000, 3_600_000),
        ("999999999", 3_600_000),
        ("1e309", None),
        ("\u0663", None),
        ("120, 300", None),
        ("Fri, 15 Jan 2027 08:00:30 -0000", 30_000),
        ("Fri, 31 Dec 99999 23:59:59 GMT", None),
        ("Fri, 15 Jan 2027 08:00:30 -9999", None),
    ],
)
def test_a_number_is_seconds_or_a_moment_since_1970_and_nonsense_is_left_to_the_backoff(
    value: str, ms: int | None
) -> None:
    assert delay_ms(retry_after=value) == ms
    if value.isascii() and value.isdigit():
        assert delay_ms(pause=value) == ms


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("limit=10, remaining=0, reset=30", "30"),
        ('"default";r=0;t=30', "30"),
        ('"burst";r=0;t=7, "daily";r=0;t=60', "60"),
        ('"burst";r=0;t=7, "daily";r=3;t=6000', "7"),
        ('"burst";r=2;t=7, "daily";r=3;t=60', "60"),
        ('"a;r=0;t=99";r=4;t=5, "b";r=0;t=7', "7"),
        ('"default";r=0', None),
        ("", None),
    ],
)
def test_of_several_limits_the_last_one_that_is_used_up_counts(header: str, seconds: str | None) -> None:
    assert reset_of(header) == seconds
