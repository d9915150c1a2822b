"""Turn validated requests into definitions of schedules, and stored schedules into answers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import orjson

from scheduler.api.http.body import to_json
from scheduler.api.v1.convert import kind_changed, new_message, refuse_elsewhere
from scheduler.api.v1.models import MessageIn
from scheduler.api.v1.schedule_models import TEMPLATE, CatchUpIn, SchedulePatch, SchedulePut
from scheduler.channels.registry import CHANNELS
from scheduler.config.reading import Settings
from scheduler.errors import FieldError, InvalidInput
from scheduler.message import Message, NewMessage, Priority, Status
from scheduler.recurrence import CatchUp, Recurrence, check_jitter
from scheduler.schedule import GRACE_MS, Definition, LastRun, Schedule
from scheduler.schedules.changing import Backfilled
from scheduler.when import format_ms, parse_delay, parse_time, parse_timezone

NEXT_RUNS = 5
_UNITS = (("w", 604_800_000), ("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1))
_SKIPPED = ("overlap", "missed", "changed")


def definition(data: SchedulePut, id: str, now_ms: int, settings: Settings) -> Definition:
    """What a request asks for; ``id``: of the schedule, '' when one is to be made.  Raises ``InvalidInput``."""
    given = {name: getattr(data, name) for name in TEMPLATE}
    # The message of each moment is accepted as any other, but for its moment.
    template = new_message(MessageIn.model_construct(**given), "", now_ms, settings)
    refuse_elsewhere(id, template.flow, settings)
    return _checked(Definition(template=template._replace(due_at=0)), data, now_ms)


def change_of(data: SchedulePatch, now_ms: int, settings: Settings) -> Callable[[Definition], Definition]:
    """What a PATCH makes of what a schedule asks for.  Raises ``InvalidInput``, also when it asks for nothing."""
    if not data.model_fields_set:
        raise InvalidInput.of("", f"nothing to change; accepted: {', '.join(SchedulePatch.model_fields)}")

    def change(old: Definition) -> Definition:
        return _checked(replace(old, template=_changed(old.template, data, settings)), data, now_ms)

    return change


def _changed(template: NewMessage, data: SchedulePatch, settings: Settings) -> NewMessage:
    kind = kind_changed(data)
    if kind is not None and kind.name != template.channel:
        raise InvalidInput.of(kind.name, "can only be changed of a schedule whose messages have one")
    if "message" in data.model_fields_set:
        template = template._replace(payload=to_json(data.message).decode())
        CHANNELS[template.channel].check_payload(template.payload, "message")
    if kind is not None:
        address = kind.address(getattr(data, kind.name), template.payload, settings)
        template = template._replace(target=address.target)
    if data.priority is not None:
        template = template._replace(priority=Priority(data.priority))
    if data.retry is not None:
        template = template._replace(retry=data.retry.policy(settings.retry.policy()))
    return template


def _checked(old: Definition, data: SchedulePut | SchedulePatch, now_ms: int) -> Definition:
    """``old`` with what is given.  Cron and every replace each other; null takes a bound or the jitter away."""
    zone = parse_timezone(data.timezone)
    rule_given = data.cron is not None or data.every is not None
    zone_name = zone.key if zone is not None else None
    every: object = old.every_ms / 1000 if old.every_ms is not None else None
    rule = partial(
        Recurrence.of,
        now_ms=now_ms,
        cron=data.cron if rule_given else old.cron,
        every=data.every if rule_given else every,
        # A CRON_TZ= of the new expression replaces the zone that the schedule had.
        timezone=zone_name or (None if rule_given and "TZ=" in (data.cron or "") else old.timezone),
    )
    zone_of_plan = rule().timezone
    start = _bound("start", old.start, data, zone_of_plan)
    end = _bound("end", old.end, data, zone_of_plan)
    max_runs = data.max_runs if "max_runs" in data.model_fields_set else old.max_runs
    # Without a start, whether the end lies before the first run depends on when the schedule began: changing.py checks.
    plan = rule(start_ms=start, end_ms=None if start is None else end, max_runs=max_runs)
    jitter_ms = old.jitter_ms if "jitter" not in data.model_fields_set else _length("jitter", data.jitter or 0)
    check_jitter(plan, jitter_ms)
    return replace(
        old,
        cron=plan.cron,
        every_ms=plan.every_ms,
        timezone=plan.timezone,
        start=start,
        end=end,
        max_runs=max_runs,
        jitter_ms=jitter_ms,
        catch_up=_catch_up(old.catch_up, data.catch_up),
        overlap=data.overlap or old.overlap,
        labels=old.labels if data.labels is None else tuple(dict.fromkeys(data.labels)),
    )


def _bound(field: str, old: int | None, data: SchedulePut | SchedulePatch, timezone: object) -> int | None:
    if field not in data.model_fields_set:
        return old
    value = getattr(data, field)
    return None if value is None else _moment(field, value, timezone)


def _catch_up(old: CatchUp, data: CatchUpIn | None) -> CatchUp:
    if data is None:
        return old
    return CatchUp(
        policy=data.policy or old.policy,
        window_ms=old.window_ms if data.window is None else _length("catch_up.window", data.window),
        limit=data.limit or old.limit,
    )


def _length(field: str, value: object) -> int:
    try:
        return parse_delay(value)
    except InvalidInput as error:
        raise InvalidInput([FieldError(field, fault.message) for fault in error.errors]) from None


def _moment(field: str, value: object, timezone: object) -> int:
    zone = parse_timezone(timezone)
    try:
        return parse_time(value, zone)
    except InvalidInput as error:
        raise InvalidInput([FieldError(field, fault.message) for fault in error.errors]) from None


def span(first: object, last: object, timezone: object) -> tuple[int, int]:
    """The ends of a backfill (ms).  Raises ``InvalidInput``."""
    return _moment("from", first, timezone), _moment("to", last, timezone)


def format_length(length_ms: int) -> str:
    """Return a length as ``delay`` takes it: ``1h30m``."""
    parts = []
    for unit, size in _UNITS:
        n, length_ms = divmod(length_ms, size)
        if n:
            parts.append(f"{n}{unit}")
    return "".join(parts) or "0s"


def schedule_answer(schedule: Schedule, settings: Settings, now_ms: int) -> dict[str, Any]:
    """Return a schedule as a list shows it, for ``orjson.dumps``.  Secrets are masked."""
    d, n = schedule.definition, schedule.counters
    catch_up = {"policy": d.catch_up.policy, "window": format_length(d.catch_up.window_ms), "limit": d.catch_up.limit}
    made_of = d.template
    answer: dict[str, Any] = {
        "id": schedule.id,
        "status": schedule.state,
        "cron": d.cron,
        "every": None if d.every_ms is None else format_length(d.every_ms),
        "timezone": d.timezone,
        "start": None if d.start is None else format_ms(d.start),
        "end": None if d.end is None else format_ms(d.end),
        "max_runs": d.max_runs,
        "jitter": format_length(d.jitter_ms) if d.jitter_ms else None,
        "catch_up": catch_up,
        "overlap": d.overlap,
        "labels": list(d.labels),
        "channel": made_of.channel,
        "message": orjson.Fragment(made_of.payload),
        "priority": made_of.priority,
        "max_attempts": made_of.retry.max_attempts if made_of.retry is not None else settings.retry.max_attempts,
        **_of_channel(made_of, now_ms),
        "note": schedule.note,
        "overdue": schedule.act_at is not None and schedule.act_at + GRACE_MS < now_ms,
        "next_run": None if schedule.next_run is None else schedule.plan.shown(schedule.next_run)._asdict(),
        "running": schedule.running,
        "buffered": schedule.buffered,
        "counters": {
            **{name: n[name] for name in ("made", "delivered", "dead", "cancelled")},
            "caught_up": n["caught"],
            "skipped": {reason: n[reason] for reason in _SKIPPED},
        },
        "created_at": format_ms(schedule.created_at),
        "updated_at": format_ms(schedule.revision),
        "last_runs": [_last_run(run) for run in schedule.last_runs],
    }
    return answer


def schedule_detail(schedule: Schedule, settings: Settings) -> dict[str, Any]:
    """Return a schedule with its next five runs."""
    # Of a paused schedule: the runs that it would have if it were resumed now.
    after = schedule.redis_ms if schedule.next_run is None else schedule.next_run - 1
    runs = schedule.plan.preview(after, NEXT_RUNS) if schedule.plan.is_computable else []
    answer = schedule_answer(schedule, settings, schedule.redis_ms)
    return {**answer, "next_runs": [run._asdict() for run in runs]}


def _of_channel(template: NewMessage, now_ms: int) -> dict[str, Any]:
    if (kind := CHANNELS.get(template.channel)) is None:
        return {}
    message = Message(
        id="",
        status=Status.SCHEDULED,
        channel=template.channel,
        payload=template.payload,
        due_at=now_ms,
        priority=template.priority,
        attempt=0,
        created_at=now_ms,
        updated_at=now_ms,
        target=template.target,
        type=template.type,
    )
    return {name: value for name, value in kind.shown(message).items() if name != "result"}


def _last_run(run: LastRun) -> dict[str, Any]:
    skipped = run.outcome in _SKIPPED
    return {
        "scheduled_for": None if run.moment is None else format_ms(run.moment),
        "outcome": "skipped" if skipped else run.outcome,
        "reason": run.outcome if skipped else None,
        "origin": run.origin,
        "message_id": run.message_id,
        "ended_at": format_ms(run.ended_at),
        "count": run.moments,
    }


def backfill_answer(done: Backfilled, *, dry_run: bool) -> dict[str, Any]:
    """Return what a backfill made, or would make."""
    found = done.moments
    return {
        "runs": len(found),
        "would_make" if dry_run else "made": done.made,
        "existing": len(found) - done.made,
        "more": done.more,
        "first": format_ms(found[0]) if found else None,
        "last": format_ms(found[-1]) if found else None,
    }
