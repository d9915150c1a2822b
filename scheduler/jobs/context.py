"""The second argument of a handler: the attempt that it carries out."""

from __future__ import annotations

from collections.abc import Callable


def _never() -> bool:
    return False


def _always() -> bool:
    return True


class JobContext:
    """One attempt of one job.  Tests of handlers can make one: ``JobContext("id", attempt=1)``."""

    __slots__ = (
        "_cancelled",
        "_renewed",
        "attempt",
        "due_at",
        "id",
        "schedule_id",
        "scheduled_for",
        "traceparent",
        "type",
    )

    def __init__(
        self,
        id: str,
        attempt: int = 1,
        due_at: int = 0,
        *,
        type: str = "",
        schedule_id: str | None = None,
        scheduled_for: int | None = None,
        traceparent: str | None = None,
        cancelled: Callable[[], bool] = _never,
        renewed: Callable[[], bool] = _always,
    ) -> None:
        self.id = id
        """The message's id.  It is the same for all attempts, so a handler can recognise a repeat by it."""
        self.attempt = attempt
        """1 for the first one."""
        self.due_at = due_at
        """ms since the epoch, UTC: when this attempt was due."""
        self.type = type
        """The job's type as it was submitted; the handler of ``Jobs.Fallback`` gets jobs of many types."""
        self.schedule_id = schedule_id
        """The schedule that made the job; None for a job that was submitted."""
        self.scheduled_for = due_at if scheduled_for is None else scheduled_for
        """ms since the epoch, UTC: of a schedule's job the moment of the plan, whenever it runs."""
        self.traceparent = traceparent
        """The trace of the request that submitted the job, as its header had it; None: it had none."""
        self._cancelled = cancelled
        self._renewed = renewed

    def cancelled(self) -> bool:
        """Return True when the handler should stop.

        The lock was lost (another server may run the job by now), the time limit has passed, or the service is
        stopping.  It only reads memory, so it may be called often.
        """
        return self._cancelled()

    def renewed(self) -> bool:
        """Extend the lock in Redis now; return True when the handler still holds it.

        Locks are renewed without this call.  Use it before a step that must not happen twice; it takes one round trip.
        It also returns False when Redis does not answer, because then the lock may be lost.
        """
        return self._renewed()
