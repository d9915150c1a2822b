"""What follows a failed attempt: the next one after a delay, or none, because the message is dead.

The delay is an exponential backoff with full jitter and a cap.  Messages of a server that stopped answering come to no
decision here: ``store/lua/reap.lua`` counts their attempts.

Full jitter (a delay drawn evenly between 0 and the backoff) spreads the retries of many messages that failed together
better than any fixed share of it: https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass

UNLIMITED = -1


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How often and how soon a failed attempt is repeated."""

    max_attempts: int = 5
    """Attempts in all, the first included; -1 is without limit."""
    base: float = 1.0
    """Seconds of backoff after the first failed attempt."""
    factor: float = 2.0
    """Growth of the backoff from one attempt to the next."""
    cap: float = 300.0
    """Seconds; the backoff never grows past it."""
    jitter: bool = True

    def exhausted(self, attempt: int) -> bool:
        """True when attempt number ``attempt`` (from 1) was the last one allowed."""
        return self.max_attempts != UNLIMITED and attempt >= self.max_attempts

    def delay_ms(self, attempt: int, uniform: Callable[[float, float], float] = random.uniform) -> int:
        """Milliseconds to wait after attempt number ``attempt`` (from 1) failed."""
        try:
            backoff = min(self.cap, self.base * self.factor ** (attempt - 1)) * 1000
        except OverflowError:
            # 2.0 ** 2000 is no float; the cap was reached long before, unless there is nothing to grow.
            backoff = self.cap * 1000 if self.base else 0
        return round(uniform(0, backoff)) if self.jitter else round(backoff)

    def encode(self) -> str:
        """The stored form, ``max,base,factor,cap,jitter``: 20 bytes where JSON takes 80."""
        return f"{self.max_attempts},{self.base!r},{self.factor!r},{self.cap!r},{int(self.jitter)}"

    @classmethod
    def decode(cls, text: str) -> RetryPolicy:
        attempts, base, factor, cap, jitter = text.split(",")
        return cls(int(attempts), float(base), float(factor), float(cap), jitter == "1")


def after_failure(
    policy: RetryPolicy, attempt: int, *, asked_ms: int | None = None, cut_short: bool = False
) -> int | None:
    """Return the delay before the next attempt (ms), or None: attempt number ``attempt`` was the last, and the message
    is dead.

    ``asked_ms``: the delay that the handler or the endpoint asked for, instead of the backoff.  ``cut_short``: a stop
    of this server ended the attempt; that never makes a dead letter.
    """
    if policy.exhausted(attempt) and not cut_short:
        return None
    return policy.delay_ms(attempt) if asked_ms is None else asked_ms
