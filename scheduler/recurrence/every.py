"""The moments of an interval: start + n times its length, in elapsed time, whatever a run takes.

Changes of the clock do not matter.  All numbers are milliseconds; moments are since the epoch, UTC.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from scheduler.errors import FieldError, InvalidInput
from scheduler.when import MAX_MS, parse_delay

LEAST_MS: Final = 1_000


def parse_every(value: object) -> int:
    """Return the length of an interval: the forms of ``delay``, at least a second.  Raises InvalidInput (``every``)."""
    try:
        length = parse_delay(value)
    except InvalidInput as error:
        problems = [FieldError("every", problem.message) for problem in error.errors]
        raise InvalidInput(problems) from None
    if not LEAST_MS <= length <= MAX_MS:
        raise InvalidInput.of("every", f"is {length} ms; accepted: from 1 second on, and less than 8,000 years")
    return length


@dataclass(frozen=True, slots=True)
class Every:
    """Answers for one interval."""

    start: int
    length: int

    def next_after(self, moment: int) -> int:
        """Return the first moment after ``moment``."""
        return self.start + max(0, (moment - self.start) // self.length + 1) * self.length

    def latest_at(self, moment: int) -> int | None:
        """Return the last moment at or before ``moment``; None before the first."""
        return None if moment < self.start else moment - (moment - self.start) % self.length

    def count(self, after: int, until: int) -> int:
        """Return how many moments lie after ``after`` and not after ``until``."""
        first, last = (max(0, (moment - self.start) // self.length + 1) for moment in (after, until))
        return max(0, last - first)

    def nth(self, n: int) -> int:
        """Return the ``n``-th moment, from 1."""
        return self.start + (n - 1) * self.length
