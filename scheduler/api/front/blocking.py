"""Call functions that block in threads, from an event loop.

``run_in_executor`` makes two futures for each call, with a lock and callbacks between them.  For a request that reads
one message that took a tenth of all its processor time.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress
from queue import SimpleQueue
from typing import Any, TypeVar

T = TypeVar("T")

_Call = tuple["asyncio.Future[Any]", Callable[[], Any]]


class BlockingCalls:
    """N threads.  They start with the first call; ``run`` belongs to one event loop."""

    def __init__(self, threads: int, name: str) -> None:
        self._calls: SimpleQueue[_Call | None] = SimpleQueue()
        # They end with the process: what they still do then is for requests that nobody waits for any more.
        self._threads = [
            threading.Thread(target=self._work, name=f"{name}_{number}", daemon=True) for number in range(threads)
        ]
        self._started = False

    def run(self, function: Callable[[], T]) -> asyncio.Future[T]:
        """Return a future of what the function returns or raises.  When it is cancelled before, there is no call."""
        if not self._started:
            self._started = True
            for thread in self._threads:
                thread.start()
        future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._calls.put((future, function))
        return future

    def close(self) -> None:
        """End the threads when they have finished all calls."""
        if self._started:
            for _ in self._threads:
                self._calls.put(None)
            for thread in self._threads:
                thread.join()

    def _work(self) -> None:
        while (call := self._calls.get()) is not None:
            future, function = call
            if future.cancelled():
                continue
            result, error = None, None
            try:
                result = function()
            except BaseException as raised:  # noqa: BLE001 - it is for the caller
                error = raised
            with suppress(RuntimeError):  # the loop was closed meanwhile
                future.get_loop().call_soon_threadsafe(_settle, future, result, error)
            # Otherwise an idle thread would keep the last answer, and the error its frames.
            del call, future, function, result, error


def _settle(future: asyncio.Future[Any], result: Any, error: BaseException | None) -> None:
    if future.done():  # its request was given up
        return
    if error is None:
        future.set_result(result)
    else:
        future.set_exception(error)
