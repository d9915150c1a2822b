"""``/v1/dead-letters``: bulk redrive."""

from __future__ import annotations

from flask import Blueprint, Response

from scheduler.api.http.openapi import operation
from scheduler.api.http.respond import answer
from scheduler.api.http.services import services
from scheduler.api.http.threads import brings_body, json_body
from scheduler.api.http.validate import check_channel, validate
from scheduler.api.v1.answers import RedrivenOut
from scheduler.api.v1.models import RedriveIn

DEFAULT_LIMIT = 1000

blueprint = Blueprint("dead_letters", __name__, url_prefix="/v1/dead-letters")


@blueprint.post("/redrive")
@operation(
    "Schedule many dead letters again",
    tag="dead letters",
    request=RedriveIn,
    body_optional=True,
    answer=RedrivenOut,
    errors=(400,),
)
def redrive() -> Response:
    """Redrive the oldest dead letters."""
    data = validate(RedriveIn, json_body()) if brings_body() else RedriveIn()
    check_channel(data.channel)
    dry_run = data.dry_run or False
    count = services().store.redrive_many(limit=data.limit or DEFAULT_LIMIT, channel=data.channel, dry_run=dry_run)
    return answer({"would_redrive" if dry_run else "redriven": count})
