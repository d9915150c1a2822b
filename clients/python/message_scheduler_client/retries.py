"""When a call is sent again, and after how long."""

from __future__ import annotations

import random
import time
from dataclasses import dataclass
from email.utils import parsedate_to_datetime


@dataclass(frozen=True)
class Retries:
    """How often a call is sent again that failed for a reason that passes: no connection, 429, 502, 503, 504.

    Only what does no harm twice is repeated: reads, changes to a fixed state, and what has an ``Idempotency-Key``.
    """

    most: int = 3
    """Repeats of one call; 0 for none."""
    base: float = 0.25
    """Seconds, at most, before the first repeat; doubled with each one, and drawn between 0 and that."""
    longest_wait: float = 30.0
    """Seconds that all waits of one call may take.  A ``Retry-After`` that asks for more ends the call at once."""

    def wait(self, repeat: int, asked: float | None, waited: float) -> float | None:
        """Return the seconds before this repeat (from 1 on); None: do not repeat.

        ``asked``: what the service's ``Retry-After`` says.  ``waited``: seconds that this call has waited before.
        """
        if repeat > self.most:
            return None
        drawn: float = self.base * 2 ** (repeat - 1) * random.random()  # noqa: S311 - spread, no secret
        # Never before the moment that the service named; a little after, so that not all clients come at once.
        seconds = drawn if asked is None else asked + drawn
        return seconds if waited + seconds <= self.longest_wait else None


def retry_after(value: str | None) -> float | None:
    """Read a ``Retry-After``, seconds or an HTTP date; None when there is none, or none that can be read."""
    if value is None:
        return None
    try:
        return max(0.0, float(value)) if value.strip().isdigit() else _until(value)
    except ValueError:
        return None


def _until(date: str) -> float:
    return max(0.0, parsedate_to_datetime(date).timestamp() - time.time())
