"""Who watches what, and the handing out.  Everything in here belongs to the event loop's thread."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from websockets.asyncio.server import ServerConnection, broadcast

from scheduler.errors import StoreUnavailable
from scheduler.events.frames import Filter, Frames
from scheduler.events.stream import Batch, Positions


class Hub:
    """Hands each batch to all viewers without waiting for any of them."""

    def __init__(self, buffer_bytes: int, wake: Callable[[], None], drop: Callable[[ServerConnection], None]) -> None:
        """``wake``: somebody watches from now on.  ``drop``: this viewer is too slow."""
        self.positions: Positions | None = None
        """What the viewers have been sent; None while nobody reads."""
        self.frames = 0
        """Those that the last batch made, all viewers together."""
        self._buffer_bytes = buffer_bytes
        self._wake = wake
        self._drop = drop
        self._groups: dict[Filter, set[ServerConnection]] = {}
        self._present = 0
        self._waiting: list[asyncio.Future[None]] = []
        self._closed: str | None = None

    @property
    def viewers(self) -> int:
        """Connections, those included that are still catching up."""
        return self._present

    @contextmanager
    def visit(self, wanted: Filter, viewer: ServerConnection) -> Iterator[None]:
        """As long as this lasts, events are read for the viewer.  It gets them from ``join`` on."""
        self._present += 1
        try:
            yield
        finally:
            self._present -= 1
            self._leave(wanted, viewer)

    def join(
        self, wanted: Filter, viewer: ServerConnection, first: Sequence[bytes] = (), *, seen: Positions | None = None
    ) -> bool:
        """Send ``first`` to the viewer, and from now on what it wants of each batch.

        Both happen in one step of the event loop: were the greeting awaited, a batch that is published meanwhile would
        be lost to the viewer.

        ``seen``: how far the viewer has read by itself.  False when that is not as far as everybody else: nothing was
        done, and the viewer has to read on.
        """
        if seen is not None and seen != self.positions:
            return False
        for text in first:
            broadcast([viewer], text, text=True)
        self._groups.setdefault(wanted, set()).add(viewer)
        return True

    async def ready(self) -> Positions:
        """What the viewers have been sent, once somebody reads.  Raises ``StoreUnavailable`` when nobody can."""
        while self.positions is None:
            self._wake()
            await self.turn()
        return self.positions

    async def turn(self) -> None:
        """Return after the next batch, which may be empty.  Raises ``StoreUnavailable`` when none can come."""
        if self._closed is not None:
            raise StoreUnavailable(self._closed)
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(future)
        await future

    def publish(self, batch: Batch) -> bool:
        """Send a batch to everybody; whether anybody is still there.  When not, whoever reads has to begin anew."""
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
        """Redis does not answer.  Viewers who are served already stay and wait."""
        self._release(StoreUnavailable(reason))

    def close(self, reason: str) -> None:
        """Nobody reads any more: a viewer that waits for a batch would wait for ever, and the stop for the viewer."""
        self._closed = reason
        self._release(StoreUnavailable(reason))

    def _send(self, wanted: Filter, viewers: set[ServerConnection], texts: list[bytes]) -> None:
        # What is unsent belongs to earlier batches: a viewer that keeps up is not blamed for the size of this one.
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
