"""One destination (scheme, host, port): how many messages it may hold here, and when the others are due again.

The speed of a destination is unknown at first, so two rules share the channel's slots without configuration:

- A destination may always hold the messages that it takes within ``QUICK_SECONDS`` at its observed rate.  A fast
  endpoint with all the traffic may therefore use all slots.
- Beyond that, it may hold no more messages than there are free slots, and no more than it takes within
  ``PATIENT_SECONDS``.  Each dead endpoint leaves as many slots free as it holds, for other endpoints.  (Switches share
  their buffers by the same rule: dynamic thresholds, Choudhury and Hahne, 1998.)

A message without a slot is released and due again later.  Each release takes the next moment on the destination's time
line, so that a backlog comes back at the rate of the destination and not all at once.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

QUICK_SECONDS = 0.5
PATIENT_SECONDS = 1.0

MIN_RELEASE_SECONDS = 0.25
MAX_RELEASE_SECONDS = 30.0

_FIRST_GUESS_SECONDS = 0.2
_SMOOTHING = 0.1

T = TypeVar("T")


@dataclass(slots=True)
class Destination(Generic[T]):
    """The state of one destination.  Times are seconds on the monotonic clock."""

    host: str
    limit: int
    """Transfers at once, at most."""
    progress_at: float = 0.0
    """When the first message arrived, the first transfer began, or a transfer ended, whichever was last."""
    waiting: deque[T] = field(default_factory=deque)
    in_flight: int = 0
    http2: bool | None = None
    """Whether its last answer came by HTTP/2; None before the first answer."""
    _mean: float | None = None
    """Seconds that a transfer takes, smoothed; None before the first one ended."""
    _next_slot: float = 0.0
    _full_since: float | None = None

    @property
    def held(self) -> int:
        return self.in_flight + len(self.waiting)

    def rate(self, now: float) -> float:
        """Return how many messages per second it takes with ``limit`` transfers at once (Little's law)."""
        # The mean only changes when transfers end, so a destination that hangs is judged by the time without progress.
        stuck = self.in_flight >= self.limit or (self.waiting and not self.in_flight)
        return self.limit / max(self._mean or _FIRST_GUESS_SECONDS, now - self.progress_at if stuck else 0.0)

    def may_hold(self, free: int, now: float) -> bool:
        """Return whether it may hold one more message, when the whole channel has ``free`` slots."""
        if free <= 0:
            return False
        if not self.held:
            return True
        rate = self.rate(now)
        if self.held < rate * QUICK_SECONDS:
            return True
        return self.held < free and self.held < self.limit + rate * PATIENT_SECONDS

    def enqueue(self, delivery: T, now: float, *, first: bool = False) -> None:
        if not self.held:
            self.progress_at = now
        if first:
            self.waiting.appendleft(delivery)
        else:
            self.waiting.append(delivery)

    def begun(self, now: float) -> None:
        """Note that the transfer of a message from ``waiting`` has begun."""
        if not self.in_flight:
            self.progress_at = now
        self.in_flight += 1

    def ended(self, seconds: float, now: float) -> None:
        """Note that a transfer is over, after this many seconds, however it ended."""
        self.in_flight -= 1
        self.progress_at = now
        self._mean = seconds if self._mean is None else self._mean + _SMOOTHING * (seconds - self._mean)
        if not self.waiting:
            # It has caught up, so later releases begin a new time line.
            self._next_slot = 0.0
            self._full_since = None

    def release_delay_ms(self, now: float, uniform: Callable[[float, float], float]) -> int:
        """Return the delay (ms) of a message that is released because there was no slot for it."""
        if self._full_since is None:
            self._full_since = now
        # An early measurement of the rate may be far off, and a released message cannot be called back.  Delays are
        # therefore bounded by twice the time for which the destination has been full.
        horizon = min(max(MIN_RELEASE_SECONDS, 2 * (now - self._full_since)), MAX_RELEASE_SECONDS)
        self._next_slot = max(self._next_slot + 1 / self.rate(now), now)
        delay = self._next_slot - now
        if delay >= horizon:
            self._next_slot = now + horizon
            delay = uniform(horizon / 2, horizon)
        return round(max(delay, uniform(MIN_RELEASE_SECONDS, 1.25 * MIN_RELEASE_SECONDS)) * 1000)
