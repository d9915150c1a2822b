"""What clients do with schedules: create, change, pause, resume, delete, run now, make up for the past.

Each reads the schedule, decides, and writes it under the condition that it is still what was read.  Otherwise it reads
again: the planner moves a schedule of every second on at the very moment in which somebody changes it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple, TypeVar

from scheduler.errors import Conflict, InvalidInput
from scheduler.recurrence import Recurrence, check_jitter, jittered
from scheduler.schedule import Definition, PlannedRun, Schedule, State
from scheduler.store.results import Scheduled
from scheduler.store.schedule_records import schedule_fields
from scheduler.store.scheduling import NO_KEY, ChangedMeanwhile, NewState, Once, Scheduling

T = TypeVar("T")

MOST_BACKFILL = 10_000
"""Moments of one backfill."""
_TRIES = 5


class Backfilled(NamedTuple):
    """What a backfill made."""

    moments: list[int]
    """ms: the moments of the plan in the span, up to the limit."""
    made: int
    """Those of them whose message did not exist."""
    more: bool
    """Whether the span has more moments than the limit."""


def _again(step: Callable[[], T]) -> T:
    for _ in range(_TRIES - 1):
        try:
            return step()
        except ChangedMeanwhile:
            continue
    return step()


def create(
    store: Scheduling, id: str | None, asked: Definition, *, paused: bool, now_ms: int, once: Once = NO_KEY
) -> Schedule:
    """Create a schedule.  ``id`` None: the service chooses one.

    Raises ``Conflict`` when it exists, ``InvalidInput`` when its plan has no moment.
    """
    flow = asked.template.flow
    new_id = id or store.new_schedule_id(flow.key if flow else once.key or None)
    try:
        found = store.write_schedule(new_id, None, _fresh(new_id, asked, now_ms, paused=paused), once)
    except ChangedMeanwhile:
        raise Conflict(f"A schedule with the id {new_id!r} exists.") from None
    return store.schedule_with(found)


def put(store: Scheduling, id: str, asked: Definition, *, paused: bool | None, now_ms: int) -> tuple[Schedule, bool]:
    """Create or replace; what changes nothing changes nothing.  Return the schedule, and whether it is new.

    ``paused`` None: as it is.
    """

    def step() -> tuple[Schedule, bool]:
        stored = store.find_schedule(id)
        if stored is None:
            store.write_schedule(id, None, _fresh(id, asked, now_ms, paused=bool(paused)))
            return store.schedule_with(id), True
        return _replaced(store, stored, asked, paused, now_ms), False

    return _again(step)


def patch(
    store: Scheduling, id: str, change: Callable[[Definition], Definition], *, paused: bool | None, now_ms: int
) -> Schedule:
    """Change a part.  ``change``: what the schedule asks for, to what it asks for then.  Raises ``NotFound``."""

    def step() -> Schedule:
        stored = store.schedule_with(id)
        return _replaced(store, stored, change(stored.definition), paused, now_ms)

    return _again(step)


def pause(store: Scheduling, id: str, note: str | None) -> Schedule:
    """Make no more messages, and take the next one back.  Raises ``NotFound``, ``Conflict`` when it has ended."""

    def step() -> Schedule:
        stored = store.schedule_with(id)
        if stored.state is State.ENDED:
            raise Conflict(f"The schedule {id!r} has ended; only one that is active can be paused.")
        if stored.state is State.ACTIVE or note is not None:
            store.write_schedule(id, stored, NewState(State.PAUSED, fields={"note": note or ""}, keeps=True))
        return store.schedule_with(id)

    return _again(step)


def resume(store: Scheduling, id: str, note: str | None, now_ms: int) -> Schedule:
    """Go on with the first moment after now.  Raises ``NotFound``, ``Conflict`` when it ended."""

    def step() -> Schedule:
        stored = store.schedule_with(id)
        if stored.state is State.ENDED:
            raise Conflict(f"The schedule {id!r} has ended; change its end, max_runs or plan.")
        if stored.state is State.PAUSED:
            new = _state(id, stored.definition, stored.plan, now_ms, paused=False)
            store.write_schedule(id, stored, new._replace(fields={"note": note or ""}, keeps=True))
        return store.schedule_with(id)

    return _again(step)


def delete(store: Scheduling, id: str) -> Schedule:
    """Delete a schedule: no run of it begins any more.  Return what it was.  Raises ``NotFound``."""

    def step() -> Schedule:
        stored = store.schedule_with(id)
        store.write_schedule(id, stored, NewState(None))
        return stored

    return _again(step)


def run_now(store: Scheduling, id: str, once: Once = NO_KEY) -> Scheduled:
    """Make a message that is due now, beside the plan.  Raises ``NotFound``, ``Conflict``."""
    return _again(lambda: store.run_schedule(store.schedule_with(id), once))


def backfill(store: Scheduling, id: str, first: int, last: int, limit: int, *, dry_run: bool) -> Backfilled:
    """Make the messages that are missing from ``first`` to ``last`` (ms, inclusive), behind what is on time.

    Raises ``NotFound``, ``InvalidInput``.
    """

    def step() -> Backfilled:
        stored = store.schedule_with(id)
        if first > last:
            raise InvalidInput.of("to", "lies before from; accepted: a later moment")
        if last > stored.redis_ms:
            raise InvalidInput.of("to", "lies in the future, which the plan makes by itself; accepted: now or earlier")
        moments, more = _moments(_reaching_back(stored, first), first, last, limit)
        if dry_run:
            return Backfilled(moments, store.missing_runs(stored, moments), more)
        return Backfilled(moments, store.make_runs(stored, moments, "backfill", "low"), more)

    return _again(step)


def _reaching_back(schedule: Schedule, first: int) -> Recurrence:
    """The plan of a schedule as if it had begun by ``first`` (ms), unless it was asked to begin later."""
    plan = schedule.plan
    if schedule.definition.start is not None or first >= plan.start_ms:
        return plan
    if plan.every_ms is None:
        return replace(plan, start_ms=first)
    # An interval keeps its phase: as many whole steps back as are needed.
    steps = -(-(plan.start_ms - first) // plan.every_ms)
    return replace(plan, start_ms=plan.start_ms - steps * plan.every_ms)


def _moments(plan: Recurrence, first: int, last: int, limit: int) -> tuple[list[int], bool]:
    found: list[int] = []
    moment = plan.next_after(first - 1)
    while moment is not None and moment <= last:
        if len(found) == limit:
            return found, True
        found.append(moment)
        moment = plan.next_after(moment)
    return found, False


def _fresh(id: str, asked: Definition, now_ms: int, *, paused: bool) -> NewState:
    plan = asked.planned(now_ms)
    check_jitter(plan, asked.jitter_ms)
    return _state(id, asked, plan, now_ms, paused=paused)._replace(fields=schedule_fields(asked, plan))


def _replaced(store: Scheduling, stored: Schedule, asked: Definition, paused: bool | None, now_ms: int) -> Schedule:
    """Write what differs from ``stored``; return it as it is then."""
    old = stored.definition
    stays = paused is None or paused == (stored.state is State.PAUSED)
    if asked == old and stays:
        return stored
    # An interval counts on from where it began, and a plan without a start does not begin anew.
    began = stored.plan.start_ms if asked.same_course(old) else None
    plan = stored.plan if asked.same_plan(old) else asked.planned(now_ms, began=began)
    check_jitter(plan, asked.jitter_ms)
    wanted = paused if paused is not None else stored.state is State.PAUSED
    new = _state(stored.id, asked, plan, now_ms, paused=wanted)
    if stored.next_run is not None and not wanted and asked.same_plan(old):
        # Also when it has come this very moment: a change of the template costs no run.
        due_at = jittered(plan, stored.id, stored.next_run, asked.jitter_ms)
        new = NewState(State.ACTIVE, PlannedRun(stored.next_run, due_at))
    fields = schedule_fields(asked, plan)
    store.write_schedule(stored.id, stored, new._replace(fields=fields, keeps=asked.same_runs(old)))
    return store.schedule_with(stored.id)


def _state(id: str, asked: Definition, plan: Recurrence, now_ms: int, *, paused: bool) -> NewState:
    """What a schedule does from now on: its next moment is the first one after now."""
    moment = plan.next_after(now_ms)
    if moment is None:
        return NewState(State.ENDED)
    if paused:
        return NewState(State.PAUSED)
    return NewState(State.ACTIVE, PlannedRun(moment, jittered(plan, id, moment, asked.jitter_ms)))
