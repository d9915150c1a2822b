"""``/echoAtTime``: a line on the server's console at a moment.

Wire format kept from the systems before this one.  One of them was JavaScript: its clients send dates month first.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from flask import Blueprint, Response
from werkzeug.datastructures import MIMEAccept
from werkzeug.http import parse_accept_header

from scheduler.api.http import deletion_log, idempotency
from scheduler.api.http.accept import accept, new_ids
from scheduler.api.http.body import is_form, read_form, read_json, to_json
from scheduler.api.http.exchange import Answer, Exchange, Route, json_answer, text_answer
from scheduler.api.http.openapi import operation
from scheduler.api.http.threads import answered, current, respond
from scheduler.api.http.validate import validate
from scheduler.api.kept.answers import DoneOut, EchoOut
from scheduler.api.v1.convert import refuse_past
from scheduler.api.v1.models import EchoForm, EchoIn
from scheduler.errors import InvalidInput
from scheduler.message import NewMessage
from scheduler.when import format_ms, parse_when

SCHEDULED = "Message scheduled successfully"
MISSING = "Missing time or message"
INVALID_TIME = "Invalid time format"
PAST = "Time is in the past"
NOT_FOUND = "Message not found or already processed"

blueprint = Blueprint("echo", __name__)

_FORMS = {"json": ("application/json", "text/plain"), "text": ("text/plain", "application/json")}
"""By ``Api.EchoAnswers``: the first form is for clients that accept both, or do not say."""


class _Refused(InvalidInput):
    """Invalid input that a plain text answer names in words of its own."""

    def __init__(self, words: str, error: InvalidInput) -> None:
        super().__init__(error.errors)
        self.words = words

    def __str__(self) -> str:
        return f"{self.words}: {super().__str__()}"


def _wants_text(x: Exchange) -> bool:
    forms = _FORMS[x.here.settings.api.echo_answers]
    accept = x.headers.get("accept", "*/*")
    if accept in ("*/*", forms[0]):  # parsing the header takes as long as parsing the body
        return forms[0] == "text/plain"
    return parse_accept_header(accept, MIMEAccept).best_match(forms, forms[0]) == "text/plain"


async def _read(x: Exchange) -> tuple[EchoIn, Any]:
    body = await read_form(x) if is_form(x) else await read_json(x, "json or nothing")
    data = validate(EchoIn, body)
    for name, value in (("time", data.time), ("message", data.message)):
        # On a console an empty message looks like one that was left out; False and 0 do not.
        if value is None or value == "":
            raise _Refused(MISSING, InvalidInput.of(name, "is required, and must not be empty or null"))
    return data, body


def _moment(x: Exchange, data: EchoIn) -> int:
    """Return the moment, past or not: a message that has become due can still be cancelled."""
    try:
        return parse_when(data.time, None, data.timezone, x.here.now_ms(), american=True)
    except InvalidInput as error:
        raise _Refused(INVALID_TIME, error) from None


def _coming(x: Exchange, moment: int) -> int:
    try:
        refuse_past(moment, x.here.now_ms(), x.here.settings)
    except InvalidInput as error:
        raise _Refused(PAST, error) from None
    return moment


def invalid(x: Exchange, error: InvalidInput) -> Answer:
    """Return the answer to invalid input."""
    if _wants_text(x):
        return text_answer(error.words if isinstance(error, _Refused) else str(error), HTTPStatus.BAD_REQUEST)
    return json_answer({"status": "error", "message": str(error)}, HTTPStatus.BAD_REQUEST)


@blueprint.errorhandler(InvalidInput)
def _refuse(error: InvalidInput) -> Response:
    return respond(invalid(current(), error))


@blueprint.post("/echoAtTime")
@operation(
    "Print a message on the server's console at a moment",
    tag="echo",
    request=EchoIn,
    form=EchoForm,
    answer=EchoOut,
    plain_text=True,
    errors=(400, 409),
    idempotent=True,
)
def schedule() -> Response:
    """Store an echo message due at ``time``."""
    return answered(accept_echo)


async def accept_echo(x: Exchange) -> Answer:
    """Store an echo message."""
    data, body = await _read(x)
    moment = _coming(x, _moment(x, data))
    once = idempotency.of_request(x, body)
    message = NewMessage(id=new_ids(x, 1, once)[0], payload=to_json(data.message).decode(), due_at=moment)
    stored = await accept(x, message, once)
    if _wants_text(x):
        return text_answer(SCHEDULED)
    return json_answer(
        {
            "status": "success",
            "message": "message scheduled",
            "id": stored.id,
            "due_at": format_ms(stored.due_at),
        }
    )


ACCEPTING = {"/echoAtTime": Route(accept_echo, invalid)}
"""The routes of POST that accept messages, by path."""


@blueprint.delete("/echoAtTime")
@operation(
    "Cancel echo messages by their moment and text",
    tag="echo",
    request=EchoIn,
    form=EchoForm,
    answer=DoneOut,
    plain_text=True,
    errors=(400, 404),
)
def cancel() -> Response:
    """Cancel what is scheduled at exactly this moment with exactly this message."""
    return answered(_cancel)


async def _cancel(x: Exchange) -> Answer:
    data, _ = await _read(x)
    payload = to_json(data.message).decode()
    cancelled = x.here.store.cancel_matching(_moment(x, data), payload)
    if not cancelled:
        return _done(x, "error", NOT_FOUND, HTTPStatus.NOT_FOUND)
    if len(cancelled) > 1:
        deletion_log.record(f"cancelled {len(cancelled)} equal messages")
    shown = data.message if isinstance(data.message, str) else payload
    return _done(x, "success", f"Message '{shown}' at time {data.time} deleted.", HTTPStatus.OK)


def _done(x: Exchange, status: str, words: str, code: HTTPStatus) -> Answer:
    if _wants_text(x):
        return text_answer(words, code)
    return json_answer({"status": status, "message": words}, code)
