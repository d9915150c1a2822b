"""Job handlers that cost nothing: what is left is the service's own work."""

from __future__ import annotations

import time
from typing import Any

from scheduler.jobs import JobContext, handler


@handler("empty")
def empty(payload: Any, context: JobContext) -> None:
    """Does nothing."""


@handler("sleeps", time_limit=60)
def sleeps(_payload: Any, _context: JobContext) -> None:
    """Holds its thread for 8 s."""
    time.sleep(8)
