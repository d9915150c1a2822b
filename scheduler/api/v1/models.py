"""The requests that are accepted.  The same models validate them and describe them in ``/openapi.json``.

Null stands for "not given" in every field but ``message``, where it is a value like any other.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationInfo,
    WithJsonSchema,
    create_model,
)
from pydantic.config import JsonDict

from scheduler.api.v1.flow_models import FlowIn
from scheduler.api.v1.names import FlowKey, OwnId
from scheduler.channels.registry import CHANNELS
from scheduler.errors import InvalidInput
from scheduler.message import Priority
from scheduler.retry import UNLIMITED, RetryPolicy
from scheduler.schedule import SCHEDULE_ID_PATTERN
from scheduler.when import LEAST_EPOCH, MAX_MS, parse_time, parse_timezone

MAX_BATCH = 1000
MAX_PAGE = 500
MAX_REDRIVE = 10_000
MAX_TYPE = 128
_TYPE = r"^[^\x00-\x1f\x7f]*$"

_DAY = 86_400.0
_LONGEST_MOMENT = 100

PriorityName = Literal["high", "normal", "low"]
StatusName = Literal["scheduled", "processing", "delivered", "dead", "cancelled"]
ChannelName = Annotated[str, WithJsonSchema({"type": "string", "enum": list(CHANNELS)})]

_TIME: dict[str, Any] = {
    "description": "The moment: epoch seconds or milliseconds (from 1e8 on; below 1e11 it is seconds), as number or "
    "numeric string; ISO 8601; RFC 2822; or what JavaScript's Date writes. Without an offset it is UTC, unless "
    "timezone is given.",
    "example": "2027-01-01T09:00:00Z",
}
_TIME_NUMBER = {"type": "number", "minimum": LEAST_EPOCH, "maximum": MAX_MS}
_TIME_TEXT = {"type": "string", "format": "date-time"}

_NO_EXAMPLE = {"description": _TIME["description"]}

Time = Annotated[Any, WithJsonSchema(_TIME | {"oneOf": [_TIME_NUMBER | {"nullable": True}, _TIME_TEXT]})]
End = Annotated[Any, WithJsonSchema(_NO_EXAMPLE | {"oneOf": [_TIME_NUMBER | {"nullable": True}, _TIME_TEXT]})]
"""A time beside others, with which an example would not go together."""
FormTime = Annotated[str, WithJsonSchema(_TIME | _TIME_TEXT)]
RequiredTime = Annotated[Any, WithJsonSchema(_TIME | {"oneOf": [_TIME_NUMBER, _TIME_TEXT]})]
_LENGTH_TEXT = {"type": "string", "pattern": "^([0-9]{1,3}d)?([0-9]{1,2}h)?[0-9]{1,6}[ms]$"}


def length(description: str, example: str, *, least: int = 0) -> WithJsonSchema:
    """The schema of a length: seconds (number or its text), 1d2h30m45s, or ISO 8601 PT5M."""
    number = {"type": "number", "minimum": least, "nullable": True}
    return WithJsonSchema({"description": description, "oneOf": [number, _LENGTH_TEXT], "example": example})


Delay = Annotated[
    Any,
    length(
        "How long from now, until the year 9999 at most: seconds (number or its text), 1d2h30m45s, or ISO 8601 PT5M.",
        "1h30m",
    ),
]
Timezone = Annotated[
    Any,
    WithJsonSchema(
        {
            "description": "IANA name of the zone in which a time without an offset is meant.",
            "type": "string",
            "format": "iana-time-zone",
            "nullable": True,
            "example": "Europe/Berlin",
        }
    ),
]
AnyJson = Annotated[
    Any, WithJsonSchema({"description": "Any JSON value; it is delivered as it is.", "example": "hello"})
]


EchoMessage = Annotated[
    Any,
    WithJsonSchema(
        {
            "description": "Any JSON value but null and the empty string.",
            "not": {"enum": [None, ""]},
            "example": "hello",
        }
    ),
]


def _an_attempt_or_no_limit(attempts: int) -> int:
    if attempts == 0:
        raise ValueError(f"must be 1 or more, or {UNLIMITED} for no limit")
    return attempts


Attempts = Annotated[
    int,
    Field(strict=True, ge=UNLIMITED, le=1_000_000, json_schema_extra={"not": {"enum": [0]}}),
    AfterValidator(_an_attempt_or_no_limit),
]
Backoff = Annotated[float, Field(strict=True, ge=0, le=365 * _DAY, allow_inf_nan=False)]
Growth = Annotated[float, Field(strict=True, ge=1, le=100, allow_inf_nan=False)]
Flag = Annotated[bool, Field(strict=True)]


class _Input(BaseModel):
    model_config = ConfigDict(extra="forbid")


class RetryIn(_Input):
    """How failed attempts are repeated.  What is left out comes from the settings (section Retry)."""

    max_attempts: Attempts | None = Field(default=None, description="In all, the first included; -1 is without limit.")
    base: Backoff | None = Field(default=None, description="Seconds of backoff after the first failed attempt.")
    factor: Growth | None = Field(default=None, description="Growth of the backoff from one attempt to the next.")
    cap: Backoff | None = Field(default=None, description="Seconds; the backoff never grows past it.")
    jitter: Flag | None = Field(default=None, description="Draw each backoff evenly between 0 and its length.")

    def policy(self, default: RetryPolicy) -> RetryPolicy:
        """The policy asked for; what was not given is taken from ``default``."""
        return RetryPolicy(
            max_attempts=default.max_attempts if self.max_attempts is None else self.max_attempts,
            base=default.base if self.base is None else self.base,
            factor=default.factor if self.factor is None else self.factor,
            cap=default.cap if self.cap is None else self.cap,
            jitter=default.jitter if self.jitter is None else self.jitter,
        )


def given(*names: str) -> JsonDict:
    return {"required": list(names), "properties": {name: {"not": {"enum": [None]}} for name in names}}


_ONE_MOMENT: JsonDict = {
    "allOf": [{"not": given("time", "delay")}, {"anyOf": [given("time"), {"not": given("timezone")}]}]
}
"""The rule of parse_when as a schema: not both of time and delay, and timezone only beside time."""


class _When(_Input):
    time: Time = None
    delay: Delay = None
    timezone: Timezone = None
    priority: PriorityName | None = Field(
        default=None, description="Strict among the messages that are due; default normal."
    )
    retry: RetryIn | None = None


class _Addressed(_When):
    message: AnyJson
    flow: FlowIn | None = Field(default=None, description="Limits that it shares with other messages.")
    channel: ChannelName | None = Field(
        default=None, description="Where the message goes; follows from webhook or job, else echo."
    )


class _Changed(_When):
    message: AnyJson = None


def _with_options(base: type[BaseModel], texts: Mapping[str, str]) -> type[BaseModel]:
    """Return ``base`` with a field for the options of each channel that ``texts`` describes."""
    fields: dict[str, Any] = {
        name: (CHANNELS[name].options | None, Field(default=None, description=text))  # type: ignore[operator]
        for name, text in texts.items()
        if text
    }
    return create_model("_WithOptions", __base__=base, **fields)


_Message: Any = _with_options(_Addressed, {name: kind.options_text for name, kind in CHANNELS.items()})
_Change: Any = _with_options(_Changed, {name: kind.change_text for name, kind in CHANNELS.items()})


class MessageIn(_Message):  # type: ignore[misc]  # mypy cannot see the fields that the channels add
    """A message to be delivered at ``time``, after ``delay``, or now."""

    model_config = ConfigDict(extra="forbid", json_schema_extra=_ONE_MOMENT)

    id: OwnId | None = Field(default=None, description="Your own id; refused with 409 when it exists.")


class BatchIn(_Input):
    """Messages that are accepted together: all or none."""

    messages: Annotated[list[MessageIn], Field(min_length=1, max_length=MAX_BATCH)]


class MessagePatch(_Change):  # type: ignore[misc]
    """What to change of a scheduled message; fields left out stay as they are."""

    model_config = ConfigDict(extra="forbid", json_schema_extra=_ONE_MOMENT | {"minProperties": 1})


class PreviewIn(_Input):
    """A moment as MessageIn takes it."""

    model_config = ConfigDict(extra="forbid", json_schema_extra=_ONE_MOMENT)

    time: Time = None
    delay: Delay = None
    timezone: Timezone = None


class EchoIn(_Input):
    """A message for the server's console.  Unknown fields are ignored."""

    # Not required here: echo.py refuses a missing one in words of its own.
    model_config = ConfigDict(extra="ignore", json_schema_extra={"required": ["time", "message"]})

    time: RequiredTime = None
    message: EchoMessage = None
    timezone: Timezone = None


class EchoForm(BaseModel):
    """The same as the fields of a form."""

    time: FormTime
    message: Annotated[str, Field(min_length=1)]
    timezone: Annotated[str, Field(json_schema_extra={"format": "iana-time-zone"})] = "UTC"


class RedriveIn(_Input):
    """Which dead letters to schedule again, oldest first."""

    limit: Annotated[int, Field(strict=True, ge=1, le=MAX_REDRIVE)] | None = None
    channel: ChannelName | None = None
    dry_run: Flag | None = Field(default=None, description="Only say how many it would be.")


Seconds = Annotated[float, Field(strict=True, ge=1, le=315_360_000, allow_inf_nan=False)]
TaskUrl = Annotated[str, Field(strict=True, min_length=1, max_length=2048, json_schema_extra={"format": "uri"})]
TaskType = Annotated[str, Field(max_length=MAX_TYPE, pattern=_TYPE)]
TASK_KEY_PATTERN = rf"^(rsch-ref:[^\x00-\x1f\x7f]{{1,{MAX_TYPE}}}:)?[0-9a-f]{{32}}$"
"""A type becomes part of a path and of log lines."""


TaskData = Annotated[Any, WithJsonSchema({"description": "Any JSON value but null.", "not": {"enum": [None]}})]


class TaskIn(_Input):
    """A call to be made after ``ttl`` seconds.  Unknown fields are ignored."""

    model_config = ConfigDict(extra="ignore")

    webhook: TaskUrl = Field(description="Where the data is sent by POST.")
    ttl: Seconds
    data: TaskData


class TaskPatch(_Input):
    """What to change of a task; left out, empty, 0 and null all mean unchanged.  Unknown fields are ignored."""

    model_config = ConfigDict(extra="ignore")

    webhook: Annotated[str, Field(strict=True, max_length=2048)] | None = None
    ttl: Annotated[float, Field(strict=True, ge=0, le=315_360_000, allow_inf_nan=False)] | None = None
    data: AnyJson = None


class TaskTypeQuery(_Input):
    """Which kind of task.  Unknown parameters are ignored."""

    model_config = ConfigDict(extra="ignore")

    type: TaskType | None = Field(default=None, description="Part of the key; default when left out.")


def whole_number(text: Any) -> int:
    """Return the number of a query parameter.  Raises ValueError."""
    # int() also takes "1_000", " 7 " and digits of other scripts.
    if isinstance(text, str) and text.isascii() and text.isdigit() and len(text) <= 9:
        return int(text)
    raise ValueError("must be a whole number")


CursorText = Annotated[str, Field(max_length=1024, json_schema_extra={"format": "cursor"})]


_LOST_PLUS = re.compile(
    r"(T[0-9]{2}(?::?[0-9]{2}(?::?[0-9]{2}(?:[.,][0-9]+)?)?)?|[0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:[.,][0-9]+)?)?) {1,2}"
    r"([0-9]{2}(?::?[0-9]{2})?)$",
    re.IGNORECASE,
)
"""A time of day, a blank and digits: the offset of a moment whose ``+`` was not escaped in the query."""


def _moment(text: Any, info: ValidationInfo) -> int:
    if isinstance(text, str) and len(text) <= _LONGEST_MOMENT:
        text = _LOST_PLUS.sub(r"\1 +\2", text)
    try:
        return parse_time(text, info.data.get("timezone"))
    except InvalidInput as error:
        raise ValueError(error.errors[0].message) from None


def _zone(name: Any) -> ZoneInfo | None:
    try:
        return parse_timezone(name)
    except InvalidInput as error:
        raise ValueError(error.errors[0].message) from None


Zone = Annotated[
    Any,
    BeforeValidator(_zone),
    WithJsonSchema({"type": "string", "format": "iana-time-zone", "example": "Europe/Berlin"}),
]
Bound = Annotated[int, BeforeValidator(_moment), WithJsonSchema(_TIME | {"oneOf": [_TIME_NUMBER, _TIME_TEXT]})]
EndBound = Annotated[int, BeforeValidator(_moment), WithJsonSchema(_NO_EXAMPLE | {"oneOf": [_TIME_NUMBER, _TIME_TEXT]})]


class ListQuery(_Input):
    """Filters of a list, and the page that is asked for."""

    status: StatusName | None = None
    channel: ChannelName | None = None
    priority: PriorityName | None = None
    type: Annotated[TaskType, Field(min_length=1)] | None = Field(
        default=None, description="The type of a job, or of a webhook task."
    )
    schedule: Annotated[str, Field(pattern=SCHEDULE_ID_PATTERN)] | None = Field(
        default=None, description="The schedule that made them."
    )
    flow_key: FlowKey | None = Field(default=None, description="Only messages with this flow key.")
    # Before since and until, which are read by it.
    timezone: Zone = Field(default=None, description="IANA name of the zone of a since or until without an offset.")
    since: Bound | None = Field(default=None, description="Not before: of the time that the list is ordered by.")
    until: Bound | None = Field(default=None, description="Not after: of the time that the list is ordered by.")
    limit: Annotated[int, Field(ge=1, le=MAX_PAGE), BeforeValidator(whole_number)] = 50
    cursor: CursorText | None = Field(default=None, description="next_cursor of the page before.")

    def priority_or_none(self) -> Priority | None:
        """Return the priority as the store takes it."""
        return Priority(self.priority) if self.priority is not None else None


class TaskQuery(TaskTypeQuery):
    """Which tasks, and the page that is asked for."""

    limit: Annotated[int, Field(ge=1, le=10_000), BeforeValidator(whole_number)] | None = Field(
        default=None, description="Default: all, at most 10,000."
    )
    cursor: CursorText | None = Field(default=None, description="From the Link header of the page before.")
