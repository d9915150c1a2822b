"""Group commit: all messages that arrived while the last script call ran are stored by the next one.

There is no timer: a lone message goes out at once, a flood in groups as large as the flood.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from functools import partial

from scheduler.api.front.blocking import BlockingCalls
from scheduler.message import NewMessage
from scheduler.store import Scheduled

MOST = 100
"""Messages per script call: about 1 ms of Redis's time."""

_Waiting = tuple[NewMessage, "asyncio.Future[Scheduled]"]


class GroupCommit:
    """The messages of one partition.  Belongs to one event loop."""

    def __init__(self, write: Callable[[Sequence[NewMessage]], Sequence[Scheduled]], calls: BlockingCalls) -> None:
        """``write`` stores messages, all or none, as one of ``calls``; its error goes to every request that waits."""
        self._write = write
        self._calls = calls
        self._waiting: list[_Waiting] = []
        self._task: asyncio.Task[None] | None = None

    async def __call__(self, message: NewMessage) -> Scheduled:
        """Return when the message is stored."""
        loop = asyncio.get_running_loop()
        result: asyncio.Future[Scheduled] = loop.create_future()
        self._waiting.append((message, result))
        if self._task is None:
            self._task = loop.create_task(self._work())
        return await result

    async def _work(self) -> None:
        while self._waiting:
            group, self._waiting = self._waiting[:MOST], self._waiting[MOST:]
            try:
                stored = await self._calls.run(partial(self._write, [message for message, _ in group]))
            except Exception as error:  # noqa: BLE001 - every request that waits must hear of it
                for _, result in group:
                    if not result.done():
                        result.set_exception(error)
            else:
                for (_, result), one in zip(group, stored, strict=True):
                    if not result.done():  # its request was given up
                        result.set_result(one)
        self._task = None
