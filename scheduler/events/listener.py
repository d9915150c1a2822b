"""Read the event streams in one thread, which sends nothing to Redis while there are no viewers."""

from __future__ import annotations

import threading
from typing import Final, Protocol

from scheduler.clock import Clock
from scheduler.events.stream import AWAY, Batch, EventStream, Positions
from scheduler.logs.notices import Seldom
from scheduler.logs.sinks import ServiceLog

BLOCK_MS: Final = 500
"""The longest blocking read; a stop is noticed within this time."""
RETRY_SECONDS: Final = 0.25
REDIS_AWAY: Final = "Redis does not answer: try again"
DEFECT: Final = "events cannot be read: try again"
SHORTEST_PAUSE: Final = 0.02
CLUSTER_POLL_SECONDS: Final = 0.1
FRAMES_PER_SECOND: Final = 8_000
"""Limit for all viewers together: each frame is a system call, and 1,000 of them take 30 ms of a core."""
EVENTS_PER_SECOND: Final = 10_000
"""Limit for reading; events beyond it are skipped, and the viewers are told of the gap."""
COPIES_PER_SECOND: Final = 2_000_000
"""Limit for events times viewers: about 300 MB/s of JSON."""


class Audience(Protocol):
    """The receiver of the events.  Called from the listener's thread; each call returns when it is done."""

    @property
    def viewers(self) -> int: ...

    @property
    def frames(self) -> int:
        """Frames that were sent for the last batch."""

    def publish(self, batch: Batch) -> bool:
        """Send the batch to the viewers; return whether there are any."""

    def away(self, reason: str) -> None:
        """Note that events cannot be read now.  ``reason``: a sentence for new viewers, who are refused."""


def pause_after(batch: Batch, viewers: int, frames: int) -> float:
    """Return the seconds to wait before the next read; events that happen meanwhile come in one batch.

    The pause keeps any number of viewers or events from taking processor time away from delivery.
    """
    if not batch.events:
        return 0.0
    events = len(batch.events)
    return max(
        SHORTEST_PAUSE,
        frames / FRAMES_PER_SECOND,
        events / EVENTS_PER_SECOND,
        events * viewers / COPIES_PER_SECOND,
    )


class Listener:
    """Reads events while there are viewers, and goes on after Redis was away."""

    def __init__(self, stream: EventStream, audience: Audience, clock: Clock, log: ServiceLog) -> None:
        self._stream = stream
        self._audience = audience
        self._clock = clock
        self._seldom = Seldom(log, clock)
        self._gap = False
        """Events were skipped since the last read, and the viewers have not been told yet."""
        self._wanted = threading.Event()
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        self._thread = threading.Thread(target=self._loop, name="events listener", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End the thread, within ``BLOCK_MS`` or Redis's socket timeout."""
        self._stopping.set()
        self._wanted.set()
        if self._thread is not None:
            self._thread.join()

    def wake(self) -> None:
        """Begin to read, because there is a viewer."""
        self._wanted.set()

    def _loop(self) -> None:
        while not self._stopping.is_set():
            self._wanted.wait()
            self._wanted.clear()
            try:
                self._read_on()
            except Exception as error:  # noqa: BLE001 - a defect must not end live events for good
                self._seldom.error(f"live events: reading failed: {error}", exception=error)
                self._audience.away(DEFECT)
                self._gap = True
            if self._gap:
                # The viewers are still connected: begin again for them, after the events that could not be read.
                self._wanted.set()
                self._clock.wait(self._stopping, RETRY_SECONDS)

    def _read_on(self) -> None:
        """Read as long as there are viewers."""
        positions = None if self._stopping.is_set() else self._begin()
        while positions is not None and not self._stopping.is_set():
            positions = self._step(positions)

    def _begin(self) -> Positions | None:
        try:
            batch = Batch([], self._stream.newest(), gap=self._gap)
        except AWAY:
            self._audience.away(REDIS_AWAY)
            return None
        self._gap = False
        return batch.positions if self._audience.publish(batch) else None

    def _step(self, positions: Positions) -> Positions | None:
        """Read once and publish; return the next position, None when no viewer is left."""
        try:
            batch = self._stream.read(positions, BLOCK_MS)
            if batch.gap:
                # Too far behind: skip to the newest events.
                batch = Batch([], self._stream.newest(), gap=True)
        except AWAY:
            # Not logged here: the dispatcher reports that Redis is away.  The positions are kept, so that viewers miss
            # nothing.
            self._audience.away(REDIS_AWAY)
            self._clock.wait(self._stopping, RETRY_SECONDS)
            return positions
        if not self._audience.publish(batch):
            return None
        self._clock.wait(self._stopping, self._pause(batch))
        return batch.positions

    def _pause(self, batch: Batch) -> float:
        pause = pause_after(batch, self._audience.viewers, self._audience.frames)
        return pause if self._stream.blocks else max(pause, CLUSTER_POLL_SECONDS)
