"""The answers about schedules as models; answers.py says what for."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, create_model

from scheduler.api.v1.answers import Moment
from scheduler.api.v1.models import PriorityName
from scheduler.channels.base import Json
from scheduler.channels.registry import CHANNELS


class _Answer(BaseModel):
    model_config = ConfigDict(extra="forbid")


class PlannedRunOut(_Answer):
    """A moment of the plan."""

    at: Moment
    at_ms: int
    local: str = Field(description="ISO 8601 in the zone of the schedule, with its offset.")


class LastRunOut(_Answer):
    """A run that has ended, or did not begin."""

    scheduled_for: Moment | None = Field(description="Null of a run that was asked for.")
    outcome: Literal["delivered", "dead", "cancelled", "skipped"]
    reason: Literal["overlap", "missed", "changed"] | None = Field(description="Why it was skipped.")
    origin: Literal["plan", "catch_up", "backfill", "run"]
    message_id: str
    ended_at: Moment
    count: int = Field(description="Moments that it stands for: moments that were missed together have one entry.")


class SkippedOut(_Answer):
    """Moments without a delivery, by reason."""

    overlap: int = Field(description="The run before had not ended.")
    missed: int = Field(description="No server planned in time, and they were not made up for.")
    changed: int = Field(description="The schedule was changed before they began.")


class CountersOut(_Answer):
    """Runs since the schedule was created."""

    made: int
    delivered: int
    dead: int
    cancelled: int
    caught_up: int
    skipped: SkippedOut


class CatchUpOut(_Answer):
    """What is made of moments that were missed."""

    policy: Literal["none", "latest", "all"]
    window: str
    limit: int


class _Shown(_Answer):
    id: str
    status: Literal["active", "paused", "ended"]
    cron: str | None
    every: str | None
    timezone: str
    start: Moment | None
    end: Moment | None
    max_runs: int | None
    jitter: str | None
    catch_up: CatchUpOut
    overlap: Literal["skip", "buffer", "allow"]
    labels: list[str]
    channel: str
    message: Json
    priority: PriorityName
    max_attempts: int = Field(description="-1: without limit.")
    note: str | None = Field(description="Given with the last pause or resume.")
    overdue: bool = Field(description="Its moment passed more than 5 s ago, and no server has planned it.")
    next_run: PlannedRunOut | None
    running: str | None = Field(description="The message under way; only with overlap skip and buffer.")
    buffered: str | None = Field(description="The message that waits for its end.")
    counters: CountersOut
    created_at: Moment
    updated_at: Moment
    last_runs: list[LastRunOut] = Field(description="Newest first; 10 in a list, else 20.")


_of_channels: dict[str, Any] = {
    name: field for kind in CHANNELS.values() for name, field in kind.answer_fields.items() if name != "result"
}
_WithChannels: Any = create_model("_WithChannels", __base__=_Shown, **_of_channels)


class ScheduleOut(_WithChannels):  # type: ignore[misc]  # mypy cannot see the fields that the channels add
    """A schedule."""


class ScheduleDetail(ScheduleOut):
    """A schedule with its next five runs."""

    next_runs: list[PlannedRunOut]


class SchedulePageOut(_Answer):
    """One page of the list of schedules."""

    schedules: list[ScheduleOut]
    next_cursor: str | None


class BackfillOut(_Answer):
    """What a backfill made."""

    runs: int = Field(description="Moments of the plan in the span, up to the limit.")
    made: int | None = Field(default=None, description="Messages that were made; not there for a dry run.")
    would_make: int | None = Field(default=None, description="Only there for a dry run, which changes nothing.")
    existing: int = Field(description="Moments that have a message already.")
    more: bool = Field(description="The span has more moments: ask again from behind last.")
    first: Moment | None
    last: Moment | None
