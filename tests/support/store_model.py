"""The store as a few lines of plain Python: what the verbs mean, without Redis."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from scheduler.message import Claim, NewMessage, Outcome, Priority, lane_of, moment_of
from scheduler.store import Changes, Limits

RANK = {Priority.HIGH: 0, Priority.NORMAL: 1, Priority.LOW: 2}
EVIDENCE_KEPT = 20


@dataclass
class Entry:
    """One message; ``score`` is its place in the order of the set that it is in."""

    id: str
    partition: int
    score: int
    priority: Priority
    channel: str
    payload: str
    max_attempts: int | None
    due_at: int
    status: str = "scheduled"
    attempt: int = 0
    earlier: int = 0
    """Attempts before the last redrive."""
    lost: int = 0
    token: str | None = None
    put_off_from: int | None = None
    """Where due_at was before back-pressure first put this attempt off."""
    asked_for: int | None = None
    """Where due_at was before the first retry moved it."""
    evidence: list[str] = field(default_factory=list)

    @property
    def lane(self) -> str:
        return lane_of(self.channel, None)

    @property
    def place(self) -> str:
        names = {"scheduled": f"due:{self.lane}:{self.priority}", "processing": "locks", "dead": "dead"}
        return names.get(self.status, "done")

    @property
    def since(self) -> int:
        """What lateness counts from."""
        return self.due_at if self.put_off_from is None else self.put_off_from

    @property
    def scheduled_for(self) -> int:
        return self.since if self.asked_for is None else self.asked_for

    @property
    def held_back(self) -> bool:
        return self.put_off_from is not None and self.status in ("scheduled", "processing")

    def note(self, outcome: str) -> None:
        self.evidence = [*self.evidence, outcome][-EVIDENCE_KEPT:]

    def back(self, due_at: int) -> None:
        self.status, self.score, self.due_at, self.token = "scheduled", due_at, due_at, None

    def finish(self, status: str, now: int) -> None:
        self.status, self.score, self.token = status, now, None


class Model:
    """All messages by id.  Every verb changes what the store's verb of the same name should change, and answers the
    same.
    """

    def __init__(self, partitions: int, partition_of: Callable[[str], int], max_attempts: int) -> None:
        self.partitions = partitions
        self._partition_of = partition_of
        self._max_attempts = max_attempts
        self.entries: dict[str, Entry] = {}
        self.now = 0

    def in_order(self, entries: Iterable[Entry]) -> list[Entry]:
        return sorted(entries, key=lambda e: (e.score, e.id))

    def of_status(self, *status: str) -> list[Entry]:
        return self.in_order(e for e in self.entries.values() if e.status in status)

    def due(self, partition: int | None = None, lane: str | None = None) -> list[Entry]:
        """What can be claimed, of a lane in the order in which it must be."""
        ready = [
            e
            for e in self.of_status("scheduled")
            if e.score <= self.now and partition in (None, e.partition) and lane in (None, e.lane)
        ]
        return sorted(ready, key=lambda e: RANK[e.priority])

    def schedule(self, messages: Sequence[NewMessage]) -> bool:
        """False: an id exists or is there twice, and nothing is stored."""
        ids = [m.id for m in messages]
        if len(set(ids)) < len(ids) or set(ids) & set(self.entries):
            return False
        for m in messages:
            due_at = moment_of(m.due_at, self.now)
            self.entries[m.id] = Entry(
                m.id, self._partition_of(m.id), due_at, m.priority, m.channel, m.payload,
                m.retry.max_attempts if m.retry else None, due_at,
            )  # fmt: skip
        return True

    def claimed(self, claims: Sequence[Claim], lock_ms: int) -> None:
        """These were claimed; the caller has checked that they were the right ones."""
        for claim in claims:
            entry = self.entries[claim.id]
            entry.status, entry.score, entry.token = "processing", self.now + lock_ms, claim.token
            entry.attempt += 1

    def holds(self, claim: Claim) -> bool:
        """Whether this claim's lock is in force."""
        entry = self.entries.get(claim.id)
        return entry is not None and entry.token == claim.token

    def settle(self, outcome: Outcome) -> bool:
        if not self.holds(outcome.claim):
            return False
        entry = self.entries[outcome.claim.id]
        if outcome.kind == "release":
            entry.attempt -= 1
            if outcome.delay_ms is not None:
                entry.put_off_from = entry.since
            entry.back(entry.due_at if outcome.delay_ms is None else self.now + outcome.delay_ms)
        elif outcome.kind == "retry":
            entry.note("failed")
            entry.lost = 0
            entry.asked_for, entry.put_off_from = entry.scheduled_for, None
            entry.back(self.now + (outcome.delay_ms or 0))
        else:
            entry.note("delivered" if outcome.kind == "ack" else "failed")
            entry.finish("delivered" if outcome.kind == "ack" else "dead", self.now)
        return True

    def renew(self, claims: Sequence[Claim], lock_ms: int) -> list[Claim]:
        for claim in claims:
            if self.holds(claim):
                self.entries[claim.id].score = self.now + lock_ms
        return [claim for claim in claims if not self.holds(claim)]

    def reap(self, limit: int) -> tuple[int, int]:
        back = dead = 0
        for partition in range(self.partitions):
            locks = [e for e in self.of_status("processing") if e.partition == partition and e.score <= self.now]
            for entry in locks[:limit]:
                entry.lost += 1
                entry.note("lost")
                allowed = self._max_attempts if entry.max_attempts is None else entry.max_attempts
                lost_limit = self._max_attempts if self._max_attempts > 0 else 5
                if entry.attempt >= allowed > 0 or (allowed < 0 and entry.lost >= lost_limit):
                    entry.finish("dead", self.now)
                    dead += 1
                else:
                    entry.back(entry.due_at)
                    back += 1
        return back, dead

    def update(self, id: str, changes: Changes) -> bool:
        entry = self.entries[id]
        if entry.status != "scheduled":
            return False
        if changes.due_at is not None:
            entry.due_at = entry.score = moment_of(changes.due_at, self.now)
            entry.asked_for = entry.put_off_from = None
        entry.priority = changes.priority or entry.priority
        entry.payload = changes.payload or entry.payload
        return True

    def cancel(self, id: str) -> bool:
        entry = self.entries[id]
        if entry.status != "scheduled":
            return False
        entry.finish("cancelled", self.now)
        return True

    def redrive(self, id: str) -> bool:
        entry = self.entries[id]
        if entry.status != "dead":
            return False
        entry.earlier, entry.attempt, entry.lost = entry.earlier + entry.attempt, 0, 0
        entry.asked_for = entry.put_off_from = None
        entry.back(self.now)
        return True

    def redrive_many(self, limit: int, channel: str | None, dry_run: bool) -> list[str]:
        chosen = [
            e.id
            for partition in range(self.partitions)
            for e in self.of_status("dead")
            if e.partition == partition and channel in (None, e.channel)
        ][:limit]
        for id in chosen if not dry_run else ():
            self.redrive(id)
        return chosen

    def trim(self, which: str, limits: Limits, limit: int, weight: Callable[[str], int]) -> int:
        """``weight``: the bytes that the store counts for an id."""
        forgotten = 0
        for partition in range(self.partitions):
            kept = [
                e
                for e in self.of_status(*(("dead",) if which == "dead" else ("delivered", "cancelled")))
                if e.partition == partition
            ]
            old = sum(e.score <= self.now - limits.max_age_ms for e in kept)
            gone = max(0, min(limit, max(old, len(kept) - -(-limits.max_count // self.partitions))))
            while gone < min(limit, len(kept)) and sum(weight(e.id) for e in kept[gone:]) > -(
                -limits.max_bytes // self.partitions
            ):
                gone += 1
            for entry in kept[:gone]:
                del self.entries[entry.id]
            forgotten += gone
        return forgotten
