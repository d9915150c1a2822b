"""When the one reader is needed, and who is told what; the sending itself is in tests/integration."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from scheduler.errors import StoreUnavailable
from scheduler.events.frames import Filter
from scheduler.events.hub import Hub
from scheduler.events.stream import START, Batch, Cursor, Event, StreamId


class Reader:
    """A hub, and how often it asked for a reader."""

    def __init__(self) -> None:
        self.woken = 0
        self.hub = Hub(1000, self._wake, lambda viewer: None)

    def _wake(self) -> None:
        self.woken += 1


class Viewer:
    """A connection with so many bytes unsent."""

    def __init__(self, unsent: int) -> None:
        self.transport = self
        self._unsent = unsent

    def get_write_buffer_size(self) -> int:
        return self._unsent


def test_reading_goes_on_as_long_as_somebody_is_there() -> None:
    hub = Reader().hub
    batch = Batch([], {0: StreamId(5, 0)})
    with hub.visit(Filter(), Viewer(0)):  # type: ignore[arg-type]
        assert hub.publish(batch) is True
        assert (hub.viewers, hub.positions) == (1, batch.positions)
    assert hub.publish(batch) is False
    # Who comes now must not go on from a place that nobody reads on from.
    assert (hub.viewers, hub.positions) == (0, None)


def test_the_first_viewer_calls_the_reader_and_waits_for_it() -> None:
    reader = Reader()

    async def scenario() -> None:
        with reader.hub.visit(Filter(), Viewer(0)):  # type: ignore[arg-type]
            waiting = [asyncio.ensure_future(reader.hub.ready()) for _ in range(2)]
            await asyncio.sleep(0)
            assert (reader.woken > 0, waiting[0].done()) == (True, False)
            reader.hub.publish(Batch([], {0: START}))
            assert await asyncio.gather(*waiting) == [{0: START}] * 2
            woken = reader.woken
            assert await reader.hub.ready() == {0: START}
            assert reader.woken == woken

    asyncio.run(scenario())


def test_while_redis_is_away_who_waits_is_told_and_who_watches_stays() -> None:
    hub = Reader().hub

    async def scenario() -> None:
        with hub.visit(Filter(), Viewer(0)):  # type: ignore[arg-type]
            waiting = asyncio.ensure_future(hub.ready())
            await asyncio.sleep(0)
            hub.away("connection refused")
            with pytest.raises(StoreUnavailable, match="connection refused"):
                await waiting
            hub.publish(Batch([], {0: START}))
            hub.away("connection refused")
            assert hub.positions == {0: START}

    asyncio.run(scenario())


def test_once_nobody_reads_any_more_nobody_waits() -> None:
    hub = Reader().hub

    async def scenario() -> None:
        waiting = asyncio.ensure_future(hub.turn())
        await asyncio.sleep(0)
        hub.close("this server stops")
        for task in (waiting, hub.ready()):
            with pytest.raises(StoreUnavailable, match="this server stops"):
                await task

    asyncio.run(scenario())


def test_who_is_too_far_behind_is_dropped_and_sent_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    dropped: list[Any] = []
    sent: list[Any] = []
    monkeypatch.setattr("scheduler.events.hub.broadcast", lambda viewers, *_, **__: sent.extend(viewers))
    hub = Hub(1000, lambda: None, dropped.append)
    in_time, slow = Viewer(1000), Viewer(1001)
    event = Event(Cursor(0, StreamId(5, 0), 0), "scheduled", "a", "echo", 0, 5)
    for viewer in (in_time, slow):
        assert hub.join(Filter(), viewer)  # type: ignore[arg-type]
    for _ in range(2):
        hub.publish(Batch([event], {0: StreamId(5, 0)}))
    assert dropped == [slow]
    assert sent == [in_time, in_time]
