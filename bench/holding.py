"""Job handlers of a server that is going to be killed: what it takes it keeps."""

from __future__ import annotations

import threading
from typing import Any

from scheduler.jobs import JobContext, handler


@handler("mark", time_limit=None)
def hold(_payload: Any, _context: JobContext) -> None:
    """Never end."""
    threading.Event().wait()
