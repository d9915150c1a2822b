"""``/echoAtTime``: a line on the server's console at a moment.

Wire format kept from the systems before this one.  One of them was JavaScript: its clients send dates month first.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from flask import Blueprint, Response, request

from scheduler.api.http import deletion_log, idempotency
from scheduler.api.http.accept import accept, new_ids
from scheduler.api.http.body import is_form, read_form, read_json, to_json
from scheduler.api.http.openapi import operation
from scheduler.api.http.respond import answer, text
from scheduler.api.http.services import services
from scheduler.api.http.validate import validate
from scheduler.api.v1.answers import DoneOut, EchoOut
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
"""By ``Api.EchoAnswers``: the form for clients that accept both, or do not say, comes first."""


class _Refused(InvalidInput):
    """Input that the plain text answers have words of their own for."""

    def __init__(self, words: str, error: InvalidInput) -> None:
        super().__init__(error.errors)
        self.words = words

    def __str__(self) -> str:
        return f"{self.words}: {super().__str__()}"


def _wants_text() -> bool:
    forms = _FORMS[services().settings.api.echo_answers]
    accept = request.headers.get("Accept")
    if accept is None or accept in ("*/*", forms[0]):  # to parse the header takes as long as to parse the body
        return forms[0] == "text/plain"
    return request.accept_mimetypes.best_match(forms, forms[0]) == "text/plain"


def _read() -> tuple[EchoIn, Any]:
    body = read_form(request) if is_form(request) else read_json(request, "json or nothing")
    data = validate(EchoIn, body)
    for name, value in (("time", data.time), ("message", data.message)):
        # An empty message cannot be told from a forgotten one on a console; False and 0 can.
        if value is None or value == "":
            raise _Refused(MISSING, InvalidInput.of(name, "is required, and must not be empty or null"))
    return data, body


def _moment(data: EchoIn) -> int:
    """The moment, past or not: what has become due can still be cancelled."""
    try:
        return parse_when(data.time, None, data.timezone, services().now_ms(), american=True)
    except InvalidInput as error:
        raise _Refused(INVALID_TIME, error) from None


def _coming(moment: int) -> int:
    here = services()
    try:
        refuse_past(moment, here.now_ms(), here.settings)
    except InvalidInput as error:
        raise _Refused(PAST, error) from None
    return moment


@blueprint.errorhandler(InvalidInput)
def _refuse(error: InvalidInput) -> Response:
    if _wants_text():
        return text(error.words if isinstance(error, _Refused) else str(error), HTTPStatus.BAD_REQUEST)
    return answer({"status": "error", "message": str(error)}, HTTPStatus.BAD_REQUEST)


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
    data, body = _read()
    moment = _coming(_moment(data))
    once = idempotency.of_request(request, body)
    message = NewMessage(id=new_ids(1, once)[0], payload=to_json(data.message).decode(), due_at=moment)
    stored = accept(message, once)
    if _wants_text():
        return text(SCHEDULED)
    return answer(
        {
            "status": "success",
            "message": "message scheduled",
            "id": stored.id,
            "due_at": format_ms(stored.due_at),
        }
    )


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
    data, _ = _read()
    payload = to_json(data.message).decode()
    cancelled = services().store.cancel_matching(_moment(data), payload)
    if not cancelled:
        return _done("error", NOT_FOUND, HTTPStatus.NOT_FOUND)
    if len(cancelled) > 1:
        deletion_log.record(f"cancelled {len(cancelled)} equal messages")
    shown = data.message if isinstance(data.message, str) else payload
    return _done("success", f"Message '{shown}' at time {data.time} deleted.", HTTPStatus.OK)


def _done(status: str, words: str, code: HTTPStatus) -> Response:
    if _wants_text():
        return text(words, code)
    return answer({"status": status, "message": words}, code)
