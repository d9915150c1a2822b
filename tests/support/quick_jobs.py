"""``hold`` of another server, which carries out at once what ``stubborn_jobs`` kept."""

from __future__ import annotations

from typing import Any

from scheduler.jobs import JobContext, handler


@handler("hold")
def carry_out(_payload: Any, _context: JobContext) -> None:
    """Nothing: that it was called is recorded."""
