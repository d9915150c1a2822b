"""The pace of the one reader, and how it gets over its troubles; the store's side is in tests/integration."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from redis.exceptions import ConnectionError as RedisConnectionError

from scheduler.events.listener import BLOCK_MS, DEFECT, REDIS_AWAY, RETRY_SECONDS, SHORTEST_PAUSE, Listener, pause_after
from scheduler.events.stream import START, Batch, Cursor, Event, Positions, StreamId
from scheduler.logs.notices import REMIND_SECONDS
from scheduler.logs.sinks import adapt
from tests.support.clock import FakeClock
from tests.support.logger import RecordingLogger


def batch(events: int, ms: int = 1, *, gap: bool = False) -> Batch:
    one = Event(Cursor(0, StreamId(ms, 0), 0), "claimed", "m", "echo", 1, ms)
    return Batch([one] * events, {0: StreamId(ms, 0)}, gap=gap)


@pytest.mark.parametrize(
    ("events", "viewers", "frames", "seconds"),
    [
        (0, 1000, 0, 0.0),
        (1, 1, 1, SHORTEST_PAUSE),
        (1, 1000, 1000, 0.125),  # 8,000 frames a second
        (1000, 1, 2, 0.1),  # 10,000 events a second
        (1000, 2, 1000, 0.125),  # a frame for each event
        (1000, 1000, 2000, 0.5),  # 2,000,000 copies a second
    ],
)
def test_the_pause_bounds_what_watching_costs(events: int, viewers: int, frames: int, seconds: float) -> None:
    assert pause_after(batch(events), viewers, frames) == pytest.approx(seconds)


class Scripted:
    """An ``EventStream`` that answers with what it is given, and an ``Audience`` that remembers."""

    blocks = True
    viewers = 1
    frames = 1

    def __init__(self, *answers: Batch | Exception) -> None:
        self.answers = list(answers)
        self.read_from: list[Positions] = []
        self.published: list[Batch] = []
        self.reasons: list[str] = []
        self.log = RecordingLogger()
        self.watched = True
        self.newest_position: Positions | Exception = {0: START}
        self._done = threading.Condition()

    def newest(self) -> Positions:
        if isinstance(self.newest_position, Exception):
            raise self.newest_position
        return self.newest_position

    def read(self, positions: Positions, block_ms: int) -> Batch:
        assert block_ms == BLOCK_MS
        self.read_from.append(positions)
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    def publish(self, batch: Batch) -> bool:
        with self._done:
            self.published.append(batch)
            self._done.notify_all()
        return self.watched and bool(self.answers)

    def away(self, reason: str) -> None:
        with self._done:
            self.reasons.append(reason)
            self._done.notify_all()

    def wait(self, count: int) -> None:
        with self._done:
            came = self._done.wait_for(lambda: len(self.published) + len(self.reasons) >= count, 10)
        assert came, (self.published, self.reasons)


def run(script: Scripted, count: int, clock: Any) -> None:
    """Let a listener go on until it has handed out, or reported, ``count`` times."""
    listener = Listener(script, script, clock, adapt(script.log))  # type: ignore[arg-type]
    listener.start()
    listener.wake()
    script.wait(count)
    listener.stop()


class NoWait(FakeClock):
    """Every sleep ends at once."""

    def wait(self, event: threading.Event, seconds: float) -> bool:
        self.waits.append(seconds)
        return event.is_set()


def test_reads_on_from_where_it_was() -> None:
    script = Scripted(batch(1, 5), batch(1, 6))
    run(script, 3, NoWait())
    assert script.read_from == [{0: START}, {0: StreamId(5, 0)}]
    assert [found.positions for found in script.published] == [{0: START}, {0: StreamId(5, 0)}, {0: StreamId(6, 0)}]


def test_while_redis_is_away_the_place_stays() -> None:
    clock = NoWait()
    script = Scripted(batch(1, 5), RedisConnectionError("gone"), OSError("gone"), batch(1, 6))
    run(script, 5, clock)
    assert script.read_from == [{0: START}, *[{0: StreamId(5, 0)}] * 3]
    assert len(script.reasons) == 2
    assert clock.waits.count(RETRY_SECONDS) == 2


def test_far_behind_it_tells_of_the_gap_and_goes_on_with_what_happens_now() -> None:
    script = Scripted(batch(900, 5, gap=True), batch(1, 10))
    script.newest_position = {0: StreamId(9, 0)}
    run(script, 3, NoWait())
    assert (script.published[1].gap, script.published[1].events) == (True, [])
    assert script.read_from[1] == {0: StreamId(9, 0)}


def test_who_comes_while_redis_is_away_is_told() -> None:
    script = Scripted()
    script.newest_position = RedisConnectionError("refused")
    run(script, 1, NoWait())
    assert script.reasons == [REDIS_AWAY]
    assert script.published == []


def test_reads_nothing_when_nobody_watches() -> None:
    script = Scripted(batch(1, 5))
    script.watched = False
    run(script, 1, NoWait())
    assert script.read_from == []


def test_a_defect_ends_nothing_and_what_could_not_be_read_is_told_as_a_gap() -> None:
    script = Scripted(batch(1, 5), ValueError("no event"), batch(1, 10))
    run(script, 5, NoWait())
    assert script.log.errors[0].startswith("live events: reading failed: no event")
    assert script.reasons == [DEFECT]
    assert [(found.gap, len(found.events)) for found in script.published] == [(0, 0), (0, 1), (1, 0), (0, 1)]


def test_a_defect_while_redis_goes_away_strands_no_viewer() -> None:
    script = Scripted(ValueError("no event"), batch(1, 10))
    positions: list[Positions | Exception] = [{0: START}, RedisConnectionError("refused"), {0: START}]
    script.newest = lambda: _given(positions)  # type: ignore[method-assign]
    run(script, 5, NoWait())
    assert script.reasons == [DEFECT, REDIS_AWAY]
    assert [found.gap for found in script.published] == [False, True, False]


def _given(answers: list[Positions | Exception]) -> Positions:
    answer = answers.pop(0)
    if isinstance(answer, Exception):
        raise answer
    return answer


def test_a_defect_that_repeats_is_told_once_a_minute() -> None:
    clock = NoWait()
    script = Scripted(*[ValueError("no event")] * 7)
    publish = script.publish

    def a_quarter_of_a_minute_each(batch: Batch) -> bool:
        clock.advance(REMIND_SECONDS / 4)
        return publish(batch)

    script.publish = a_quarter_of_a_minute_each  # type: ignore[method-assign]
    run(script, 12, clock)
    assert len(script.log.errors) == 2
