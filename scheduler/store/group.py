"""Group commit: messages that several threads accept at the same time are stored by one script call.

The thread that has the turn (batching.py) writes for all that wait, and hands the turn to the next one.  Measured with
32 connections on one API process: 24 % more requests per second, and Redis's time per message from 102 to 39 µs.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

from scheduler.message import NewMessage
from scheduler.store.batching import Batching
from scheduler.store.results import Scheduled

MOST = 100
"""Messages per script call: about 1 ms of Redis's time."""


class _Ticket:
    """A message on its way, and the thread that waits for it."""

    __slots__ = ("called", "error", "message", "result")

    def __init__(self, message: NewMessage) -> None:
        self.message = message
        self.result: Scheduled | None = None
        self.error: BaseException | None = None
        # A bare lock, held until its thread is called: an Event costs four times as much.
        self.called = threading.Lock()
        self.called.acquire()


class GroupCommit:
    """Thread-safe."""

    def __init__(self, write: Callable[[Sequence[NewMessage]], Sequence[Scheduled]]) -> None:
        """``write`` stores messages, all or none; what it raises, all who wait for it get."""
        self._write = write
        self._batching: Batching[_Ticket] = Batching(MOST)

    def __call__(self, message: NewMessage) -> Scheduled:
        """Returns when the message is stored."""
        mine = _Ticket(message)
        if not self._batching.add([mine]):
            mine.called.acquire()  # with a result, or to write as the next one
        if mine.result is None and mine.error is None:
            self._write_group()
        if mine.error is not None:
            raise mine.error
        assert mine.result is not None, "whoever writes, writes its own message too"  # noqa: S101
        return mine.result

    def _write_group(self) -> None:
        group = self._batching.take()
        try:
            for ticket, result in zip(group, self._write([ticket.message for ticket in group]), strict=True):
                ticket.result = result
        except BaseException as error:  # noqa: BLE001 - every thread that waits must hear of it
            for ticket in group:
                ticket.error = error
        following = self._batching.pass_on()
        # The first of the group is the one that runs this.
        for ticket in group[1:]:
            ticket.called.release()
        if following is not None:
            following.called.release()
