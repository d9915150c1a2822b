"""How fast an answer is made that is sent piece by piece: beside deliveries, each piece is followed by a pause."""

from __future__ import annotations

from scheduler.clock import Clock
from scheduler.errors import StoreUnavailable
from scheduler.store import MessageStore

POLITE = 99.0
"""While messages are being delivered, the pause is N times as long as its piece took.  A message that is due during a
piece waits for its core.  With 9, one message in ten met a piece, and the p99 of all was 1.4 times as large."""
ASK_SECONDS = 0.25
"""Between two questions to Redis, however many answers are being sent."""
LONGEST = 1.0
"""Seconds of one pause at most: a search that finds little reads many rows for each piece, and must come to its end."""
AHEAD_MS = 1_000
"""A message that is due so soon is delivered before Redis is asked again."""


class Pace:
    """Of all streamed answers of one API process.  Thread-safe."""

    def __init__(self, store: MessageStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._ask_at = clock.monotonic()
        self._delivering = False

    def pause_after(self, worked: float) -> float:
        """Return the seconds to pause after a piece that took ``worked`` seconds.  May ask Redis."""
        now = self._clock.monotonic()
        if now >= self._ask_at:
            self._ask_at = now + ASK_SECONDS
            self._delivering = self._are_delivered()
        return min(POLITE * worked, LONGEST) if self._delivering else 0.0

    def _are_delivered(self) -> bool:
        """Return whether a message has just ended, or is due soon."""
        try:
            if self._store.outbox_figures().messages:
                return True
            counts = self._store.counts()
        except StoreUnavailable:
            return False  # nothing can be delivered
        return counts.next_due_at is not None and counts.next_due_at - counts.redis_ms <= AHEAD_MS
