"""Granian's own errors in the service's log.

A module of its own, because Granian looks the handler up by name: in serve.py, which runs as ``__main__``, it would
find a second copy.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import Any, ClassVar

from scheduler.logs import sinks as logs


class ServerLog(logging.Handler):
    """Writes Granian's own errors: a worker that died, an application that raised."""

    target: ClassVar[logs.ServiceLog | None] = None
    """The log of the process.  Granian creates the handler itself, so it cannot be handed over."""

    @classmethod
    def open(cls, settings: logs.LogSettings, role: str, *, console: bool, secrets: Iterable[str]) -> logs.ServiceLog:
        """Open the log of this process as ``setup`` does, for Granian's errors too, and return it."""
        log = logs.setup(settings, role, console=console, secrets=secrets)
        cls.target = log
        return log

    def emit(self, record: logging.LogRecord) -> None:
        """Write one line."""
        if self.target is not None:
            self.target.error(f"HTTP server: {record.getMessage()}")


CONFIGURATION: dict[str, Any] = {
    "handlers": {name: {"class": f"{__name__}.{ServerLog.__name__}"} for name in ("console", "access")}
}
"""For ``logging.config.dictConfig``, instead of Granian's own handlers."""
