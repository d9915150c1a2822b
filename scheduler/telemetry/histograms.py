"""Two ways to keep many durations: coarse buckets for Prometheus, fine ones for the quantiles of ``/v1/stats``."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence

BOUNDS_MS = (
    0.1, 0.25, 0.5, 1, 2, 3, 5, 10, 20, 35, 60, 100, 200, 350, 600, 1000, 2000, 3500, 6000, 10_000, 20_000, 35_000,
    60_000, 120_000, 300_000, 600_000, 1_800_000, 3_600_000,
)  # fmt: skip
"""Upper bounds of a histogram's buckets, ms; a last bucket has no bound."""

_RATIO = 1.05
"""Ratio of the bounds of a spread's buckets, which makes its quantiles right within 2.5 %."""
_LEAST_MS = 0.01


class Histogram:
    """Counts per bucket of ``BOUNDS_MS``, and the sum of all values in ms."""

    __slots__ = ("counts", "total")

    def __init__(self) -> None:
        self.counts = [0] * (len(BOUNDS_MS) + 1)
        self.total = 0.0

    def observe(self, value: float) -> None:
        self.counts[bisect_left(BOUNDS_MS, value)] += 1
        self.total += value

    def add(self, bounds: Sequence[float], counts: Sequence[int], total: float) -> None:
        """Add another histogram, whose bounds may differ (a process of another version).

        A bucket that overlaps two of ours counts in the higher one.
        """
        for bound, n in zip((*bounds, math.inf), counts, strict=False):
            self.counts[bisect_left(BOUNDS_MS, bound)] += n
        self.total += total


def bucket_of(value: float) -> int:
    """Return the bucket of a spread that a value (ms) falls into."""
    return math.ceil(math.log(max(value, _LEAST_MS), _RATIO))


class Spread:
    """Counts in buckets that are 5 % wide; empty ones are not kept, so that reports stay small."""

    __slots__ = ("counts",)

    def __init__(self) -> None:
        self.counts: dict[int, int] = {}

    def observe(self, value: float) -> None:
        bucket = bucket_of(value)
        self.counts[bucket] = self.counts.get(bucket, 0) + 1

    def encode(self) -> dict[str, int]:
        """Return the counts, ready for JSON."""
        return {str(bucket): n for bucket, n in self.counts.items()}

    def add(self, encoded: Mapping[str, int]) -> None:
        for bucket, n in encoded.items():
            self.counts[int(bucket)] = self.counts.get(int(bucket), 0) + n

    def quantile(self, q: float) -> float | None:
        """Return the value (ms) below which the share ``q`` of the values lies; None without values."""
        rank = q * sum(self.counts.values())
        seen = 0
        for bucket in sorted(self.counts):
            n = self.counts[bucket]
            if seen + n >= rank:
                low, high = _RATIO ** (bucket - 1), _RATIO**bucket
                return round(low + (high - low) * (rank - seen) / n, 3)
            seen += n
        return None


def together(spreads: Iterable[Spread]) -> Spread:
    """Merge several spreads into one."""
    total = Spread()
    for spread in spreads:
        for bucket, n in spread.counts.items():
            total.counts[bucket] = total.counts.get(bucket, 0) + n
    return total
