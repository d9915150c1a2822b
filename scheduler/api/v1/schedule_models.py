"""The requests about schedules that are accepted; models.py has those about messages."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, create_model
from pydantic.config import JsonDict

from scheduler.api.v1.models import (
    MAX_PAGE,
    CursorText,
    End,
    Flag,
    MessageIn,
    MessagePatch,
    RequiredTime,
    Timezone,
    given,
    length,
    whole_number,
)
from scheduler.api.v1.names import OwnScheduleId
from scheduler.recurrence import MOST_RUNS
from scheduler.schedules.changing import MOST_BACKFILL

MAX_LABELS = 20
LONGEST_NOTE = 500
DEFAULT_BACKFILL = 1000


Label = Annotated[str, Field(pattern=r"^[A-Za-z0-9_.:/-]{1,64}$")]
Limit = Annotated[int, Field(strict=True, ge=1, le=1000)]
Note = Annotated[str, Field(max_length=LONGEST_NOTE, pattern=r"^[^\x00-\x1f\x7f]*$")]
MostRuns = Annotated[int, Field(strict=True, ge=1, le=MOST_RUNS)]


Every = Annotated[Any, length("The length of an interval, in the forms of delay; at least 1 second.", "1h30m", least=1)]
Jitter = Annotated[
    Any,
    length(
        "Each run is due later by up to this length, in the forms of delay; less than the time between runs.", "30s"
    ),
]
Window = Annotated[Any, length("How far back missed moments are made up for, in the forms of delay; default 1h.", "1h")]


class _Input(BaseModel):
    model_config = ConfigDict(extra="forbid")


class CatchUpIn(_Input):
    """What to make of moments that were missed, while no server ran or the whole service was paused."""

    policy: Literal["none", "latest", "all"] | None = Field(default=None, description="Default latest.")
    window: Window = None
    limit: Limit | None = Field(default=None, description="How many are made at most; only for all. Default 100.")


class _Plan(_Input):
    cron: Annotated[str, Field(max_length=200)] | None = Field(
        default=None,
        description="Five fields, or six with the second first; @hourly to @yearly; CRON_TZ=… in front.",
        json_schema_extra={"example": "0 9 * * MON-FRI"},
    )
    every: Every = None
    timezone: Timezone = None
    start: End = None
    end: End = None
    max_runs: MostRuns | None = Field(default=None, description="How many moments the plan has, from its start on.")
    jitter: Jitter = None
    catch_up: CatchUpIn | None = None
    overlap: Literal["skip", "buffer", "allow"] | None = Field(
        default=None, description="What becomes of a run while the one before has not ended. Default allow."
    )
    labels: Annotated[list[Label], Field(max_length=MAX_LABELS)] | None = None
    paused: Flag | None = Field(default=None, description="Left out in a change: it stays as it is.")


def _without(model: type[BaseModel], *names: str) -> dict[str, Any]:
    """The fields of a model but for these, for a model that takes them too."""
    return {name: (field.annotation, field) for name, field in model.model_fields.items() if name not in names}


TEMPLATE = tuple(_without(MessageIn, "id", "time", "delay", "timezone"))
"""The fields of a message that a schedule takes for its messages."""

_Schedule: Any = create_model("_Schedule", __base__=_Plan, **_without(MessageIn, "id", "time", "delay", "timezone"))
_Change: Any = create_model("_Change", __base__=_Plan, **_without(MessagePatch, "time", "delay", "timezone"))


_ONE_RULE: JsonDict = {"allOf": [{"not": given("cron", "every")}, {"anyOf": [given("cron"), given("every")]}]}


class SchedulePut(_Schedule):  # type: ignore[misc]  # mypy cannot see the fields of messages
    """A schedule: when (cron or every), and the message of each moment."""

    model_config = ConfigDict(extra="forbid", json_schema_extra=_ONE_RULE)


class ScheduleIn(SchedulePut):
    """A schedule to be created."""

    id: OwnScheduleId | None = Field(default=None, description="Your own id; refused with 409 when it exists.")


class SchedulePatch(_Change):  # type: ignore[misc]
    """What to change of a schedule; fields left out stay as they are."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"minProperties": 1, "not": given("cron", "every")})


class NoteIn(_Input):
    """Why."""

    note: Note | None = Field(default=None, description="Kept with the schedule, and shown.")


class BackfillIn(_Input):
    """A span of the past, both ends inclusive."""

    from_: RequiredTime = Field(alias="from")
    to: RequiredTime
    timezone: Timezone = None
    limit: Annotated[int, Field(strict=True, ge=1, le=MOST_BACKFILL)] | None = Field(
        default=None, description=f"Moments at most; default {DEFAULT_BACKFILL:,}."
    )
    dry_run: Flag | None = Field(default=None, description="Only say what it would make.")


class ScheduleListQuery(_Input):
    """Filters of the list of schedules, and the page that is asked for."""

    status: Literal["active", "paused", "ended"] | None = None
    label: Label | None = None
    limit: Annotated[int, Field(ge=1, le=MAX_PAGE), BeforeValidator(whole_number)] = 50
    cursor: CursorText | None = Field(default=None, description="next_cursor of the page before.")
