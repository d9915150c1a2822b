"""``/v1/test/clock``: move the clock of the whole service forward, where ``Test.Clock`` allows it."""

from __future__ import annotations

from flask import Blueprint, Response

from scheduler.api.http.openapi import operation
from scheduler.api.http.respond import answer
from scheduler.api.http.services import services
from scheduler.api.http.threads import brings_body, json_body
from scheduler.api.http.validate import validate
from scheduler.api.v1.answers import ClockOut
from scheduler.api.v1.models import PreviewIn
from scheduler.when import format_ms, parse_when

blueprint = Blueprint("clock", __name__, url_prefix="/v1/test")
"""Only registered with ``Test.Clock``: without it there is no such route."""


@blueprint.post("/clock")
@operation(
    "Move the service's clock forward",
    tag="control",
    name="test_clock_move",
    request=PreviewIn,
    body_optional=True,
    answer=ClockOut,
    errors=(400,),
)
def move() -> Response:
    """To a time, or by a delay; without either it only says what time it is.  What is due by then is delivered."""
    here = services()
    data = validate(PreviewIn, json_body() if brings_body() else {})
    moment = parse_when(data.time, data.delay, data.timezone, here.now_ms())
    now_ms = here.store.move_clock(moment) if data.time is not None or data.delay is not None else here.now_ms()
    return answer({"now": format_ms(now_ms), "now_ms": now_ms, "moved_ms": here.store.moved_ms()})
