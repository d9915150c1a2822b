"""job, as the API sees it: the type of a handler, and a payload that a handler in Python can take."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Mapping
from typing import Annotated, Any, ClassVar

import orjson
from pydantic import BaseModel, ConfigDict, Field

from scheduler.channels.base import Address, ChannelKind, Json, Surroundings
from scheduler.channels.job.channel import JobChannel
from scheduler.config.settings import Settings
from scheduler.errors import InvalidInput
from scheduler.jobs import REGISTRY
from scheduler.message import ID_PATTERN, Message

_MOST_DIGITS = sys.int_info.default_max_str_digits
_TOO_LONG_FOR_PYTHON = re.compile(rf"[0-9]{{{_MOST_DIGITS}}}")

TypeName = Annotated[str, Field(strict=True, pattern=ID_PATTERN)]


def name_the_known(schema: dict[str, Any]) -> None:
    """List the registered handlers in the schema of a field that takes one; with a fallback any type is accepted."""
    if (names := REGISTRY.names()) and not REGISTRY.fallback:
        schema["enum"] = [*names]
        schema["example"] = names[0]


class JobTarget(BaseModel):
    """The handler that runs a job."""

    model_config = ConfigDict(extra="forbid")

    type: TypeName = Field(description="The name of a registered handler.", json_schema_extra=name_the_known)


class JobTargetOut(BaseModel):
    """The handler that runs a job."""

    model_config = ConfigDict(extra="forbid")

    type: str


class JobKind(ChannelKind):
    """A registered function is called."""

    name = "job"
    options = JobTarget
    options_text = "The handler that gets the message."
    answer_fields: ClassVar[Mapping[str, Any]] = {
        "job": (JobTargetOut | None, None),
        "result": (
            Json,
            Field(default=None, description="What the handler returned; only of a job, null until it succeeds."),
        ),
    }

    def address(self, options: JobTarget, payload: str, settings: Settings) -> Address:
        """See ``ChannelKind``."""
        found = address_of(options.type, "job.type")
        self.check_payload(payload, "message")
        return found

    def again(self, old: Message, settings: Settings) -> Address:
        """See ``ChannelKind``."""
        return address_of(old.type or "", "job.type")

    def check_payload(self, payload: str, field: str) -> None:
        """See ``ChannelKind``."""
        check_payload(payload, field)

    def shown(self, message: Message) -> dict[str, Any]:
        """See ``ChannelKind``."""
        result = orjson.Fragment(message.result) if message.result is not None else None
        return {"job": {"type": message.type or ""}, "result": result}

    def build(self, surroundings: Surroundings) -> JobChannel:
        """See ``ChannelKind``."""
        return JobChannel(
            clock=surroundings.clock,
            now_ms=surroundings.now_ms,
            holds=surroundings.holds,
            renew=surroundings.renew,
            log=surroundings.log,
            tracing=surroundings.tracing,
        )


def address_of(type: str, field: str) -> Address:
    """Where jobs of this type go.  Raises ``InvalidInput`` that names the types that have a handler."""
    if REGISTRY.get(type) is None:
        raise InvalidInput.of(field, REGISTRY.unknown(type))
    return Address(type=type, lane=REGISTRY.lane_of(type))


def check_payload(payload: str, field: str) -> None:
    """Raises ``InvalidInput`` when a handler in Python cannot take this JSON text."""
    if _TOO_LONG_FOR_PYTHON.search(payload):  # maybe inside a text, which is well
        try:
            json.loads(payload)
        except ValueError:
            raise InvalidInput.of(
                field, f"holds an integer of {_MOST_DIGITS} digits or more, which a handler in Python cannot take"
            ) from None
