"""Bodies in an event loop: a client that sends its body slowly, or half of it, holds nothing but its connection."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from werkzeug.exceptions import BadRequest, RequestTimeout

from scheduler.api.http.body import CUT

BODY_SECONDS = 30.0
"""How long a body may take.  Granian has no limit of its own; its maintainers leave that to a proxy."""

Receive = Callable[[], Awaitable[dict[str, Any]]]
"""ASGI: the next part of the body, or that the client went away."""


async def read(receive: Receive, wanted: int) -> bytes:
    """Return up to ``wanted`` bytes of a body; fewer when it ends before.

    Raises ``BadRequest`` when the client goes away in the middle, and ``RequestTimeout`` after ``BODY_SECONDS``.
    """
    try:
        async with asyncio.timeout(BODY_SECONDS):
            return await _collect(receive, wanted)
    except TimeoutError:
        raise RequestTimeout(f"the body did not come within {BODY_SECONDS:g} seconds") from None


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
