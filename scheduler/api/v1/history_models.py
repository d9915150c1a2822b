"""The requests and answers of ``/v1/history``."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from scheduler.api.v1.answers import Moment
from scheduler.api.v1.models import Bound, ChannelName, CursorText, TaskType, Zone, whole_number
from scheduler.api.v1.names import FlowKey
from scheduler.schedule import SCHEDULE_ID_PATTERN

MAX_HISTORY_PAGE = 1000
DEFAULT_PAGE = 50
EXPORT_PAGE = 100
"""Rows that are read and sent at a time: about 2 ms of a core, which whatever wants it meanwhile waits for."""

# PostgreSQL takes no NUL, and the text of a payload or an error has control characters written out (\n).
Word = Annotated[str, Field(min_length=1, max_length=255, pattern=r"^[^\x00-\x1f\x7f]*$")]


class _Query(BaseModel):
    model_config = ConfigDict(extra="forbid")


class HistoryQuery(_Query):
    """Filters of the history, and the page that is asked for."""

    status: Literal["delivered", "dead", "cancelled"] | None = None
    channel: ChannelName | None = None
    type: Annotated[TaskType, Field(min_length=1)] | None = Field(
        default=None, description="The type of a job, or of a webhook task."
    )
    schedule: Annotated[str, Field(pattern=SCHEDULE_ID_PATTERN)] | None = Field(
        default=None, description="The id of a schedule."
    )
    flow_key: FlowKey | None = None
    destination: Word | None = Field(default=None, description="The host that webhooks were sent to.")
    text: Word | None = Field(
        default=None, description="In the payload or the last error; upper and lower case do not matter."
    )
    by: Literal["finish", "due"] = Field(
        default="finish", description="The moment that since and until bound, and that the list is ordered by."
    )
    # Before since and until, which are read by it.
    timezone: Zone = Field(default=None, description="IANA name of the zone of a since or until without an offset.")
    since: Bound | None = Field(default=None, description="Not before: of the time that the list is ordered by.")
    until: Bound | None = Field(default=None, description="Not after: of the time that the list is ordered by.")
    limit: Annotated[int, Field(ge=1), BeforeValidator(whole_number)] | None = Field(
        default=None,
        description=f"Of a page 1 to {MAX_HISTORY_PAGE}, default {DEFAULT_PAGE}; of CSV and NDJSON any, default all.",
    )
    cursor: CursorText | None = Field(default=None, description="next_cursor of the page before.")


class SummaryQuery(_Query):
    """Which time to sum up, and how finely."""

    by: Literal["hour", "day"] = "hour"
    channel: ChannelName | None = None
    timezone: Zone = Field(default=None, description="IANA name of the zone of a since or until without an offset.")
    since: Bound | None = Field(default=None, description="Default: 48 hours ago, by day 30 days.")
    until: Bound | None = Field(default=None, description="Default: now.")


class QuantilesOut(BaseModel):
    """Begin of the last attempt after its moment, ms; null when there was none."""

    model_config = ConfigDict(extra="forbid")

    p50: float | None
    p99: float | None


class SlotOut(BaseModel):
    """One hour or day of one channel."""

    model_config = ConfigDict(extra="forbid")

    at: Moment = Field(description="When it begins.")
    channel: str
    delivered: int
    dead: int
    cancelled: int
    failure_rate: float | None = Field(description="dead out of delivered and dead; null when there are none.")
    lateness_ms: QuantilesOut


class SummaryOut(BaseModel):
    """What ended in a time, by hour or day and by channel; oldest first, without empty slots."""

    model_config = ConfigDict(extra="forbid")

    by: Literal["hour", "day"]
    since: Moment
    until: Moment
    slots: list[SlotOut]
