"""The pruner: deletes what the history keeps no longer, in small batches."""

from __future__ import annotations

from collections.abc import Callable

from scheduler.errors import HistoryUnavailable
from scheduler.history.archiver import Archiver
from scheduler.history.database import Database


class Pruner:
    """Deletes old rows.  A ``scheduler.delivery.maintenance.Task``; every server may do it at the same time."""

    name = "delete old history"
    EVERY_SECONDS = 60.0
    LIMIT = 500
    BETWEEN_SECONDS = 0.2
    """Between two batches: writers of other processes come in."""

    def __init__(
        self, database: Database, archiver: Archiver, *, max_age_ms: int, max_rows: int, now_ms: Callable[[], float]
    ) -> None:
        """``max_age_ms``, ``max_rows``: 0 is without limit.  ``archiver``: while it cannot reach the database, nothing
        is deleted.
        """
        self._database = database
        self._archiver = archiver
        self._max_age_ms = max_age_ms
        self._max_rows = max_rows
        self._now_ms = now_ms

    def tick(self) -> float:
        """Delete one batch; return the seconds until the next one."""
        if self._archiver.away or not (self._max_age_ms or self._max_rows):
            return self.EVERY_SECONDS
        before = round(self._now_ms()) - self._max_age_ms if self._max_age_ms else 0
        try:
            deleted = self._database.delete_old(before, self._max_rows, self.LIMIT)
        except HistoryUnavailable:
            return self.EVERY_SECONDS  # the archiver says so in the log
        return self.BETWEEN_SECONDS if deleted >= self.LIMIT else self.EVERY_SECONDS
