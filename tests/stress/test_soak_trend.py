"""The soak's straight line tells growth from noise."""

from __future__ import annotations

import random

from tests.stress.soak import trend


def samples(per_hour: float, noise: float) -> list[tuple[float, float]]:
    """An hour, a sample each ten seconds, about a level of 100."""
    rng = random.Random(1)
    return [(at, 100 + per_hour * at / 3600 + rng.gauss(0, noise)) for at in range(0, 3600, 10)]


def test_noise_is_flat() -> None:
    found = trend(samples(0, 5))
    assert not found.grows
    assert abs(found.per_hour) <= found.margin * 2


def test_growth_is_seen_through_noise() -> None:
    found = trend(samples(10, 2))
    assert found.grows
    assert found.per_hour - found.margin <= 10 <= found.per_hour + found.margin


def test_what_does_not_change_is_flat_and_certain() -> None:
    found = trend([(at, 40.0) for at in range(100)])
    assert (found.level, found.per_hour, found.margin, found.grows) == (40.0, 0.0, 0.0, False)


def test_what_shrinks_does_not_grow() -> None:
    assert not trend(samples(-50, 1)).grows
