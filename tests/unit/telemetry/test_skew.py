"""Clocks that disagree: this machine's with Redis's, and Redis's with what it said before."""

from __future__ import annotations

import pytest

from scheduler.logs.sinks import adapt
from scheduler.telemetry.figures import Telemetry
from scheduler.telemetry.skew import ClockWatch
from tests.support.clock import FakeClock
from tests.support.logger import RecordingLogger


class Watched:
    """A watch, and a Redis whose clock can be set."""

    def __init__(self, clock: FakeClock) -> None:
        self.clock = clock
        self.log = RecordingLogger()
        self.telemetry = Telemetry(clock)
        self.watch = ClockWatch(clock, self.telemetry, adapt(self.log))
        self.ahead_ms = 0

    def beat(self, took: float = 0.0) -> None:
        asked_at = self.clock.monotonic()
        self.clock.advance(took / 2)
        redis_ms = self.clock.now_ms() + self.ahead_ms
        self.clock.advance(took / 2)
        self.watch.check(redis_ms, asked_at)
        self.clock.advance(1)

    def steps(self) -> dict[str, int]:
        return {dict(labels)["direction"]: n for _, labels, n in self.telemetry.snapshot()["counters"]}

    @property
    def lines(self) -> list[str]:
        return self.log.infos + self.log.errors


@pytest.fixture
def watched(clock: FakeClock) -> Watched:
    return Watched(clock)


@pytest.mark.parametrize("ahead_ms", [0, 999, -999])
def test_clocks_that_agree_are_no_news(watched: Watched, ahead_ms: int) -> None:
    watched.ahead_ms = ahead_ms
    for took in (0.0, 0.8, 0.0, 5.0):
        watched.beat(took)
    assert (watched.lines, watched.steps()) == ([], {"forward": 0, "back": 0})
    assert watched.watch.skew_ms == pytest.approx(-ahead_ms, abs=1)


@pytest.mark.parametrize(("ahead_ms", "words"), [(-3_600_000, "3600.0 s ahead of Redis's"), (2500, "2.5 s behind")])
def test_a_clock_that_is_wrong_is_told_once_and_once_that_it_is_right(
    watched: Watched, ahead_ms: int, words: str
) -> None:
    watched.ahead_ms = ahead_ms
    watched.beat()
    watched.beat()
    (line,) = watched.lines
    assert words in line
    watched.clock._start_ms += ahead_ms  # somebody sets this machine's clock
    watched.ahead_ms = 0
    watched.beat()
    watched.beat()
    assert len(watched.lines) == 2
    assert watched.log.count("agrees with Redis's again") == 1
    assert watched.steps() == {"forward": 0, "back": 0}


@pytest.mark.parametrize(
    ("by_ms", "direction", "effect"), [(3_600_000, "forward", "too early"), (-3_600_000, "back", "too late")]
)
def test_redis_s_own_clock_is_set(watched: Watched, by_ms: int, direction: str, effect: str) -> None:
    watched.beat()
    watched.ahead_ms = by_ms
    watched.beat()
    watched.beat()
    assert watched.log.count(f"Redis's clock was set {direction} by 3600.0 s") == 1
    assert watched.log.count(effect) == 1
    assert watched.steps()[direction] == 1
    watched.ahead_ms = 0
    watched.beat()
    assert watched.steps() == {"forward": 1, "back": 1}


def test_an_answer_that_took_long_says_nothing_of_clocks(watched: Watched) -> None:
    watched.beat(took=1.1)
    assert watched.watch.skew_ms is None
