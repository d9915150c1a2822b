"""Log that Redis is full: it refuses new messages then, while everything else looks well."""

from __future__ import annotations

from typing import Final

from scheduler.logs.sinks import ServiceLog
from scheduler.redis_server.refusals import FULL
from scheduler.store.registry import ServerRegistry

FULL_MEANS: Final = (
    f"{FULL} (maxmemory): new messages are refused, deliveries go on. Give it more memory or keep less; "
    "see the runbook, Redis is full."
)
_EVERY_SECONDS = 10.0
_WHILE_FULL_SECONDS = 60.0
"""At the limit messages come and go; asked more often, the log would fill with both lines."""


class MemoryWatch:
    """A ``scheduler.delivery.maintenance.Task``."""

    name = "ask Redis for its memory"

    def __init__(self, store: ServerRegistry, log: ServiceLog) -> None:
        self._store = store
        self._log = log
        self._full = False

    def tick(self) -> float:
        """Ask once; log when it becomes full and when it has memory again.  Return the seconds until the next time."""
        full = self._store.full()
        if full and not self._full:
            self._log.error(FULL_MEANS)
        elif self._full and not full:
            # An error, though it is good news: the end belongs into the same file as the beginning.
            self._log.error("Redis has room again: new messages are accepted.")
        self._full = full
        return _WHILE_FULL_SECONDS if full else _EVERY_SECONDS
