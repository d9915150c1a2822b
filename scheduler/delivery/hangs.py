"""Which calls of a channel's ``deliver`` are under way, and which of them hang."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

from scheduler.clock import Clock

HANG_SECONDS = 10.0
"""A call that only prints or passes messages on returns within milliseconds; after this time it hangs."""


class Hang(NamedTuple):
    """The call that has taken longest."""

    channel: str
    seconds: float

    def __str__(self) -> str:
        return f"channel {self.channel}: a delivery hangs, and has not returned for {self.seconds:.0f} s"


class Deliveries:
    """The calls of ``deliver`` that have not returned.  Thread-safe."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._begun: dict[int, tuple[str, float, bool]] = {}

    @contextmanager
    def underway(self, channel: str, takes_its_time: bool) -> Iterator[None]:
        """Count one call while it runs.  ``takes_its_time``: it may run for hours, as a job's handler may."""
        thread = threading.get_ident()
        self._begun[thread] = (channel, self._clock.monotonic(), takes_its_time)
        try:
            yield
        finally:
            del self._begun[thread]

    def hang(self) -> Hang | None:
        """Return the longest call that should have ended long ago; None while all is well."""
        now = self._clock.monotonic()
        quick = [(begun, name) for name, begun, takes_its_time in list(self._begun.values()) if not takes_its_time]
        begun, name = min(quick, default=(now, ""))
        return Hang(name, now - begun) if now - begun > HANG_SECONDS else None

    def working(self) -> list[str]:
        """Return the channels that have a call under way which may take its time."""
        return sorted({name for name, _, takes_its_time in list(self._begun.values()) if takes_its_time})
