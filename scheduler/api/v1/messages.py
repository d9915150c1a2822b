"""``/v1/messages``: accept, read, list, change, cancel."""

from __future__ import annotations

import re
from dataclasses import replace
from http import HTTPStatus

from flask import Blueprint, Response, request

from scheduler.api.http import idempotency
from scheduler.api.http.accept import accept, accept_all, stored_message, with_ids
from scheduler.api.http.body import read_json
from scheduler.api.http.exchange import Answer, Exchange, Route, json_answer
from scheduler.api.http.idempotency import Idempotency
from scheduler.api.http.openapi import operation
from scheduler.api.http.respond import answer
from scheduler.api.http.services import services
from scheduler.api.http.threads import answered, json_body
from scheduler.api.http.validate import check_channel, validate, validate_query
from scheduler.api.v1 import again
from scheduler.api.v1.answers import BatchOut, MessageDetail, MessageOut, PageOut
from scheduler.api.v1.convert import (
    changes,
    finished_answer,
    kind_changed,
    message_answer,
    new_message,
    new_messages,
)
from scheduler.api.v1.models import BatchIn, ListQuery, MessageIn, MessagePatch
from scheduler.channels.base import ChannelKind
from scheduler.channels.registry import CHANNELS
from scheduler.errors import FieldError, InvalidInput, NotFound
from scheduler.message import ID_PATTERN, NOW, Message, Status
from scheduler.store import Changes
from scheduler.when import format_ms

blueprint = Blueprint("messages", __name__, url_prefix="/v1/messages")

_ID = re.compile(ID_PATTERN)


@blueprint.post("")
@operation(
    "Schedule a message",
    tag="messages",
    request=MessageIn,
    answer=MessageOut,
    status=201,
    errors=(400, 409),
    idempotent=True,
    links=("messages_read", "messages_change", "messages_run", "messages_cancel", "messages_redrive"),
)
def create() -> Response:
    """Store one message."""
    return answered(accept_message)


async def accept_message(x: Exchange) -> Answer:
    """Store one message."""
    here = x.here
    body = await read_json(x)
    data = validate(MessageIn, body)
    once = idempotency.of_request(x, body)
    idempotency.refuse_own_id(once, data.id, "id")
    (message,) = with_ids(x, [new_message(data, data.id or "", here.now_ms(), here.settings)], once)
    stored = await accept(x, message, once, own_id=data.id is not None)
    return json_answer(
        message_answer(await stored_message(x, message, stored), here.settings),
        HTTPStatus.CREATED,
        {"Location": here.address(f"/v1/messages/{stored.id}")},
    )


@blueprint.post("/batch")
@operation(
    "Schedule up to 1,000 messages, all or none",
    tag="messages",
    request=BatchIn,
    answer=BatchOut,
    status=201,
    errors=(400, 409),
    idempotent=True,
)
def create_batch() -> Response:
    """Store many messages."""
    return answered(accept_batch)


async def accept_batch(x: Exchange) -> Answer:
    """Store many messages, all or none."""
    here = x.here
    body = await read_json(x)
    batch = validate(BatchIn, body)
    once = idempotency.of_request(x, body)
    _check_own_ids(batch, once)
    messages = with_ids(x, new_messages(batch, here.now_ms(), here.settings), once)
    stored = await accept_all(x, messages, once)
    accepted = [{"id": one.id, "due_at": format_ms(one.due_at)} for one in stored]
    return json_answer({"accepted": len(accepted), "messages": accepted}, HTTPStatus.CREATED)


ACCEPTING = {"/v1/messages": Route(accept_message), "/v1/messages/batch": Route(accept_batch)}
"""The routes of POST that accept messages, by path."""


def _check_own_ids(batch: BatchIn, once: Idempotency) -> None:
    faults: list[FieldError] = []
    first: dict[str, int] = {}
    for index, data in enumerate(batch.messages):
        if data.id is None:
            continue
        field = f"messages.{index}.id"
        idempotency.refuse_own_id(once, data.id, field)
        if first.setdefault(data.id, index) != index:
            faults.append(FieldError(field, f"is the id of messages.{first[data.id]} too"))
    if faults:
        raise InvalidInput(faults)


@blueprint.get("")
@operation("List messages", tag="messages", query=ListQuery, answer=PageOut, errors=(400,))
def list_messages() -> Response:
    """A page of messages, ordered by due_at (what is scheduled) or newest first (the rest)."""
    here = services()
    query = validate_query(ListQuery, request.args)
    check_channel(query.channel)
    page = here.store.page(
        status=Status(query.status) if query.status is not None else None,
        channel=query.channel,
        priority=query.priority_or_none(),
        type=query.type,
        schedule=query.schedule,
        flow_key=query.flow_key,
        since=query.since,
        until=query.until,
        limit=query.limit,
        cursor=query.cursor,
    )
    shown = [message_answer(message, here.settings) for message in page.messages]
    return answer({"messages": shown, "next_cursor": page.next_cursor})


def checked_id(id: str) -> str:
    """Return ``id``.  Raises ``NotFound`` without asking Redis when no message can have it."""
    if _ID.fullmatch(id) is None:
        raise NotFound("no message has this id")
    return id


def shown(message: Message) -> Response:
    """Return a message as an answer."""
    return answer(message_answer(message, services().settings))


@blueprint.get("/<id>")
@operation("Read a message with its attempts", tag="messages", answer=MessageDetail, errors=(404,))
def read(id: str) -> Response:
    """One message."""
    here = services()
    try:
        message = here.store.get(checked_id(id))
    except NotFound:
        row = here.history.one(id) if here.history is not None else None
        if row is None:
            raise
        return answer(finished_answer(row, here.settings, attempts=True))
    message.attempts = message.attempts or []
    return shown(message)


@blueprint.patch("/<id>")
@operation(
    "Change a scheduled message", tag="messages", request=MessagePatch, answer=MessageOut, errors=(400, 404, 409)
)
def change(id: str) -> Response:
    """Change what a message is, or when."""
    here = services()
    data = validate(MessagePatch, json_body())
    wanted = changes(data, here.now_ms(), here.settings)
    kind = kind_changed(data)
    if kind is not None or wanted.payload is not None:
        wanted = _fitting(here.store.get(checked_id(id)), kind, wanted)
    return _without_attempts(here.store.update(checked_id(id), wanted))


def _fitting(stored: Message, kind: ChannelKind | None, wanted: Changes) -> Changes:
    """Return the changes for this message.  Raises ``InvalidInput`` for what its channel does not take."""
    if wanted.payload is not None and stored.channel in CHANNELS:
        CHANNELS[stored.channel].check_payload(wanted.payload, "message")
    if kind is None or wanted.target is None:
        return wanted
    if stored.channel != kind.name:
        raise InvalidInput.of(kind.name, "can only be changed of a message that has one")
    return replace(wanted, target=kind.replace(stored, wanted.target))


@blueprint.delete("/<id>")
@operation("Cancel a scheduled message", tag="messages", answer=MessageOut, errors=(404, 409))
def cancel(id: str) -> Response:
    """Cancel a message."""
    return _without_attempts(services().store.cancel(checked_id(id)))


@blueprint.post("/<id>/run")
@operation("Make a scheduled message due now", tag="messages", answer=MessageOut, errors=(404, 409))
def run(id: str) -> Response:
    """Deliver a message now."""
    return _without_attempts(services().store.update(checked_id(id), Changes(due_at=NOW)))


@blueprint.post("/<id>/redrive")
@operation("Schedule a dead letter again", tag="dead letters", answer=MessageOut, errors=(404, 409))
def redrive(id: str) -> Response:
    """Give a dead letter a new life, its attempts reset.  One that only the history has is repeated by a new message,
    which names it in redriven_from.
    """
    return answered(lambda x: _redrive(x, checked_id(id)))


async def _redrive(x: Exchange, id: str) -> Answer:
    return json_answer(message_answer(await again.redrive(x, id), x.here.settings))


def _without_attempts(message: Message) -> Response:
    message.attempts = None
    return shown(message)
