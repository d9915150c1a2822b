"""The requests about destinations that are accepted, and the answers as models."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from scheduler.api.v1.flow_models import number_of_query
from scheduler.api.v1.schedule_models import Note


class DestinationsQuery(BaseModel):
    """The query of a list of destinations."""

    model_config = ConfigDict(extra="forbid")

    state: Literal["closed", "open", "half_open"] | None = None
    limit: Annotated[int, Field(ge=1, le=1000), BeforeValidator(number_of_query)] = 100


class DestinationNoteIn(BaseModel):
    """Why somebody opens or closes a circuit breaker by hand."""

    model_config = ConfigDict(extra="forbid")

    note: Note | None = None


class _Answer(BaseModel):
    model_config = ConfigDict(extra="forbid")


class AttemptsOut(_Answer):
    """Attempts of all servers, counted from the first one that failed."""

    began_at: str | None
    attempts: int
    failures: int


class BreakerOut(_Answer):
    """A destination of webhooks that has failed lately, asked for a pause, or was opened by hand."""

    id: str = Field(description="Scheme, host and port, such as https:api.example.com:443.")
    state: Literal["closed", "open", "half_open"] = Field(
        description="open: no attempts but one probe every so often; half_open: a probe is under way."
    )
    by_hand: bool = Field(description="Opened by hand: no probes either.")
    failures: int = Field(description="Failed attempts in a row.")
    failing_since: str | None
    window: AttemptsOut
    last_error: str | None
    opened_at: str | None
    closed_at: str | None
    next_probe_at: str | None
    probe_interval_ms: int | None
    held_until: str | None = Field(description="Until when the endpoint asked for a pause (429, 503).")
    note: str | None
    updated_at: str


class BreakerListOut(_Answer):
    """Open ones first, then those that changed last."""

    destinations: list[BreakerOut]
    more: bool = Field(description="Whether there are others beyond limit.")
