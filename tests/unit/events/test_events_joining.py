"""From the greeting on a viewer misses nothing, whatever is published while the server talks to it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from types import SimpleNamespace
from typing import Any

import orjson
import pytest

from scheduler.clock import SystemClock
from scheduler.config.settings import Settings
from scheduler.events import EventServer
from scheduler.events.stream import START, Batch, Cursor, Event, Positions, StreamId
from scheduler.logs.sinks import adapt
from tests.support.logger import RecordingLogger

CURSOR = "last_event_id=0-1-0-0"


class World:
    """A server without sockets or Redis: an event happens each time that anybody waits for anything."""

    def __init__(self, query: str, *, kept: bool) -> None:
        self.kept = kept
        self.request = SimpleNamespace(path=f"/v1/events?{query}")
        self.frames: list[Any] = []
        self.happened_before: list[int] = []
        """How much had happened when each frame was sent."""
        self.happened = 1
        self.transport = SimpleNamespace(get_write_buffer_size=lambda: 0)
        client: Any = SimpleNamespace(connection_pool=None)
        self.server = EventServer(Settings(), client, server="x", clock=SystemClock(), log=adapt(RecordingLogger()))
        self.server._stream = self  # type: ignore[assignment]
        self.hub = self.server._hub

    def happen(self) -> None:
        """One more event, which all who watch are sent."""
        self.happened += 1
        self.hub.publish(Batch(_events(self.happened), {0: StreamId(self.happened, 0)}))

    # -- the connection --

    def sent(self, frame: bytes) -> None:
        self.frames.append(orjson.loads(frame))
        self.happened_before.append(self.happened)

    async def send(self, frame: bytes, *, text: bool) -> None:
        assert text
        self.sent(frame)
        if self.happened < 6:  # or the viewer would never catch up
            self.happen()

    async def __aiter__(self) -> AsyncIterator[str]:
        self.happen()
        for _ in ():
            yield ""

    # -- the stream, read in a thread --

    partitions = 1

    def after(self, cursor: Cursor) -> Batch:
        self.loop.call_soon_threadsafe(self.happen)
        return Batch(_events(2) if self.kept else [], {0: StreamId(2, 0)}, gap=not self.kept)

    def read(self, seen: Positions, block_ms: int, until: Positions) -> Batch:
        numbers = range(seen[0].ms + 1, until[0].ms + 1)
        return Batch([event for n in numbers for event in _events(n)], until)

    async def view(self) -> None:
        self.loop = asyncio.get_running_loop()
        self.hub.positions = {0: START}
        await self.server._view(self)  # type: ignore[arg-type]

    @property
    def seen(self) -> list[int]:
        """The numbers of the events that the viewer got."""
        return [int(event["id"]) for frame in self.frames if isinstance(frame, list) for event in frame]


def _events(number: int) -> list[Event]:
    return [Event(Cursor(0, StreamId(number, 0), 0), "claimed", str(number), "echo", 1, number)]


def watch(monkeypatch: pytest.MonkeyPatch, query: str = "", *, kept: bool = True) -> World:
    world = World(query, kept=kept)

    def broadcast(viewers: Iterable[World], frame: bytes, *, text: bool) -> None:
        for viewer in viewers:
            viewer.sent(frame)

    monkeypatch.setattr("scheduler.events.hub.broadcast", broadcast)
    asyncio.run(world.view())
    return world


def test_who_is_new_gets_everything_after_the_greeting(monkeypatch: pytest.MonkeyPatch) -> None:
    world = watch(monkeypatch)
    assert world.frames[0]["type"] == "hello"
    assert world.seen == list(range(2, world.happened + 1))


def test_who_was_away_too_long_gets_everything_after_the_gap(monkeypatch: pytest.MonkeyPatch) -> None:
    world = watch(monkeypatch, CURSOR, kept=False)
    gap = world.frames.index({"type": "gap"})
    assert world.frames[:gap] == [{"type": "hello", "server": "x", "resumed": False}]
    assert world.seen == list(range(world.happened_before[gap] + 1, world.happened + 1))


def test_who_comes_back_gets_each_event_once(monkeypatch: pytest.MonkeyPatch) -> None:
    world = watch(monkeypatch, CURSOR)
    assert world.frames[0] == {"type": "hello", "server": "x", "resumed": True}
    assert world.seen == list(range(2, world.happened + 1))
    assert world.happened == 7
