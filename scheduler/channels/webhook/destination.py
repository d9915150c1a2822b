"""One destination (scheme, host, port): how much of the channel it may hold, and when to come back with the rest.

No destination can be judged in advance, so the room is shared by two rules that need no configuration:

- What a destination works off in ``QUICK_SECONDS`` at its observed rate, it may always hold.  A fast endpoint that has
  all the traffic gets all the room, and the channel's ``capacity`` slows the dispatcher down instead of messages being
  claimed and given back.
- Beyond that it may hold no more than is still free, and than it works off in ``PATIENT_SECONDS``.  However many dead
  endpoints share the room, as much as each of them holds stays free for the next one, and for the good ones (dynamic
  thresholds, as switches share their buffers: Choudhury and Hahne, 1998).

A message that finds no room is given back until its turn: each one takes the next slot on the destination's own time
line, so that a backlog comes back at the rate the destination can take and not all at once.
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
    """What is known of one destination.  Times are seconds on the monotonic clock."""

    host: str
    limit: int
    """Transfers at once."""
    progress_at: float = 0.0
    """When something last moved: a message came to wait where none was held, a first transfer began, one ended."""
    waiting: deque[T] = field(default_factory=deque)
    in_flight: int = 0
    http2: bool | None = None
    """Whether its last answer came by HTTP/2; None while none has come."""
    _mean: float | None = None
    """Seconds that a transfer takes, smoothed; None while none has ended."""
    _next_slot: float = 0.0
    _full_since: float | None = None

    @property
    def held(self) -> int:
        return self.in_flight + len(self.waiting)

    def rate(self, now: float) -> float:
        """Messages per second that it takes when it is given all it may have (Little's law)."""
        # The mean only moves when transfers end; a destination that hangs shows by what has not happened.
        stuck = self.in_flight >= self.limit or (self.waiting and not self.in_flight)
        return self.limit / max(self._mean or _FIRST_GUESS_SECONDS, now - self.progress_at if stuck else 0.0)

    def may_hold(self, free: int, now: float) -> bool:
        """Whether one more message is welcome, with room for ``free`` more in the whole channel."""
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
        """The transfer of a message that was taken from ``waiting`` has begun."""
        if not self.in_flight:
            self.progress_at = now
        self.in_flight += 1

    def ended(self, seconds: float, now: float) -> None:
        """A transfer that took so long is over, however it ended."""
        self.in_flight -= 1
        self.progress_at = now
        self._mean = seconds if self._mean is None else self._mean + _SMOOTHING * (seconds - self._mean)
        if not self.waiting:
            # It has caught up: what it could not take from here on starts a time line of its own.
            self._next_slot = 0.0
            self._full_since = None

    def release_delay_ms(self, now: float, uniform: Callable[[float, float], float]) -> int:
        """Milliseconds after which a message that found no room shall be due again."""
        if self._full_since is None:
            self._full_since = now
        # A rate measured in the first moments may be far off, and who was sent away cannot be called back: plan no
        # further ahead than the destination has been full for.
        horizon = min(max(MIN_RELEASE_SECONDS, 2 * (now - self._full_since)), MAX_RELEASE_SECONDS)
        self._next_slot = max(self._next_slot + 1 / self.rate(now), now)
        delay = self._next_slot - now
        if delay >= horizon:
            self._next_slot = now + horizon
            delay = uniform(horizon / 2, horizon)
        return round(max(delay, uniform(MIN_RELEASE_SECONDS, 1.25 * MIN_RELEASE_SECONDS)) * 1000)
