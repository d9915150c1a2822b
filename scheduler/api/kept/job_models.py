"""Requests and answers of ``/api/jobs``, in the dialect of an earlier system."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, RootModel

from scheduler.api.v1.answers import Moment
from scheduler.api.v1.models import MAX_PAGE, AnyJson, Time, whole_number
from scheduler.channels.base import Json
from scheduler.channels.job.kind import TypeName, name_the_known

USER_ID_LENGTH = 256

JobStatus = Literal["queued", "delayed", "active", "completed", "failed", "cancelled"]
UserId = Annotated[str, Field(strict=True, min_length=1, max_length=USER_ID_LENGTH)]


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid")


class JobIn(_Model):
    """A job to be run at ``scheduled_at``, or now.  Unknown fields are ignored: the form sends ``created_at``, too."""

    model_config = ConfigDict(extra="ignore")

    type: TypeName = Field(description="The name of a registered handler.", json_schema_extra=name_the_known)
    payload: dict[str, AnyJson] = Field(description="A JSON object, for the handler.")
    priority: Annotated[int, Field(strict=True, ge=1, le=3)] = Field(
        default=2, description="3 is high, 2 is normal, 1 is low."
    )
    scheduled_at: Time = None
    user_id: UserId = Field(description="Who the job is for; the rate limit is per user.")


class JobQuery(_Model):
    """Which jobs to list.  Unknown parameters are ignored."""

    model_config = ConfigDict(extra="ignore")

    limit: Annotated[int, Field(ge=1, le=MAX_PAGE), BeforeValidator(whole_number)] = 50
    type: TypeName | None = None
    user_id: UserId | None = None


class JobOut(_Model):
    """A job."""

    id: str = Field(alias="_id")
    status: JobStatus
    type: str
    payload: Json
    result: Json
    error: str | None
    priority: Literal[1, 2, 3]
    created_at: Moment
    scheduled_at: Moment | None = Field(description="When the next attempt is due; null for one that is due at once.")
    started_at: Moment | None
    completed_at: Moment | None = Field(description="When it was completed, failed for good, or was cancelled.")
    retry_count: int
    max_retries: int = Field(description="-1: without limit.")
    user_id: str | None


class JobsOut(RootModel[list[JobOut]]):
    """Jobs, newest first."""


class JobDone(_Model):
    """It was done."""

    status: Literal["Job retried", "Job cancelled", "Job boosted ⚡"]


class JobStatsOut(_Model):
    """What waits, of all channels."""

    high: int = Field(alias="queue:immediate:high")
    normal: int = Field(alias="queue:immediate:normal")
    low: int = Field(alias="queue:immediate:low")
    dead_letter: int = Field(alias="queue:dead_letter")
    delayed: int


class JobFault(_Model):
    """One thing that is wrong with the input."""

    loc: list[str | int]
    msg: str
    type: str


class JobError(_Model):
    """What was wrong."""

    detail: str | list[JobFault]
