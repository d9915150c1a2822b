"""The job handlers that the servers of a chaos run load: each run leaves a line in a file outside of Redis."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

from scheduler.jobs import Dead, JobContext, handler
from tests.chaos.ledger import JOB_LEDGER, Delivery, Ledger, now_ms, seconds_of_work

_ledger = Ledger(Path(os.environ.get(JOB_LEDGER, os.devnull)))


@handler("note")
def note(payload: Any, context: JobContext) -> Any:
    """Write that this message runs, and take some time."""
    server = os.environ.get("SERVER__NAME", "")
    begun, seconds = now_ms(), seconds_of_work(str(payload))
    _ledger.add(Delivery(str(payload), begun, "job", context.attempt, True, server, begun + seconds * 1000))
    # Not a wait that gives way at a lost lock or a stop: the worst handler there is.
    time.sleep(seconds)
    return {"attempt": context.attempt}


@handler("refuse")
def refuse(payload: Any, context: JobContext) -> Any:
    """Fail for good."""
    raise Dead("refused on purpose")
