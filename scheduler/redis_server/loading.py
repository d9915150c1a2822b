"""Tell how far Redis is with loading its data."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

import redis

from scheduler.clock import Clock
from scheduler.logs.sinks import Logger

EVERY_SECONDS: Final = 5.0
"""Between two lines of the log about the same load."""

_UNITS: Final = ((2**30, "GiB"), (2**20, "MiB"), (2**10, "KiB"))


def progress_of(info: Mapping[str, Any]) -> str | None:
    """Return ``43 % of 2.9 GiB, about 12 s left`` from the answer of INFO; None when Redis does not load."""
    if not int(info.get("loading", 0)):
        return None
    total, percent = int(info.get("loading_total_bytes", 0)), float(info.get("loading_loaded_perc", 0))
    left = int(info.get("loading_eta_seconds", 0))
    size, unit = next(((size, unit) for size, unit in _UNITS if total >= size), (1, "bytes"))
    # Redis knows how long it takes only after the first part.
    return f"{percent:.0f} % of {total / size:.1f} {unit}" + (f", about {left} s left" if left > 0 else "")


def info_of(client: redis.Redis) -> dict[str, Any]:
    """Return INFO of a server that may be loading, over a connection of its own.

    Those of ``client`` begin with PING, which Redis refuses while it loads.  Raises redis-py's errors.
    """
    pool = client.connection_pool
    options = {**pool.connection_kwargs, "health_check_interval": 0}
    own = redis.ConnectionPool(connection_class=pool.connection_class, **options)
    with redis.Redis(connection_pool=own) as asking:
        found: dict[str, Any] = asking.info("persistence")
    own.disconnect()
    return found


class LoadingReport:
    """Says at a start how far Redis is; belongs to one start."""

    def __init__(self, logger: Logger, clock: Clock, begun: Callable[[], None] | None = None) -> None:
        """``begun``: called once by ``wait``, when Redis turns out to load."""
        self._logger = logger
        self._clock = clock
        self._begun = begun
        self._said_at: float | None = None
        self.words = ""
        """How far Redis is; empty when it does not load."""

    def note(self, info: Mapping[str, Any]) -> bool:
        """Take an answer of INFO, from any thread; log it now and then.  Return whether Redis loads."""
        self.words = progress_of(info) or ""
        now = self._clock.monotonic()
        if self.words and (self._said_at is None or now - self._said_at >= EVERY_SECONDS):
            self._said_at = now
            self._logger.info(f"Redis is loading its data: {self.words}.")
        return bool(self.words)

    def wait(self) -> None:
        """Tell the caller, in its own thread, that Redis loads.  Called again and again while a start waits."""
        begun = self._begun
        if self.words and begun is not None:
            self._begun = None
            begun()
