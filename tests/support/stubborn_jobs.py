"""Job handlers for a service that a test stops or kills: ``hold`` never ends, whatever it is told."""

from __future__ import annotations

import threading
from typing import Any

from scheduler.jobs import JobContext, handler


@handler("hold", time_limit=None)
def hold(_payload: Any, _context: JobContext) -> None:
    threading.Event().wait()
