"""Job handlers that cost nothing: what is left is the service's own work."""

from __future__ import annotations

from typing import Any

from scheduler.jobs import JobContext, handler


@handler("empty")
def empty(payload: Any, context: JobContext) -> None:
    """Does nothing."""
