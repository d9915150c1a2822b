"""``/v1/schedules``: create, read, list, change, delete; pause and resume; run now; make up for the past."""

from __future__ import annotations

import re
from http import HTTPStatus

from flask import Blueprint, Response, request

from scheduler.api.http import idempotency
from scheduler.api.http.idempotency import Idempotency
from scheduler.api.http.openapi import operation
from scheduler.api.http.respond import answer
from scheduler.api.http.services import services
from scheduler.api.http.threads import brings_body, current, json_body
from scheduler.api.http.validate import validate, validate_query
from scheduler.api.v1.answers import MessageOut
from scheduler.api.v1.convert import message_answer
from scheduler.api.v1.names import addressable_schedule
from scheduler.api.v1.schedule_answers import BackfillOut, ScheduleDetail, ScheduleOut, SchedulePageOut
from scheduler.api.v1.schedule_convert import (
    backfill_answer,
    change_of,
    definition,
    schedule_answer,
    schedule_detail,
    span,
)
from scheduler.api.v1.schedule_models import (
    DEFAULT_BACKFILL,
    BackfillIn,
    NoteIn,
    ScheduleIn,
    ScheduleListQuery,
    SchedulePatch,
    SchedulePut,
)
from scheduler.errors import InvalidInput, NotFound
from scheduler.schedule import SCHEDULE_ID_PATTERN, Schedule, State
from scheduler.schedules import changing
from scheduler.store.scheduling import Once

blueprint = Blueprint("schedules", __name__, url_prefix="/v1/schedules")

_ID = re.compile(SCHEDULE_ID_PATTERN)
_ONE = ("schedule", "id")
"""The parameter of the paths, and the field of an answer that it is."""
_LINKS = tuple(f"schedules_{name}" for name in ("read", "change", "pause", "resume", "run", "delete"))


@blueprint.post("")
@operation(
    "Create a schedule",
    tag="schedules",
    request=ScheduleIn,
    answer=ScheduleDetail,
    status=201,
    errors=(400, 409),
    idempotent=True,
    links=_LINKS,
    link=_ONE,
)
def create() -> Response:
    """Make a message for each moment from now on."""
    here = services()
    body = json_body()
    data = validate(ScheduleIn, body)
    once = idempotency.of_request(current(), body)
    idempotency.refuse_own_id(once, data.id, "id")
    now_ms = here.now_ms()
    asked = definition(data, data.id or "", now_ms, here.settings)
    made = changing.create(here.store, data.id, asked, paused=bool(data.paused), now_ms=now_ms, once=_once(once))
    return _created(made)


@blueprint.put("/<schedule>")
@operation(
    "Create or replace a schedule",
    tag="schedules",
    request=SchedulePut,
    answer=ScheduleDetail,
    errors=(400, 409),
)
def put(schedule: str) -> Response:
    """Make it so.  What changes nothing changes nothing, the next run included.  Without paused, it stays as it is."""
    here = services()
    _refuse_impossible(schedule)
    data = validate(SchedulePut, json_body())
    now_ms = here.now_ms()
    asked = definition(data, schedule, now_ms, here.settings)
    stored, _ = changing.put(here.store, schedule, asked, paused=data.paused, now_ms=now_ms)
    return _detail(stored)


def _refuse_impossible(id: str) -> None:
    if _ID.fullmatch(id) is None:
        raise InvalidInput.of("schedule", f"must match {SCHEDULE_ID_PATTERN}")
    try:
        addressable_schedule(id)
    except ValueError as error:
        raise InvalidInput.of("schedule", str(error)) from None


@blueprint.get("")
@operation("List schedules", tag="schedules", query=ScheduleListQuery, answer=SchedulePageOut, errors=(400,))
def list_schedules() -> Response:
    """A page of schedules: active ones soonest first, then those that are paused, then those that have ended."""
    here = services()
    query = validate_query(ScheduleListQuery, request.args)
    state = State(query.status) if query.status is not None else None
    page = here.store.schedules(state=state, label=query.label, limit=query.limit, cursor=query.cursor)
    now_ms = here.now_ms()
    shown = [schedule_answer(schedule, here.settings, now_ms) for schedule in page.schedules]
    return answer({"schedules": shown, "next_cursor": page.next_cursor})


@blueprint.get("/<schedule>")
@operation("Read a schedule with its next and last runs", tag="schedules", answer=ScheduleDetail, errors=(404,))
def read(schedule: str) -> Response:
    """One schedule."""
    return _detail(services().store.schedule_with(checked_id(schedule)))


@blueprint.patch("/<schedule>")
@operation("Change a schedule", tag="schedules", request=SchedulePatch, answer=ScheduleDetail, errors=(400, 404, 409))
def change(schedule: str) -> Response:
    """Change when, or what.  A change of the plan goes on with its first moment after now."""
    here = services()
    data = validate(SchedulePatch, json_body())
    now_ms = here.now_ms()
    wanted = change_of(data, now_ms, here.settings)
    return _detail(changing.patch(here.store, checked_id(schedule), wanted, paused=data.paused, now_ms=now_ms))


@blueprint.delete("/<schedule>")
@operation("Delete a schedule", tag="schedules", answer=ScheduleOut, errors=(404, 409))
def delete(schedule: str) -> Response:
    """Delete a schedule and its next message.  What is in flight ends, and nothing else of it begins."""
    here = services()
    gone = changing.delete(here.store, checked_id(schedule))
    return answer(schedule_answer(gone, here.settings, here.now_ms()))


@blueprint.post("/<schedule>/pause")
@operation(
    "Pause a schedule",
    tag="schedules",
    request=NoteIn,
    body_optional=True,
    answer=ScheduleDetail,
    errors=(400, 404, 409),
)
def pause(schedule: str) -> Response:
    """Make no more messages until it is resumed; the next one is taken back."""
    return _detail(changing.pause(services().store, checked_id(schedule), _note()))


@blueprint.post("/<schedule>/resume")
@operation(
    "Resume a schedule",
    tag="schedules",
    request=NoteIn,
    body_optional=True,
    answer=ScheduleDetail,
    errors=(400, 404, 409),
)
def resume(schedule: str) -> Response:
    """Go on with the first moment after now."""
    here = services()
    return _detail(changing.resume(here.store, checked_id(schedule), _note(), here.now_ms()))


@blueprint.post("/<schedule>/run")
@operation(
    "Run a schedule now, beside its plan",
    tag="schedules",
    answer=MessageOut,
    status=201,
    errors=(400, 404, 409),
    idempotent=True,
    links=("messages_read",),
)
def run(schedule: str) -> Response:
    """Make a message that is due now; the plan stays as it is."""
    here = services()
    once = idempotency.of_request(current(), None)
    stored = changing.run_now(here.store, checked_id(schedule), _once(once))
    message = here.store.get(stored.id)
    message.attempts = None
    headers = {"Location": here.address(f"/v1/messages/{stored.id}")}
    return answer(message_answer(message, here.settings), HTTPStatus.CREATED, headers)


@blueprint.post("/<schedule>/backfill")
@operation(
    "Make the messages of past moments",
    tag="schedules",
    request=BackfillIn,
    answer=BackfillOut,
    errors=(400, 404, 409),
)
def backfill(schedule: str) -> Response:
    """Make what has no message in a span of the past, behind what is on time.  Repeatable: no moment is made twice."""
    data = validate(BackfillIn, json_body())
    first, last = span(data.from_, data.to, data.timezone)
    dry_run = bool(data.dry_run)
    limit = data.limit or DEFAULT_BACKFILL
    done = changing.backfill(services().store, checked_id(schedule), first, last, limit, dry_run=dry_run)
    return answer(backfill_answer(done, dry_run=dry_run))


def checked_id(id: str) -> str:
    """``id`` when it can be the id of a schedule.  Raises ``NotFound`` without asking Redis when it cannot."""
    if _ID.fullmatch(id) is None:
        raise NotFound("no schedule has this id")
    return id


def _note() -> str | None:
    note = validate(NoteIn, json_body()).note if brings_body() else None
    return note or None


def _once(asked: Idempotency) -> Once:
    return Once(asked.key or "", asked.fingerprint)


def _detail(schedule: Schedule, status: int = HTTPStatus.OK) -> Response:
    return answer(schedule_detail(schedule, services().settings), status)


def _created(schedule: Schedule) -> Response:
    response = _detail(schedule, HTTPStatus.CREATED)
    response.headers["Location"] = services().address(f"/v1/schedules/{schedule.id}")
    return response
