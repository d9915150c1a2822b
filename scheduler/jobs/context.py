"""What a handler is told about the attempt that it is."""

from __future__ import annotations

from collections.abc import Callable


def _never() -> bool:
    return False


def _always() -> bool:
    return True


class JobContext:
    """One attempt of one job.  A test of a handler makes its own: ``JobContext("id", attempt=1)``."""

    __slots__ = ("_cancelled", "_renewed", "attempt", "due_at", "id", "type")

    def __init__(
        self,
        id: str,
        attempt: int = 1,
        due_at: int = 0,
        *,
        type: str = "",
        cancelled: Callable[[], bool] = _never,
        renewed: Callable[[], bool] = _always,
    ) -> None:
        self.id = id
        """The message's id: the same over all attempts, so what a repeat can be recognised by."""
        self.attempt = attempt
        """1 for the first one."""
        self.due_at = due_at
        """ms since the epoch, UTC: the moment of this attempt."""
        self.type = type
        """The job's type as it was submitted: what the handler of ``Jobs.Fallback`` tells its jobs apart by."""
        self._cancelled = cancelled
        self._renewed = renewed

    def cancelled(self) -> bool:
        """True when it makes sense to stop: the lock was lost (another server may run the job by now), the time limit
        has passed, or the service is stopping.  Costs a look into memory: ask as often as you like.
        """
        return self._cancelled()

    def renewed(self) -> bool:
        """Push the lock's expiry in Redis now; True when the lock was still ours.

        One round trip.  Locks in flight are renewed without it: it is for the moment before a step that must not
        happen twice.  False also when Redis does not answer, for then nobody knows.
        """
        return self._renewed()
