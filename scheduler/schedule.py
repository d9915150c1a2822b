"""A schedule: what makes a message for each of its moments.  Pure, no I/O.

``docs/schedules.md`` explains the words and the rules; ``scheduler/recurrence`` computes the moments.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal, NamedTuple, Self

from scheduler.message import NOW, Due, NewMessage
from scheduler.recurrence import CatchUp, Recurrence, catch_up, jittered

GRACE_MS = 5000
"""How late a schedule may be planned without its moments counting as missed (also in store/lua/_pending.lua)."""

SCHEDULE_ID_PATTERN = r"^[A-Za-z0-9_.:-]{1,100}$"
"""What the id of a schedule may look like: the ids of its messages are longer."""

Overlap = Literal["skip", "buffer", "allow"]
Origin = Literal["plan", "catch_up", "backfill", "run"]


class State(StrEnum):
    """What a schedule does."""

    ACTIVE = "active"
    PAUSED = "paused"
    ENDED = "ended"


@dataclass(frozen=True, slots=True, kw_only=True)
class Definition:
    """What a client asks for.  Moments and lengths in ms."""

    template: NewMessage
    """Its messages but for id and moment."""
    cron: str | None = None
    every_ms: int | None = None
    timezone: str = "UTC"
    start: int | None = None
    end: int | None = None
    max_runs: int | None = None
    jitter_ms: int = 0
    catch_up: CatchUp = field(default_factory=CatchUp)
    overlap: Overlap = "allow"
    labels: tuple[str, ...] = ()

    def same_plan(self, other: Definition) -> bool:
        """Whether both ask for the same moments."""
        return self._plan() == other._plan()

    def same_runs(self, other: Definition) -> bool:
        """Whether both ask for the same moments and the same messages at them."""
        return self.same_plan(other) and (self.template, self.jitter_ms) == (other.template, other.jitter_ms)

    def _plan(self) -> tuple[object, ...]:
        return self.cron, self.every_ms, self.timezone, self.start, self.end, self.max_runs

    def same_course(self, other: Definition) -> bool:
        """Whether a change from one to the other only moves the ends of the plan, not where it began."""
        of_cron = self.cron is not None
        return self._rule(of_cron) == other._rule(of_cron)

    def _rule(self, of_cron: bool) -> tuple[object, ...]:
        # An interval only uses its zone to show local times.
        return self.cron, self.every_ms, self.start, self.timezone if of_cron else None

    def planned(self, now_ms: int, *, began: int | None = None) -> Recurrence:
        """Return the plan of a schedule that is made now, or began then (ms).  Raises ``InvalidInput``."""
        return Recurrence.of(
            now_ms=now_ms,
            cron=self.cron,
            every=None if self.every_ms is None else self.every_ms / 1000,
            timezone=self.timezone,
            start_ms=self.start if began is None else began,
            end_ms=self.end,
            max_runs=self.max_runs,
        )


class LastRun(NamedTuple):
    """A run that has ended."""

    outcome: str
    """``delivered``, ``dead``, ``cancelled``, or why it was skipped: ``overlap``, ``missed``, ``changed``."""
    ended_at: int
    """ms"""
    message_id: str
    origin: str
    moment: int | None
    """ms; None of a run that no plan knows (origin ``run``)."""
    moments: int = 1
    """How many moments it stands for: moments that were missed together have one entry."""


@dataclass(slots=True, kw_only=True)
class Schedule:
    """A stored schedule."""

    id: str
    definition: Definition
    plan: Recurrence
    state: State
    created_at: int
    revision: int
    """ms: when it was last changed."""
    next_run: int | None
    """ms: the next moment; None when it is not active."""
    act_at: int | None
    """ms: when it must be planned next: the next moment with its jitter."""
    counters: dict[str, int]
    note: str | None = None
    running: str | None = None
    """Id of the message under way; only with overlap ``skip`` and ``buffer``."""
    buffered: str | None = None
    """Id of the message that waits for its end."""
    last_runs: list[LastRun] = field(default_factory=list)
    redis_ms: int = 0
    """Redis's clock when it was read; 0 in a list."""

    def due_at(self, moment: int) -> int:
        """Return when the message of this moment is due (ms)."""
        return jittered(self.plan, self.id, moment, self.definition.jitter_ms)


class DuePlan(NamedTuple):
    """An active schedule whose moment has come."""

    id: str
    revision: str
    next_run: int
    missed: str
    """``''``: it is on time; ``'1'``: it is late, and the run of ``next_run`` was not begun; ``'0'``: it was."""
    plan: Recurrence
    jitter_ms: int
    policy: CatchUp


class PlannedRun(NamedTuple):
    """A message to be made."""

    moment: int
    """ms"""
    due_at: Due
    origin: Origin = "plan"


class Planned(NamedTuple):
    """How a schedule moves on."""

    due: DuePlan
    following: PlannedRun | None
    """None: the plan has ended."""
    made_up: tuple[PlannedRun, ...] = ()
    """Moments between ``due.next_run`` and now, that one included when it was missed."""
    given_up: int = 0
    """How many moments are not made up for."""
    given_up_at: int = 0
    """ms: the last of them."""

    @classmethod
    def of(cls, due: DuePlan, now_ms: int) -> Self:
        """Decide what to make of a moment that has come, and of those that were missed."""
        return cls._late(due, now_ms) if due.missed else cls._on_time(due, now_ms)

    @classmethod
    def _on_time(cls, due: DuePlan, now_ms: int) -> Self:
        passed: list[PlannedRun] = []
        moment = due.plan.next_after(due.next_run)
        while moment is not None:
            due_at = jittered(due.plan, due.id, moment, due.jitter_ms)
            run = PlannedRun(moment, due_at)
            # A short delay of the planner, in which moments passed that have no message yet, is no downtime.
            if due_at > now_ms:
                return cls(due, run, tuple(passed))
            passed.append(run)
            moment = due.plan.next_after(moment)
        return cls(due, None, tuple(passed))

    @classmethod
    def _late(cls, due: DuePlan, now_ms: int) -> Self:
        # Behind due.next_run, or from it on when its own message was not begun.
        after = due.next_run - (due.missed == "1")
        found = catch_up(due.plan, after, now_ms, due.policy)
        made_up = tuple(PlannedRun(moment, NOW, "catch_up") for moment in found.moments)
        given_up_at = due.plan.latest_at(found.moments[0] - 1 if found.moments else now_ms) if found.given_up else None
        moment = due.plan.next_after(max(now_ms, due.next_run))
        following = None
        if moment is not None:
            following = PlannedRun(moment, jittered(due.plan, due.id, moment, due.jitter_ms))
        return cls(due, following, made_up, found.given_up, given_up_at or 0)
