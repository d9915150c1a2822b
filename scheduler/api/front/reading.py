"""Read bodies in an event loop: a client that sends its body slowly occupies nothing but its connection."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import Any

from werkzeug.exceptions import BadRequest, RequestTimeout

from scheduler.api.http.body import CUT

MOST_DISCARDED = 16 * 1024 * 1024
"""Bytes of a refused body that are read all the same."""
DISCARD_SECONDS = 5.0

BODY_SECONDS = 30.0
"""Time for a client to send a body.  Granian has no limit of its own; its maintainers leave that to a proxy."""

Receive = Callable[[], Awaitable[dict[str, Any]]]
"""ASGI: the next part of the body, or that the client went away."""


class Reader:
    """Reads the bodies of one event loop.

    One timer for all reads: a timer for each (``asyncio.timeout``) costs a request a tenth of its time in the loop.
    """

    def __init__(self) -> None:
        self._began: dict[asyncio.Task[Any], float] = {}
        """Oldest first."""
        self._late: set[asyncio.Task[Any]] = set()
        self._timer: asyncio.TimerHandle | None = None

    async def read(self, receive: Receive, wanted: int) -> bytes:
        """Return up to ``wanted`` bytes of a body; fewer when it ends before.

        Raises ``BadRequest`` when the client goes away in the middle, and ``RequestTimeout`` after ``BODY_SECONDS``.
        """
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - who reads is a task of the loop
        loop = task.get_loop()
        self._began[task] = loop.time()
        if self._timer is None:
            self._timer = loop.call_later(BODY_SECONDS / 10, self._end_late_ones, loop)
        try:
            return await _collect(receive, wanted)
        except asyncio.CancelledError:
            if task not in self._late:
                raise
            self._late.discard(task)
            task.uncancel()
            raise RequestTimeout(f"the body did not come within {BODY_SECONDS:g} seconds") from None
        finally:
            del self._began[task]

    def _end_late_ones(self, loop: asyncio.AbstractEventLoop) -> None:
        for task, began in self._began.items():
            if loop.time() - began < BODY_SECONDS:
                break
            self._late.add(task)
            task.cancel()
        waiting = bool(self._began)
        self._timer = loop.call_later(BODY_SECONDS / 10, self._end_late_ones, loop) if waiting else None


async def discard(receive: Receive) -> None:
    """Read a body that is refused, and drop it.

    Most clients send all of a body before they look at the answer.  A connection that is closed before tells them
    "broken pipe" or "connection reset", and not what was wrong.
    """
    left = MOST_DISCARDED
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(DISCARD_SECONDS):
            while left > 0:
                message = await receive()
                left -= len(message.get("body", b""))
                if not message.get("more_body"):
                    return


async def _collect(receive: Receive, wanted: int) -> bytes:
    parts: list[bytes] = []
    while wanted > 0:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise BadRequest(CUT)
        part: bytes = message.get("body", b"")
        parts.append(part)
        wanted -= len(part)
        if not message.get("more_body"):
            break
    raw = parts[0] if len(parts) == 1 else b"".join(parts)
    return raw if wanted >= 0 else raw[:wanted]
