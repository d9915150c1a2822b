"""The parts of settings: the base class of sections, and fields that state bounds and accepted values in a line."""

from __future__ import annotations

import re
from typing import Any, Final, Literal, get_args, get_origin

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator
from pydantic.alias_generators import to_pascal

_PORT: Final = r"(:([1-9]\d{0,3}|[1-5]\d{4}|6[0-4]\d{3}|65[0-4]\d{2}|655[0-2]\d|6553[0-5]))?"
ADDRESS: Final = rf"([\w][\w.-]*|\[[0-9a-f:.]+(%\w+)?\]){_PORT}"
ORIGIN: Final = rf"https?://{ADDRESS}"
RATE: Final = r"(?i)^([1-9]\d{0,8}/(second|minute|hour|day))?$"
RATE_ACCEPTED: Final = "a number per time like 600/minute (second, minute, hour or day); empty for no limit"
DAY: Final = 86_400.0
YEARS: Final = 3_650 * DAY
PIB: Final = 2**50


def whole(default: int, low: int, high: int) -> Any:
    return Field(default, ge=low, le=high)


def number(default: float, low: float, high: float) -> Any:
    return Field(default, ge=low, le=high, allow_inf_nan=False)


def text(default: str, pattern: str, accepted: str, *, secret: bool = False) -> Any:
    return Field(default, pattern=pattern, json_schema_extra={"accepted": accepted, "secret": secret})


def checked(default: str, accepted: str) -> Any:
    """Return a field for text that a validator of its section checks."""
    return Field(default, json_schema_extra={"accepted": accepted})


def bare_host(value: object) -> object:
    """Return an IPv6 address in brackets, as URLs have it, without them: sockets and comparisons know it so."""
    return re.sub(r"^\[(.*)\]$", r"\1", value.strip()) if isinstance(value, str) else value


def commas(value: object) -> object:
    """Return a list of texts, or a text separated by commas or white space, as one text with commas."""
    if isinstance(value, list) and all(isinstance(entry, str) for entry in value):
        value = ",".join(value)
    return ",".join(re.split(r"[,\s]+", value.strip())) if isinstance(value, str) else value


def token_list(value: object) -> object:
    """Return a list of tokens as one text with commas.  Blanks separate no tokens: a passphrase may contain them."""
    if isinstance(value, list) and all(isinstance(entry, str) and "," not in entry for entry in value):
        value = ",".join(value)
    return re.sub(r"\s*,\s*", ",", value.strip()) if isinstance(value, str) else value


def plain(number: Any) -> str:
    """Return a number as people write it: 30, not 30.0."""
    return str(int(number)) if number == int(number) else str(number)


class Section(BaseModel):
    """The base of all sections.  Values may be given by field name or by key: JSON of both kinds is read."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        alias_generator=to_pascal,
        validate_by_name=True,
        validate_by_alias=True,
    )

    @field_validator("*", mode="before")
    @classmethod
    def _as_meant(cls, value: object, info: ValidationInfo) -> object:
        annotation = cls.model_fields[info.field_name or ""].annotation
        if isinstance(value, bool) and annotation is not bool:
            raise ValueError("true and false are no numbers here")
        if get_origin(annotation) is Literal and isinstance(value, str):
            return next((choice for choice in get_args(annotation) if choice.lower() == value.strip().lower()), value)
        return value
