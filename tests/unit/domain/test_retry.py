"""Backoff: it grows, it is capped, it spreads, and no attempt number is too large for it."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scheduler.retry import UNLIMITED, RetryPolicy, after_failure

POLICIES = st.builds(
    RetryPolicy,
    max_attempts=st.one_of(st.just(UNLIMITED), st.integers(min_value=1, max_value=1_000_000)),
    base=st.floats(min_value=0, max_value=86_400),
    factor=st.floats(min_value=1, max_value=1000),
    cap=st.floats(min_value=0, max_value=315_360_000),
    jitter=st.booleans(),
)
ATTEMPTS = st.integers(min_value=1, max_value=10**9)


def test_backoff_doubles_up_to_the_cap() -> None:
    policy = RetryPolicy(base=1.0, factor=2.0, cap=10.0, jitter=False)
    assert [policy.delay_ms(attempt) for attempt in (1, 2, 3, 4, 5, 6, 5000)] == [
        1000, 2000, 4000, 8000, 10_000, 10_000, 10_000,
    ]  # fmt: skip


def test_no_backoff_stays_none_however_often_it_grows() -> None:
    assert RetryPolicy(base=0, jitter=False).delay_ms(5000) == 0


def test_jitter_is_drawn_from_the_whole_backoff() -> None:
    drawn: list[tuple[float, float]] = []

    def uniform(low: float, high: float) -> float:
        drawn.append((low, high))
        return high / 3

    policy = RetryPolicy(base=1.0, factor=3.0, cap=300.0)
    assert [policy.delay_ms(attempt, uniform) for attempt in (1, 2, 9)] == [333, 1000, 100_000]
    assert drawn == [(0, 1000.0), (0, 3000.0), (0, 300_000.0)]


def test_jitter_spreads_what_failed_together() -> None:
    uniform = random.Random(1).uniform
    delays = [RetryPolicy(base=1.0).delay_ms(1, uniform) for _ in range(1000)]
    assert len(set(delays)) > 500
    tenths = [sum(low <= delay < low + 100 for delay in delays) for low in range(0, 1000, 100)]
    assert min(tenths) > 50


@pytest.mark.parametrize(
    ("max_attempts", "attempt", "exhausted"),
    [(1, 1, True), (5, 4, False), (5, 5, True), (5, 6, True), (UNLIMITED, 10**9, False)],
)
def test_exhausted(max_attempts: int, attempt: int, exhausted: bool) -> None:
    assert RetryPolicy(max_attempts).exhausted(attempt) is exhausted


THREE = RetryPolicy(max_attempts=3, base=1.0, factor=4.0, jitter=False)


@pytest.mark.parametrize(
    ("attempt", "asked_ms", "cut_short", "delay_ms"),
    [
        (1, None, False, 1000),
        (2, None, False, 4000),
        (2, 70, False, 70),
        (2, 0, False, 0),
        (3, None, False, None),
        (3, 70, False, None),
        (4, None, False, None),
        (3, 0, True, 0),
    ],
)
def test_a_failed_attempt_is_followed_by_another_or_by_none(
    attempt: int, asked_ms: int | None, cut_short: bool, delay_ms: int | None
) -> None:
    assert after_failure(THREE, attempt, asked_ms=asked_ms, cut_short=cut_short) == delay_ms


def test_without_limit_there_is_always_another() -> None:
    assert after_failure(RetryPolicy(UNLIMITED, jitter=False), 10**6) == 300_000


@given(POLICIES, ATTEMPTS)
def test_a_delay_is_never_negative_and_never_above_the_cap(policy: RetryPolicy, attempt: int) -> None:
    assert 0 <= policy.delay_ms(attempt) <= policy.cap * 1000 + 0.5


@given(POLICIES, st.integers(min_value=1, max_value=1000))
def test_backoff_never_shrinks(policy: RetryPolicy, attempt: int) -> None:
    def longest(low: float, high: float) -> float:
        return high

    assert policy.delay_ms(attempt, longest) <= policy.delay_ms(attempt + 1, longest)


@given(POLICIES)
def test_the_stored_form_comes_back(policy: RetryPolicy) -> None:
    assert RetryPolicy.decode(policy.encode()) == policy


@pytest.mark.parametrize("text", ["", "5", "5,1.0,2.0,300.0", "five,1.0,2.0,300.0,1", "5,1.0,2.0,300.0,1,1"])
def test_a_broken_stored_form_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"values to unpack|invalid literal"):
        RetryPolicy.decode(text)
