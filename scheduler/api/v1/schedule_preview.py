"""``GET /v1/schedules/preview``: the next runs of a plan, without storing one."""

from __future__ import annotations

import contextlib
from typing import Annotated
from zoneinfo import ZoneInfo

from flask import Blueprint, Response, request
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationInfo, field_validator

from scheduler.api.http.openapi import operation
from scheduler.api.http.respond import answer
from scheduler.api.http.services import services
from scheduler.api.http.validate import validate_query
from scheduler.api.v1.answers import Moment
from scheduler.api.v1.models import Bound, EndBound, Zone, whole_number
from scheduler.errors import InvalidInput
from scheduler.recurrence import MOST_RUNS, Recurrence
from scheduler.recurrence.fields import split_zone
from scheduler.when import parse_timezone

MAX_PREVIEW = 1000

blueprint = Blueprint("schedule_preview", __name__, url_prefix="/v1/schedules")


class SchedulePreviewQuery(BaseModel):
    """A plan, and which of its runs are asked for."""

    model_config = ConfigDict(extra="forbid")

    cron: str | None = Field(
        default=None,
        description="Five fields, or six with the second first; @hourly to @yearly; CRON_TZ=… in front.",
        json_schema_extra={"example": "0 9 * * MON-FRI"},
    )
    every: str | None = Field(
        default=None,
        description="The length of an interval, in the forms of delay; at least 1 second.",
    )
    # Before the moments, which are read by it.
    timezone: Zone = Field(
        default=None,
        validate_default=True,
        description="IANA name: the zone of the plan, and of a moment without an offset.",
    )

    @field_validator("timezone")
    @classmethod
    def _zone_of_cron(cls, zone: ZoneInfo | None, info: ValidationInfo) -> ZoneInfo | None:
        """A ``CRON_TZ=`` is the zone of the moments too.  What is wrong with it is told of ``cron``, by the plan."""
        cron = info.data.get("cron")
        with contextlib.suppress(InvalidInput):
            return zone or (parse_timezone(split_zone(cron)[0]) if cron else None)
        return None

    from_: Bound | None = Field(
        default=None, alias="from", description="Every run lies strictly after this moment. Default: now."
    )
    count: Annotated[int, Field(ge=1, le=MAX_PREVIEW), BeforeValidator(whole_number)] = 5
    start: EndBound | None = Field(
        default=None,
        description="The first moment that the plan may have. Default: from; an interval begins one later.",
    )
    end: EndBound | None = Field(default=None, description="The last moment that the plan may have.")
    max_runs: Annotated[int, Field(ge=1, le=MOST_RUNS), BeforeValidator(whole_number)] | None = Field(
        default=None, description="How many runs the plan has, counted from its start."
    )


class RunOut(BaseModel):
    """A run that the plan has."""

    model_config = ConfigDict(extra="forbid")

    at: Moment
    at_ms: int
    local: str = Field(description="ISO 8601 in the zone of the plan, with its offset.")


class SchedulePreviewOut(BaseModel):
    """The next runs, in order.  Fewer than were asked for when the plan ends."""

    model_config = ConfigDict(extra="forbid")

    runs: list[RunOut]


@blueprint.get("/preview")
@operation(
    "Say when a schedule would run",
    tag="schedules",
    name="schedules_preview",
    query=SchedulePreviewQuery,
    answer=SchedulePreviewOut,
    errors=(400,),
)
def preview() -> Response:
    """Takes cron or every, and stores nothing."""
    query = validate_query(SchedulePreviewQuery, request.args)
    after = services().now_ms() if query.from_ is None else query.from_
    plan = Recurrence.of(
        now_ms=after,
        cron=query.cron,
        every=query.every,
        timezone=None if query.timezone is None else query.timezone.key,
        start_ms=query.start,
        end_ms=query.end,
        max_runs=query.max_runs,
    )
    return answer({"runs": [run._asdict() for run in plan.preview(after, query.count)]})
