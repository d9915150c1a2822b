"""Convert between the hashes of schedules and the types of schedule.py.  Pure, no I/O."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import cast

from scheduler.flow import Flow
from scheduler.message import NewMessage, Priority, made_by
from scheduler.recurrence import CatchUp, Recurrence
from scheduler.recurrence.plan import LAST_MS
from scheduler.retry import RetryPolicy
from scheduler.schedule import Definition, DuePlan, LastRun, Overlap, Planned, PlannedRun, Schedule, State
from scheduler.store.partitions import run_id
from scheduler.store.records import due_cell

Fields = Mapping[str, str | None]

PLAN_FIELDS = ("u", "c", "next", "cron", "every", "zone", "start", "from", "last", "jitter", "catch")
"""What the next moment of a schedule follows from."""

COUNTERS = ("made", "delivered", "dead", "cancelled", "caught", "overlap", "missed", "changed")
_DEFAULT = CatchUp()


def template_fields(template: NewMessage) -> dict[str, str]:
    """Return the fields of the template; '' for those that are left out."""
    return {
        "p": template.payload,
        "n": "" if template.channel == "echo" else template.channel,
        "q": "" if template.priority is Priority.NORMAL else template.priority.value,
        "t": template.target or "",
        "y": template.type or "",
        "w": template.owner or "",
        "r": template.retry.encode() if template.retry else "",
        "j": template.lane or "",
        "F": template.flow.encode() if template.flow else "",
    }


def template_of(fields: Fields) -> NewMessage:
    """Return the template of a schedule: a message without id and moment."""
    retry = fields.get("r")
    return NewMessage(
        id="",
        payload=fields.get("p") or "null",
        due_at=0,
        channel=fields.get("n") or "echo",
        priority=Priority(fields.get("q") or "normal"),
        target=fields.get("t"),
        type=fields.get("y"),
        owner=fields.get("w"),
        retry=RetryPolicy.decode(retry) if retry else None,
        lane=fields.get("j"),
        flow=Flow.decode(fields.get("F")),
    )


def schedule_fields(definition: Definition, plan: Recurrence) -> dict[str, str]:
    """Return the fields of a definition and its plan; '' for those that are left out."""
    d = definition
    policy = "" if d.catch_up == _DEFAULT else f"{d.catch_up.policy} {d.catch_up.window_ms} {d.catch_up.limit}"
    return {
        **template_fields(d.template),
        "cron": plan.cron or "",
        "every": _text(plan.every_ms),
        "zone": "" if plan.timezone == "UTC" else plan.timezone,
        "start": _text(d.start),
        "from": "" if d.start == plan.start_ms else str(plan.start_ms),
        "end": _text(d.end),
        "max": _text(d.max_runs),
        "last": "" if plan.last_ms == LAST_MS else str(plan.last_ms),
        "jitter": _text(d.jitter_ms or None),
        "catch": policy,
        "overlap": "" if d.overlap == "allow" else d.overlap,
        "labels": json.dumps(d.labels, ensure_ascii=False, separators=(",", ":")) if d.labels else "",
    }


def plan_of(fields: Fields) -> Recurrence:
    """Return the plan of a schedule."""
    every, last = fields.get("every"), fields.get("last")
    return Recurrence(
        fields.get("cron"),
        int(every) if every else None,
        fields.get("zone") or "UTC",
        int(fields.get("from") or fields.get("start") or 0),
        int(last) if last else LAST_MS,
    )


def _policy_of(text: str | None) -> CatchUp:
    if not text:
        return _DEFAULT
    policy, window_ms, limit = text.split(" ")
    return CatchUp(policy, int(window_ms), int(limit))  # type: ignore[arg-type]  # as it was stored


def schedule_of(id: str, flat: Sequence[str], runs: Sequence[str], act_at: str | None, redis_ms: int = 0) -> Schedule:
    """Return the schedule of a hash (``{field, value, ...}``).  ``act_at``: its score among those that are active."""
    fields = dict(zip(flat[::2], flat[1::2], strict=True))
    buffered = fields.get("buffered")
    definition = Definition(
        template=template_of(fields),
        cron=fields.get("cron"),
        every_ms=_int(fields.get("every")),
        timezone=fields.get("zone") or "UTC",
        start=_int(fields.get("start")),
        end=_int(fields.get("end")),
        max_runs=_int(fields.get("max")),
        jitter_ms=int(fields.get("jitter") or 0),
        catch_up=_policy_of(fields.get("catch")),
        overlap=cast("Overlap", fields.get("overlap") or "allow"),
        labels=tuple(json.loads(fields.get("labels") or "[]")),
    )
    return Schedule(
        id=id,
        definition=definition,
        plan=plan_of(fields),
        state=State(fields.get("state") or "active"),
        created_at=int(fields.get("c") or 0),
        revision=int(fields.get("u") or fields.get("c") or 0),
        next_run=_int(fields.get("next")),
        act_at=int(float(act_at)) if act_at else None,
        counters={name: int(fields.get(f"#{name}") or 0) for name in COUNTERS},
        note=fields.get("note"),
        running=fields.get("busy"),
        buffered=buffered.split(" ")[0] if buffered else None,
        last_runs=[last_run_of(text) for text in runs],
        redis_ms=redis_ms,
    )


def last_run_of(text: str) -> LastRun:
    """Return an entry of the list of last runs."""
    outcome, ended_at, id, origin, *count = text.split(" ")
    made = made_by(id, f"0 {origin}")
    return LastRun(outcome, int(ended_at), id, made.origin, made.moment, int(count[0]) if count else 1)


def due_plan_of(row: Sequence[str | None]) -> DuePlan:
    """Return the schedule of one row of the reply of plans.lua."""
    id, missed, *values = row
    fields = dict(zip(PLAN_FIELDS, values, strict=True))
    return DuePlan(
        str(id),
        str(fields["u"] or fields["c"]),
        int(fields["next"] or 0),
        str(missed),
        plan_of(fields),
        int(fields["jitter"] or 0),
        _policy_of(fields["catch"]),
    )


def plan_items(planned: Iterable[Planned], partitions: int) -> list[str | int]:
    """Return the list of items for plan.lua."""
    items: list[str | int] = []
    for one in planned:
        due, run = one.due, one.following
        items += (due.id, due.revision, due.next_run)
        items += (run.moment, run_id(due.id, run.moment, partitions), due_cell(run.due_at)) if run else ("", "", "")
        items += (int(due.missed == "1"), one.given_up, one.given_up_at, len(one.made_up))
        for made in one.made_up:
            items += _made_up(due.id, made, partitions)
    return items


def _made_up(id: str, run: PlannedRun, partitions: int) -> tuple[str | int, ...]:
    return run_id(id, run.moment, partitions), due_cell(run.due_at), run.origin


def _text(number: int | None) -> str:
    return "" if number is None else str(number)


def _int(text: str | None) -> int | None:
    return int(text) if text else None
