"""Exceptions with which a handler ends its attempt."""

from __future__ import annotations

import math

_LONGEST = 3650 * 86_400.0


class Retry(Exception):
    """Raised by a handler: this attempt failed, try again.  After the last attempt, the message becomes dead."""

    after: float | None = None
    """Seconds; here too for a subclass that does not call ``__init__``."""

    def __init__(self, why: str = "the handler asks to be tried again", *, after: float | None = None) -> None:
        """``after``: seconds until the next attempt; None leaves it to the message's retry policy."""
        super().__init__(why)
        if after is not None and not (math.isfinite(after) and 0 <= after <= _LONGEST):
            raise ValueError(f"Retry(after={after!r}): must be a number of seconds from 0 to {_LONGEST:.0f}")
        self.after = after


class Dead(Exception):
    """Raised by a handler: trying again cannot help.  The message becomes a dead letter at once."""


class TimeLimitExceeded(BaseException):
    """Raised inside a handler, at the line that it executes, when its time limit has passed.

    It is not an ``Exception``, so that an ``except Exception`` in a handler does not catch it.  Clean up in
    ``finally``, or catch it and raise it again.  A handler that still runs a second later is left behind: its attempt
    fails, and its thread goes on.
    """
