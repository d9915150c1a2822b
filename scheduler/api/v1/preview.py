"""``/v1/preview``: when a message would be due, without storing one."""

from __future__ import annotations

from flask import Blueprint, Response

from scheduler.api.http.openapi import operation
from scheduler.api.http.respond import answer
from scheduler.api.http.services import services
from scheduler.api.http.threads import json_body
from scheduler.api.http.validate import validate
from scheduler.api.v1.answers import PreviewOut
from scheduler.api.v1.convert import due_at
from scheduler.api.v1.models import PreviewIn
from scheduler.message import moment_of
from scheduler.when import format_local, format_ms, parse_timezone

blueprint = Blueprint("preview", __name__, url_prefix="/v1")


@blueprint.post("/preview")
@operation(
    "Say when a message would be due",
    tag="control",
    name="control_preview",
    request=PreviewIn,
    answer=PreviewOut,
    errors=(400,),
)
def preview() -> Response:
    """Takes what POST /v1/messages takes, and stores nothing."""
    here = services()
    data = validate(PreviewIn, json_body())
    now_ms = here.now_ms()
    asked = due_at(data.time, data.delay, data.timezone, now_ms, here.settings)
    moment = moment_of(asked, now_ms)
    zone = parse_timezone(data.timezone)
    return answer(
        {
            "due_at": format_ms(moment),
            "due_at_ms": moment,
            "local": format_local(moment, zone),
            "timezone": zone.key if zone is not None else "UTC",
        }
    )
