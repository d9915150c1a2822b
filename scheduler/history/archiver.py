"""The archiver: takes finished messages from the outbox in Redis to the database.

Every server has one, and none leads.  A batch is read, written and only then taken out of the outbox.  A process that
is killed in between leaves the batch in the outbox, and what was written already is the same rows again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from scheduler.clock import Clock
from scheduler.errors import HistoryUnavailable
from scheduler.history.database import Database, RowRefused
from scheduler.history.finished import Finished, Payloads, finished_of
from scheduler.logs.notices import Outage, Seldom
from scheduler.logs.sinks import ServiceLog
from scheduler.store import Batch
from scheduler.store.outbox import Outbox
from scheduler.telemetry.figures import Telemetry

BATCH = 500
"""Messages per transaction: about 5 ms of Redis's time."""
GENTLE_BATCH = 20
"""The same while messages are being delivered, which wait for as long as a batch takes.  The p99 of the lateness of 500
messages a second was 7.1 ms with batches of 500, 3.8 with 50, 2.4 with 20, and 1.8 without a history.
"""
BATCH_BYTES = 4 * 2**20
LEASE_MS = 15_000
"""Longer than a batch takes.  After a kill, another server goes on when it has expired."""
EVERY_SECONDS = 1.0
QUIET_TICKS = 10
"""While nothing ends here, only every n-th tick asks Redis, for what other servers and API processes finished."""
BACKOFF = (1.0, 2.0, 5.0, 10.0)
"""Seconds between tries while the database is away; the last one repeats."""
POLITE = 9.0
"""While messages are being delivered, the archiver pauses N times as long as it worked: it shares the interpreter with
the scheduler thread and the workers."""


class Archiver:
    """A ``scheduler.delivery.maintenance.Task``."""

    name = "archive"

    def __init__(
        self,
        store: Outbox,
        database: Database,
        *,
        owner: str,
        payloads: Payloads,
        outbox_bytes: int,
        finished: Callable[[], int],
        busy: Callable[[], bool],
        clock: Clock,
        log: ServiceLog,
        telemetry: Telemetry,
    ) -> None:
        """``owner``: the name of this process.  ``outbox_bytes``: the limit of the outbox.  ``finished``: how many
        messages ended in this process so far.  ``busy``: whether messages are being delivered here.
        """
        self._store = store
        self._database = database
        self._owner = owner
        self._payloads = payloads
        self._share = outbox_bytes / len(store.partitions)
        self._finished = finished
        self._busy = busy
        self._clock = clock
        self._log = log
        self._seldom = Seldom(log, clock)
        self._telemetry = telemetry
        self._outage = Outage(log, clock, of="the database of the history")
        self._prepared = False
        self._failures = 0
        self.taken = 0
        """Messages that this process has taken out of the outbox."""
        self._filled = 0.0
        """The share of its limit that the fullest outbox had."""
        self._last = 0
        self._seen = -1
        self._quiet = 0

    @property
    def away(self) -> bool:
        """Whether the database did not answer at the last try."""
        return self._failures > 0

    def tick(self) -> float:
        """Archive a batch of each partition; return the seconds until the next time."""
        finished = self._finished()
        if finished == self._seen and self._quiet < QUIET_TICKS and not self.away:
            self._quiet += 1
            return EVERY_SECONDS
        begun = self._clock.monotonic()
        # When the outbox is half full, archiving is as urgent as delivering.
        gentle = (self._busy() or finished != self._last) and self._filled < 0.5
        self._last = finished
        limit = GENTLE_BATCH if gentle else BATCH
        try:
            most, self._filled = self._round(limit)
        except HistoryUnavailable as error:
            self._outage.away("archive finished messages", error)
            self._failures += 1
            # Its tables may be gone: an empty database is made ready again.
            self._prepared = False
            return BACKOFF[min(self._failures, len(BACKOFF)) - 1]
        self._outage.over("archive finished messages")
        self._failures = 0
        if most < limit:
            self._seen, self._quiet = finished, 0
            return EVERY_SECONDS
        return POLITE * (self._clock.monotonic() - begun) if gentle else 0.0  # more waits

    def _round(self, limit: int) -> tuple[int, float]:
        """Archive up to ``limit`` messages of each partition.

        Return the messages of the largest batch, and the share of the limit that the fullest outbox has."""
        if not self._prepared:
            self._database.prepare()
            self._prepared = True
        most, filled = 0, 0.0
        for partition in range(len(self._store.partitions)):
            batch = self._store.unarchived(
                partition, self._owner, limit=limit, max_bytes=BATCH_BYTES, lease_ms=LEASE_MS
            )
            if batch.messages:
                self._archive(batch)
                self._store.archived(partition, self._owner, batch.messages)
                self.taken += len(batch.messages)
            # One that was cut short by its bytes is followed at once, too.
            cut = sum(len(one.message.payload) for one in batch.messages if one.message) >= BATCH_BYTES / 2
            most = max(most, limit if cut else len(batch.messages))
            filled = max(filled, batch.outbox_bytes / self._share)
        return most, filled

    def _archive(self, batch: Batch) -> None:
        rows = [
            finished_of(one.message, one.finished_at, self._payloads)
            for one in batch.messages
            if one.message is not None
        ]
        if rows:
            try:
                self._database.write(rows)
            except RowRefused:
                self._one_by_one(rows)
            self._telemetry.count("scheduler_archived", len(rows))

    def _one_by_one(self, rows: Sequence[Finished]) -> None:
        """Find the row that the database cannot hold; one such row must not keep all others out of the history."""
        for row in rows:
            try:
                self._database.write([row])
            except RowRefused as refusal:
                self._telemetry.count("scheduler_archive_refused")
                self._seldom.error(f"the history keeps message {row.id} without its payload and attempts: {refusal}")
                try:
                    self._database.write([row.without_payload()])
                except RowRefused as again:
                    self._log.error(f"the history does not keep message {row.id}: {again}")
