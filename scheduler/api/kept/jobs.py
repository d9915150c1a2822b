"""``/api/jobs`` and ``/api/stats``: jobs, in the dialect of an earlier system.

A job is a message of the ``job`` channel; those that came through ``/v1/messages`` are listed here too, and the other
way round.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from http import HTTPStatus
from typing import Any

import orjson
from flask import Blueprint, Response, request

from scheduler.api.http import idempotency
from scheduler.api.http.accept import accept, new_ids, stored_message
from scheduler.api.http.body import read_json, to_json
from scheduler.api.http.exchange import Answer, Exchange, Route, json_answer
from scheduler.api.http.openapi import operation
from scheduler.api.http.respond import answer
from scheduler.api.http.services import Services, services
from scheduler.api.http.threads import answered, current, respond, run
from scheduler.api.http.validate import validate, validate_query
from scheduler.api.kept.job_models import JobDone, JobIn, JobOut, JobQuery, JobsOut, JobStatsOut
from scheduler.api.v1.again import redrive
from scheduler.api.v1.convert import due_at
from scheduler.api.v1.models import MAX_PAGE
from scheduler.channels.job.kind import address_of, check_payload
from scheduler.errors import Conflict, FieldError, InvalidInput, NotFound
from scheduler.message import ID_PATTERN, NOW, Due, Message, NewMessage, Priority, Status
from scheduler.retry import UNLIMITED
from scheduler.store import Changes
from scheduler.when import format_ms

INVALID_ID = "Invalid ID"
NOT_FOUND = "Job not found"
CANNOT_BOOST = "Job cannot be boosted (must be queued/delayed)"
CANNOT_CANCEL = "Job cannot be cancelled (must be queued/delayed)"
CANNOT_RETRY = "Job cannot be retried (must be failed)"

blueprint = Blueprint("jobs", __name__, url_prefix="/api")

_ID = re.compile(ID_PATTERN)
_MADE_ID = re.compile(r"[0-9A-Za-z]{16}|[0-9a-f]{24}|[0-9a-f]{32}")
"""Ids made by this service, by the earlier system, or for tasks of ``/schedule``."""
_PRIORITIES = {3: Priority.HIGH, 2: Priority.NORMAL, 1: Priority.LOW}
_NUMBERS = {priority: number for number, priority in _PRIORITIES.items()}
_STATUSES = {
    Status.PROCESSING: "active",
    Status.DELIVERED: "completed",
    Status.DEAD: "failed",
    Status.CANCELLED: "cancelled",
}
_BY_MOMENT = (Status.SCHEDULED, Status.PROCESSING)
"""Statuses whose lists are in the order of due_at or of the lock's expiry, not in that of creation."""


class _InvalidId(Exception):
    """The id in the path is malformed."""


def invalid(x: Exchange, error: InvalidInput) -> Answer:
    """Return the answer to invalid input."""
    where = "query" if x.method == "GET" else "body"
    faults = [{"loc": _place(where, fault), "msg": fault.message, "type": "value_error"} for fault in error.errors]
    return json_answer({"detail": faults}, HTTPStatus.UNPROCESSABLE_ENTITY)


@blueprint.errorhandler(InvalidInput)
def _invalid(error: InvalidInput) -> Response:
    return respond(invalid(current(), error))


def _place(where: str, fault: FieldError) -> list[str | int]:
    if fault.field == idempotency.HEADER:
        return ["header", fault.field]
    return [where, *(part for part in fault.field.split(".") if part)]


@blueprint.errorhandler(_InvalidId)
def _invalid_id(_: _InvalidId) -> Response:
    return answer({"detail": INVALID_ID}, HTTPStatus.BAD_REQUEST)


@blueprint.errorhandler(NotFound)
def _not_found(_: NotFound) -> Response:
    return answer({"detail": NOT_FOUND}, HTTPStatus.NOT_FOUND)


@blueprint.post("/jobs")
@operation(
    "Submit a job",
    tag="jobs",
    request=JobIn,
    answer=JobOut,
    status=201,
    errors=(409, 422, 429),
    idempotent=True,
    links=("jobs_read", "jobs_retry", "jobs_cancel", "jobs_boost"),
    link=("id", "_id"),
)
def create() -> Response:
    """Store a job for a registered handler."""
    return answered(accept_job)


async def accept_job(x: Exchange) -> Answer:
    """Store a job."""
    here = x.here
    body = await read_json(x, "json or nothing")
    data = validate(JobIn, body)
    once = idempotency.of_request(x, body)
    address, moment = address_of(data.type, "type"), _moment(here, data.scheduled_at)
    await x.limits.count_user(x, data.user_id)
    payload = to_json(data.payload).decode()
    check_payload(payload, "payload")
    message = NewMessage(
        id=new_ids(x, 1, once)[0],
        payload=payload,
        due_at=moment,
        channel="job",
        priority=_PRIORITIES[data.priority],
        type=address.type,
        lane=address.lane,
        owner=data.user_id,
        retry=here.settings.jobs.policy(here.settings.retry),
    )
    stored = await accept(x, message, once)
    return json_answer(
        _job_answer(here, await stored_message(x, message, stored)),
        HTTPStatus.CREATED,
        {"Location": here.address(f"/api/jobs/{stored.id}")},
    )


ACCEPTING = {"/api/jobs": Route(accept_job, invalid)}
"""The routes of POST that accept messages, by path."""


def _moment(here: Services, scheduled_at: Any) -> Due:
    try:
        return due_at(scheduled_at, None, None, here.now_ms(), here.settings)
    except InvalidInput as error:
        raise InvalidInput.of("scheduled_at", error.errors[0].message) from None


@blueprint.get("/jobs")
@operation("List jobs, newest first", tag="jobs", query=JobQuery, answer=JobsOut, errors=(422,))
def list_jobs() -> Response:
    """The newest jobs.  Looked at are the 500 that are due next, the 500 that run, and of each kind of finished job as
    many of the latest as are asked for: beyond that, /v1/messages has pages.
    """
    query = validate_query(JobQuery, request.args)
    found: dict[str, Message] = {}
    for status in Status:
        page = services().store.page(
            status=status,
            channel="job",
            type=query.type,
            owner=query.user_id,
            limit=MAX_PAGE if status in _BY_MOMENT else query.limit,
        )
        # A job whose status changes between two pages is found twice.
        found.update((message.id, message) for message in page.messages)
    newest = sorted(found.values(), key=lambda message: (message.created_at, message.id), reverse=True)
    here = services()
    return answer([_job_answer(here, message) for message in newest[: query.limit]])


@blueprint.get("/jobs/<id>")
@operation("Read a job", tag="jobs", answer=JobOut, errors=(400, 404))
def read(id: str) -> Response:
    """One job."""
    return answer(_job_answer(services(), _job(id)))


@blueprint.post("/jobs/<id>/retry")
@operation("Run a failed job again", tag="jobs", answer=JobDone, errors=(400, 404))
def retry(id: str) -> Response:
    """Back to the queue, its attempts reset.  One that only the history has is repeated by a new job."""
    return _change(id, lambda id: run(redrive(current(), id)), "Job retried", CANNOT_RETRY)


@blueprint.delete("/jobs/<id>")
@operation("Cancel a job", tag="jobs", answer=JobDone, errors=(400, 404))
def cancel(id: str) -> Response:
    """Only before it runs."""
    return _change(id, services().store.cancel, "Job cancelled", CANNOT_CANCEL)


@blueprint.post("/jobs/<id>/boost")
@operation("Run a job before all others", tag="jobs", answer=JobDone, errors=(400, 404))
def boost(id: str) -> Response:
    """To high priority, and due now."""
    first = Changes(due_at=NOW, priority=Priority.HIGH)
    return _change(id, lambda id: services().store.update(id, first), "Job boosted ⚡", CANNOT_BOOST)


def _change(id: str, verb: Callable[[str], Message], done: str, refused: str) -> Response:
    _job(id)
    try:
        verb(id)
    except (Conflict, NotFound):  # not found: it ended, and only the history has it
        return answer({"detail": refused}, HTTPStatus.BAD_REQUEST)
    return answer({"status": done})


@blueprint.get("/stats")
@operation("How many wait", tag="jobs", answer=JobStatsOut)
def stats() -> Response:
    """What is due, by priority; dead letters; what is due later.  Of all channels together."""
    counts = services().store.counts()
    return answer(
        {
            **{f"queue:immediate:{priority}": counts.due_of[priority] for priority in Priority},
            "queue:dead_letter": counts.dead,
            "delayed": sum(counts.scheduled.values()) - counts.due,
        }
    )


def _job(id: str) -> Message:
    """Return the job, from the history when Redis has it no more.  Raises ``_InvalidId``, ``NotFound``."""
    here = services()
    if _ID.fullmatch(id) is None:
        raise _InvalidId
    try:
        message = here.store.get(id)
    except NotFound:
        if here.history is not None and (row := here.history.one(id)) is not None:
            return _a_job(row.message())
        # Checked only when no job was found: a job of /v1 may have any id of its sender.
        if _MADE_ID.fullmatch(id) is None:
            raise _InvalidId from None
        raise
    return _a_job(message)


def _a_job(message: Message) -> Message:
    if message.channel != "job":
        raise NotFound(NOT_FOUND)
    return message


def _job_answer(here: Services, message: Message) -> dict[str, Any]:
    settings = here.settings
    attempts = message.retry.max_attempts if message.retry is not None else settings.retry.max_attempts
    return {
        "_id": message.id,
        "status": _status(here, message),
        "type": message.type or "",
        # As it was accepted, digit by digit.
        "payload": orjson.Fragment(message.payload),
        "result": orjson.Fragment(message.result) if message.result is not None else None,
        "error": message.last_error if message.status is not Status.DELIVERED else None,
        "priority": _NUMBERS[message.priority],
        "created_at": format_ms(message.created_at),
        "scheduled_at": format_ms(message.due_at) if message.due_at > message.created_at else None,
        "started_at": format_ms(message.started_at) if message.started_at is not None else None,
        "completed_at": format_ms(message.finished_at) if message.finished_at is not None else None,
        "retry_count": _retries(message),
        "max_retries": UNLIMITED if attempts == UNLIMITED else attempts - 1,
        "user_id": message.owner,
    }


def _status(here: Services, message: Message) -> str:
    if message.status is Status.SCHEDULED:
        # A job without scheduled_at is queued, even when this machine's clock is behind Redis's.
        now = max(here.now_ms(), message.created_at)
        return "delayed" if message.due_at > now else "queued"
    return _STATUSES[message.status]


def _retries(message: Message) -> int:
    """Return how many attempts were or will be made because another one failed."""
    made = message.attempt
    return made if message.status in (Status.SCHEDULED, Status.CANCELLED) else max(0, made - 1)
