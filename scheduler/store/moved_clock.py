"""Moving the clock of a whole service forward, for users' tests (``Test.Clock``)."""

from __future__ import annotations

from scheduler.errors import InvalidInput
from scheduler.store.base import Base
from scheduler.store.keys import META, MOVED, WAKE
from scheduler.when import format_ms


class MovedClock(Base):
    """Verbs: redis_ms, move_clock."""

    def redis_ms(self) -> int:
        """Return the time that decides what is due (ms): Redis's, and what tests have moved it by."""
        return self.own_ms() + self.moved_ms()

    def move_clock(self, to_ms: int) -> int:
        """Move the clock forward to this moment (ms), for all processes at once; return what it is then.

        Raises ``InvalidInput`` for a moment that it has passed: messages would be due that are delivered already.
        """
        by_ms = to_ms - self.redis_ms()
        if by_ms < 0:
            raise InvalidInput.of(
                "time", f"lies before the service's clock, {format_ms(to_ms - by_ms)}; it only moves on"
            )
        self.plain("HINCRBY", META, MOVED, by_ms)
        # Dispatchers sleep until the next moment by the old time.
        self.anywhere("PUBLISH", WAKE, "0 0 plan")
        return self.redis_ms()
