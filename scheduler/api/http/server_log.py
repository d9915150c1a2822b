"""Granian's own errors in the service's log.

A module of its own, because Granian looks the handler up by name: in serve.py, which runs as ``__main__``, it would
find a second copy.
"""

from __future__ import annotations

import logging
from typing import Any, ClassVar

from scheduler.logs.sinks import ServiceLog


class ServerLog(logging.Handler):
    """Writes Granian's own errors: a worker that died, an application that raised."""

    target: ClassVar[ServiceLog | None] = None
    """The log of the process.  Granian creates the handler itself, so it cannot be handed over."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write one line."""
        if self.target is not None:
            self.target.error(f"HTTP server: {record.getMessage()}")


CONFIGURATION: dict[str, Any] = {
    "handlers": {name: {"class": f"{__name__}.{ServerLog.__name__}"} for name in ("console", "access")}
}
"""For ``logging.config.dictConfig``, instead of Granian's own handlers."""
