"""Schedules in Redis: read, write, and move them on when their moments have come."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from scheduler.errors import Conflict, NotFound
from scheduler.schedule import Planned, PlannedRun, Schedule, State
from scheduler.store import paging, schedule_records
from scheduler.store.base import SCAN, Base
from scheduler.store.partitions import run_id
from scheduler.store.records import due_cell
from scheduler.store.results import DuePlans, ScheduleCounts, Scheduled, SchedulePage
from scheduler.store.scripts import Argument, Reply, load

LIST_RUNS = 10
"""Last runs of each schedule in a list."""
MADE_AT_ONCE = 100
"""Messages of a schedule per script call: about 2 ms of Redis's time."""

_ALL = ("-inf", "+inf")
_PARTS: dict[State | None, tuple[str, str]] = {State.PAUSED: ("1", "1"), State.ENDED: ("2", "2")}
"""Bounds of the scores among those that are not active."""


class ChangedMeanwhile(Conflict):
    """The schedule was changed since it was read: read it again, and decide again."""


class Once(NamedTuple):
    """An Idempotency-Key, and the fingerprint that tells whether two requests are the same."""

    key: str = ""
    fingerprint: str = ""


NO_KEY = Once()


class NewState(NamedTuple):
    """The state that a schedule gets."""

    state: State | None
    """None: it is deleted."""
    following: PlannedRun | None = None
    """The next moment of an active one."""
    fields: dict[str, str] = {}  # noqa: RUF012 - never changed
    """Fields of the hash; '' deletes one, and what is not named stays."""
    keeps: bool = False
    """Neither the plan nor the messages change: runs that have not begun stay as they are."""


class Scheduling(Base):
    """Verbs on schedules."""

    def schedule_with(self, id: str) -> Schedule:
        """Return one schedule with its last runs.  Raises ``NotFound``."""
        if (found := self.find_schedule(id)) is None:
            raise NotFound(f"There is no schedule {id!r}.")
        return found

    def find_schedule(self, id: str) -> Schedule | None:
        """Return one schedule with its last runs; None when there is none."""
        self.require(self.partition_of(id))
        reply = self.run("get_schedule", self.partition_of(id), schedule=id)
        if not reply:
            return None
        now, act_at, fields, runs = reply
        return schedule_records.schedule_of(id, fields, runs, act_at, int(now))

    def new_schedule_id(self, key: str | None = None) -> str:
        """Return a new id; with an Idempotency-Key or a flow key one of the partition that keeps it."""
        return self.new_id() if key is None else self.ids_in(self.partition_of(key), 1)[0]

    def write_schedule(self, id: str, read: Schedule | None, new: NewState, once: Once = NO_KEY) -> str:
        """Create, change or delete a schedule, and the message of its next moment with it, in one step.

        ``read``: the schedule as it was read, None for one that must not exist.  Returns ``id``, or the id of the
        schedule that an earlier call with this Idempotency-Key made.  Raises ``ChangedMeanwhile``, and ``Conflict``
        when the key was used with another request.
        """
        self.require(self.partition_of(id))
        run = new.following
        code, detail = self.run(
            "set_schedule",
            self.partition_of(id),
            [part for pair in new.fields.items() for part in pair],
            schedule=id,
            revision=read.revision if read else "",
            upcoming="" if read is None or read.next_run is None else read.next_run,
            state=new.state or "deleted",
            keeps=int(new.keeps),
            id=run_id(id, run.moment, len(self.partitions)) if run else "",
            due_at=due_cell(run.due_at) if run else "",
            key=once.key,
            fingerprint=once.fingerprint,
            key_ttl=self.idempotency_ms,
            replicated=True,
        )
        return str(detail) if _was_repeated(code, id) else id

    def make_runs(self, schedule: Schedule, moments: Sequence[int], origin: str, priority: str = "") -> int:
        """Make the messages of these moments (ms), due now; return how many, those that exist left out.

        Raises ``ChangedMeanwhile``; the messages of some moments may be stored by then.
        """
        ids = [run_id(schedule.id, moment, len(self.partitions)) for moment in moments]
        made = 0
        for first in range(0, len(ids), MADE_AT_ONCE):
            made += self._make(schedule, ids[first : first + MADE_AT_ONCE], origin, priority, NO_KEY)[0]
        return made

    def missing_runs(self, schedule: Schedule, moments: Sequence[int]) -> int:
        """Return how many of these moments (ms) have no message."""
        partition = self.partition_of(schedule.id)
        keys = [self.partitions[partition]["msg"] + run_id(schedule.id, m, len(self.partitions)) for m in moments]
        parts = (keys[first : first + SCAN] for first in range(0, len(keys), SCAN))
        return len(keys) - sum(int(self.plain("EXISTS", *part)) for part in parts)

    def run_schedule(self, schedule: Schedule, once: Once = NO_KEY) -> Scheduled:
        """Make a message that is due now, beside the plan.  Raises ``ChangedMeanwhile``, ``Conflict``."""
        id = run_id(schedule.id, self.new_id(), len(self.partitions))
        _, now, replayed = self._make(schedule, [id], "run", "", once)
        return Scheduled(replayed, now) if replayed else Scheduled(id, now, now)

    def _make(
        self, schedule: Schedule, ids: Sequence[str], origin: str, priority: str, once: Once
    ) -> tuple[int, int, str]:
        """Return how many were made, Redis's time, and the id that an earlier call with this key made."""
        self.require(self.partition_of(schedule.id))
        code, now, detail = self.run(
            "make_runs",
            self.partition_of(schedule.id),
            ids,
            schedule=schedule.id,
            revision=schedule.revision,
            origin=origin,
            priority=priority,
            key=once.key,
            fingerprint=once.fingerprint,
            key_ttl=self.idempotency_ms,
            replicated=True,
        )
        if _was_repeated(code, schedule.id):
            return 0, int(now), str(detail)
        return int(detail), int(now), ""

    def due_plans(self, partition: int, limit: int, offset: int = 0) -> DuePlans:
        """Return the schedules of a partition whose moment has come, soonest first, without the first ``offset``."""
        now_us, wait_us, *rows = self.run("plans", partition, schedule_records.PLAN_FIELDS, offset=offset, limit=limit)
        wait_ms = None if int(wait_us) < 0 else int(wait_us) / 1000
        return DuePlans([schedule_records.due_plan_of(row) for row in rows], wait_ms, int(now_us) // 1000)

    def move_on(self, partition: int, planned: Sequence[Planned]) -> list[bool]:
        """Move schedules on, with their messages.

        Return, for each, False where another server did, or where it was changed meanwhile.
        """
        items = schedule_records.plan_items(planned, len(self.partitions))
        return [bool(done) for done in self.run("plan", partition, items)]

    def schedules(
        self, *, state: State | None = None, label: str | None = None, limit: int = 50, cursor: str | None = None
    ) -> SchedulePage:
        """Return a page: active ones soonest first, then those that are paused, then those that have ended.

        Raises ``InvalidInput`` for a malformed cursor.
        """
        bounds = _PARTS.get(state, _ALL)
        sections = {None: range(2), State.ACTIVE: range(1)}.get(state, range(1, 2))

        def read(section: int, after: paging.Position | None, rows: int) -> list[paging.Part[Schedule]]:
            name = ("plans", "rests")[section]
            low, high = bounds if name == "rests" else _ALL
            filters: dict[str, Argument] = {"low": low, "high": high, "label": label or "", "limit": rows}
            return [self._schedule_part(p, name, after, filters) for p in range(len(self.partitions))]

        position = paging.PageCursor.decode(cursor) if cursor else None
        found, more = paging.collect(read, sections, limit, position)
        return SchedulePage(found, more.encode() if more else None)

    def _schedule_part(
        self, partition: int, name: str, after: paging.Position | None, filters: dict[str, Argument]
    ) -> paging.Part[Schedule]:
        score, id = (f"{after.score:.0f}", after.id) if after else ("", "")
        more, last_score, last_id, *rows = self.call(
            load("page_schedules"),
            self.partitions[partition].using(set=name),
            partition,
            after_score=score,
            after_id=id,
            scan=SCAN,
            last_runs=LIST_RUNS,
            replicated=False,
            **filters,
        )
        reached = paging.Position(float(last_score), last_id) if int(more) else None
        found = [
            (
                paging.Position(float(score), id),
                schedule_records.schedule_of(id, fields, runs, score if name == "plans" else None),
            )
            for id, score, fields, runs in rows
        ]
        return paging.Part(found, reached)

    def schedule_counts(self) -> ScheduleCounts:
        """Count the schedules.

        Partitions that do not answer are left out.  Raises ``StoreUnavailable`` when none answers.
        """
        return schedule_counts_of(self.of_all("count_schedules")[0])


def schedule_counts_of(replies: Iterable[Reply]) -> ScheduleCounts:
    """Return the sums of the replies of count_schedules.lua."""
    total = ScheduleCounts()
    for now, active, paused, ended, failing, overdue, oldest, skips in replies:
        total.active += active
        total.paused += paused
        total.ended += ended
        total.failing += failing
        total.overdue += overdue
        for reason, n in zip(total.skips, skips, strict=True):
            total.skips[reason] += int(n or 0)
        if oldest:
            age = int(now) - int(float(oldest))
            total.oldest_overdue_age_ms = max(age, total.oldest_overdue_age_ms or 0)
    return total


def _was_repeated(code: int, id: str) -> bool:
    """Return whether a request with the same Idempotency-Key has done it before.  ``code``: of a script."""
    if code == 1:
        raise ChangedMeanwhile(f"The schedule {id!r} was changed at the same time; try again.")
    if code == 3:
        raise Conflict("This Idempotency-Key was used with another request body.")
    return bool(code == 2)
