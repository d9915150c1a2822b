"""The requests about flow keys that are accepted, and the answers as models."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema, model_validator

from scheduler.api.v1.names import FlowKey
from scheduler.flow import MOST, FlowLimits, Rate, period_of
from scheduler.message import ID_PATTERN

Count = Annotated[int, Field(strict=True, ge=1, le=MOST)]
Flag = Annotated[bool, Field(strict=True)]
Period = Annotated[
    Any,
    AfterValidator(lambda value: None if value is None else period_of(value)),
    WithJsonSchema(
        {
            "description": "How long a window of the rate is: seconds (number or its text), 1d2h30m45s, or ISO 8601 "
            "PT5M; from 1 second to 7 days.",
            "oneOf": [{"type": "number", "minimum": 1, "maximum": 604800, "nullable": True}, {"type": "string"}],
        }
    ),
]


class _Limits(BaseModel):
    model_config = ConfigDict(extra="forbid")

    concurrency: Count | None = Field(default=None, description="Messages in flight at once, over all servers.")
    rate: Count | None = Field(default=None, description="Attempts that may begin in each period.")
    period: Period = None
    ordered: Flag | None = Field(
        default=None, description="One after the other, by moment and then as they were accepted."
    )

    @model_validator(mode="after")
    def _rate_and_period(self) -> Self:
        if (self.rate is None) != (self.period is None):
            raise ValueError("rate and period belong together; accepted: both, or neither")
        return self

    def limits(self) -> FlowLimits:
        """What is given, as the store takes it."""
        rate = Rate(self.rate, self.period) if self.rate is not None else None
        return FlowLimits(self.concurrency, rate, self.ordered)


class FlowIn(_Limits):
    """The flow key of a message, and what it allows.  Limits left out stay as they are."""

    key: FlowKey = Field(description="Messages with the same key share the limits.")


class PinIn(_Limits):
    """Limits that hold whatever messages say."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"minProperties": 1})


class FlowPauseIn(BaseModel):
    """Until when."""

    model_config = ConfigDict(extra="forbid")

    delay: Any = Field(
        default=None,
        description="For how long, in the forms of a message's delay; until it is resumed when left out.",
        json_schema_extra={"example": "10m"},
    )


def number_of_query(text: Any) -> Any:
    return int(text) if isinstance(text, str) and text.isascii() and text.isdigit() and len(text) <= 9 else text


class FlowsQuery(BaseModel):
    """The page that is asked for."""

    model_config = ConfigDict(extra="forbid")

    limit: Annotated[int, Field(ge=1, le=500), BeforeValidator(number_of_query)] = 50
    cursor: Annotated[str, Field(pattern=ID_PATTERN)] | None = Field(
        default=None, description="next_cursor of the page before."
    )


Source = Literal["message", "settings", "pinned"]


class _Answer(BaseModel):
    model_config = ConfigDict(extra="forbid")


class LimitsOut(_Answer):
    """What is in force; null where there is no limit."""

    concurrency: int | None
    rate: int | None
    period_ms: int | None
    ordered: bool


class SourcesOut(_Answer):
    """Where each limit in force comes from; null where there is none."""

    concurrency: Source | None
    rate: Source | None = Field(description="Of rate and period.")
    ordered: Source | None


class WindowOut(_Answer):
    """The window of the rate that runs."""

    used: int = Field(description="Attempts that began in it.")
    ends_at: str


class FlowOut(_Answer):
    """A flow key as it is now."""

    key: str
    scheduled: int = Field(description="Messages that wait for their moment, or for the key.")
    waiting: int = Field(description="Those of scheduled that are due.")
    in_flight: int
    limits: LimitsOut
    sources: SourcesOut
    window: WindowOut | None
    paused: bool
    paused_until: str | None = Field(description="Null: not paused, or until it is resumed.")
    oldest_due_at: str | None = Field(description="Since when the first of waiting is due.")
    next_at: str | None = Field(
        description="From when a message may go; null when none waits, the key is full, or paused until it is resumed."
    )


class FlowPageOut(_Answer):
    """One page of flow keys, by name."""

    flows: list[FlowOut]
    next_cursor: str | None


class MessageFlowOut(_Answer):
    """The flow key of a message."""

    key: str
    waited_ms: int = Field(description="For how long it kept back the last attempt that began.")
