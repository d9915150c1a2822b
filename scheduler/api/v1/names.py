"""Names that clients choose: ids of messages and schedules, and flow keys."""

from __future__ import annotations

from typing import Annotated, Any, Final

from pydantic import AfterValidator, Field

from scheduler.message import ID_PATTERN
from scheduler.schedule import SCHEDULE_ID_PATTERN

_DOTS: Final = (".", "..")
"""Clients take them out of a path, so no request could name what is called so."""
_NO_SCHEDULES: Final = ("preview", *_DOTS)
"""``preview`` is a route among the schedules."""


def addressable(name: str) -> str:
    """Return ``name``.  Raises ``ValueError`` when no request could name what is called so."""
    return _not_among(_DOTS, name)


def addressable_schedule(id: str) -> str:
    """Return ``id``.  Raises ``ValueError`` when no request could name the schedule."""
    return _not_among(_NO_SCHEDULES, id)


def _not_among(names: tuple[str, ...], name: str) -> str:
    if name in names:
        raise ValueError(f"{name!r} cannot be part of an address; accepted: any other name")
    return name


def _name(pattern: str, refused: tuple[str, ...]) -> Any:
    return Field(pattern=pattern, json_schema_extra={"not": {"enum": list(refused)}})


OwnId = Annotated[str, _name(ID_PATTERN, _DOTS), AfterValidator(addressable)]
FlowKey = Annotated[str, _name(ID_PATTERN, _DOTS), AfterValidator(addressable)]
OwnScheduleId = Annotated[str, _name(SCHEDULE_ID_PATTERN, _NO_SCHEDULES), AfterValidator(addressable_schedule)]
