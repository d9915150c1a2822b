"""Durations in buckets: for Prometheus, and for quantiles."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scheduler.telemetry.histograms import BOUNDS_MS, Histogram, Spread, together


def test_a_value_on_a_bound_belongs_to_its_bucket() -> None:
    histogram = Histogram()
    for value in (0.0, 0.1, 0.11, 3_600_000, 3_600_001):
        histogram.observe(value)
    assert histogram.counts == [2, 1, *[0] * (len(BOUNDS_MS) - 3), 1, 1]
    assert histogram.total == pytest.approx(7_200_001.21)


def test_the_buckets_of_another_version_are_sorted_into_these() -> None:
    histogram = Histogram()
    histogram.observe(0.05)
    histogram.add((0.1, 4, 10), [2, 3, 4, 5], 99.0)
    expected = {0.1: 3, 5: 3, 10: 4, None: 5}
    counts = zip((*BOUNDS_MS, None), histogram.counts, strict=True)
    assert {bound: n for bound, n in counts if n} == expected
    assert histogram.total == pytest.approx(99.05)


def test_no_value_no_quantile() -> None:
    assert Spread().quantile(0.5) is None


@given(st.lists(st.floats(0.02, 100_000_000), min_size=1), st.floats(0.01, 1))
def test_a_quantile_is_right_within_five_per_cent(values: list[float], q: float) -> None:
    spread = Spread()
    for value in values:
        spread.observe(value)
    exact = sorted(values)[max(0, int(-(-q * len(values) // 1)) - 1)]
    assert spread.quantile(q) == pytest.approx(exact, rel=0.051)


def test_the_p99_of_an_operator_s_day() -> None:
    """10,700 ms was shown as 26,927: the bucket went from 10 to 30 s."""
    spread = Spread()
    for value in range(1, 10_811):
        spread.observe(value)
    assert spread.quantile(0.99) == pytest.approx(10_700, rel=0.03)


def test_what_was_encoded_adds_up() -> None:
    one, two = Spread(), Spread()
    for value in (0.0, 0.02, 5, 5, 700_000):
        one.observe(value)
        two.add(json.loads(json.dumps(one.encode())))
    assert sum(two.counts.values()) == 1 + 2 + 3 + 4 + 5
    assert together([one, two]).counts == {bucket: n + two.counts[bucket] for bucket, n in one.counts.items()}
