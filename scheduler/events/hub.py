"""Distribute events to the viewers.  Only the event loop's thread may call anything here."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from websockets.asyncio.server import ServerConnection, broadcast

from scheduler.errors import StoreUnavailable
from scheduler.events.frames import Filter, Frames
from scheduler.events.stream import Batch, Positions


class Hub:
    """Sends each batch to all viewers without waiting for any of them."""

    def __init__(self, buffer_bytes: int, wake: Callable[[], None], drop: Callable[[ServerConnection], None]) -> None:
        """``wake`` is called when events must be read, ``drop`` for a viewer that is too slow."""
        self.positions: Positions | None = None
        """The position up to which the viewers have been sent events; None while no events are read."""
        self.frames = 0
        """Frames that were sent for the last batch, to all viewers together."""
        self._buffer_bytes = buffer_bytes
        self._wake = wake
        self._drop = drop
        self._groups: dict[Filter, set[ServerConnection]] = {}
        self._present = 0
        self._waiting: list[asyncio.Future[None]] = []
        self._closed: str | None = None

    @property
    def viewers(self) -> int:
        """Return the number of connections, including viewers that still catch up."""
        return self._present

    @contextmanager
    def visit(self, wanted: Filter, viewer: ServerConnection) -> Iterator[None]:
        """Keep events being read for this viewer while the block runs; it gets them from ``join`` on."""
        self._present += 1
        try:
            yield
        finally:
            self._present -= 1
            self._leave(wanted, viewer)

    def join(
        self, wanted: Filter, viewer: ServerConnection, first: Sequence[bytes] = (), *, seen: Positions | None = None
    ) -> bool:
        """Send ``first`` to the viewer, and from now on the events of each batch that it wants.

        Both happen in one step of the event loop.  If sending ``first`` were awaited, the viewer would miss a batch
        that is published meanwhile.

        ``seen``: the position up to which the viewer caught up.  Returns False, and does nothing, when the other
        viewers are at another position; the viewer has to read on.
        """
        if seen is not None and seen != self.positions:
            return False
        for text in first:
            broadcast([viewer], text, text=True)
        self._groups.setdefault(wanted, set()).add(viewer)
        return True

    async def ready(self) -> Positions:
        """Wait until events are read; return the position.  Raises ``StoreUnavailable`` when they cannot be read."""
        while self.positions is None:
            self._wake()
            await self.turn()
        return self.positions

    async def turn(self) -> None:
        """Wait for the next batch, which may be empty.  Raises ``StoreUnavailable`` when none can come."""
        if self._closed is not None:
            raise StoreUnavailable(self._closed)
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(future)
        await future

    def publish(self, batch: Batch) -> bool:
        """Send a batch to all viewers; return False when no viewer is left, so that reading stops."""
        self.frames = 0
        if self._groups and (batch.events or batch.gap):
            frames = Frames(batch)
            for wanted, viewers in list(self._groups.items()):
                texts = frames.for_viewer(wanted)
                if texts:
                    self.frames += len(texts) * len(viewers)
                    self._send(wanted, viewers, texts)
        self.positions = batch.positions if self._present else None
        self._release(None)
        return self._present > 0

    def away(self, reason: str) -> None:
        """Refuse new viewers, because Redis does not answer; viewers that are served already stay and wait."""
        self._release(StoreUnavailable(reason))

    def close(self, reason: str) -> None:
        """End every wait for a batch, because none will come; otherwise a waiting viewer would block the stop."""
        self._closed = reason
        self._release(StoreUnavailable(reason))

    def _send(self, wanted: Filter, viewers: set[ServerConnection], texts: list[bytes]) -> None:
        # Checked before this batch is sent, so that only unsent bytes of earlier batches count against a viewer.
        slow = [viewer for viewer in viewers if viewer.transport.get_write_buffer_size() > self._buffer_bytes]
        for viewer in slow:
            self._leave(wanted, viewer)
            self._drop(viewer)
        for text in texts:
            broadcast(viewers, text, text=True)

    def _leave(self, wanted: Filter, viewer: ServerConnection) -> None:
        group = self._groups.get(wanted, set())
        group.discard(viewer)
        if not group:
            self._groups.pop(wanted, None)

    def _release(self, error: StoreUnavailable | None) -> None:
        waiting, self._waiting = self._waiting, []
        for future in waiting:
            if future.done():
                continue
            if error is None:
                future.set_result(None)
            else:
                future.set_exception(error)
