"""Turn parsed JSON or query parameters into a model, and pydantic's errors into sentences that help."""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails
from werkzeug.datastructures import MultiDict

from scheduler.api.v1.flow_models import FlowIn
from scheduler.api.v1.models import MessageIn, RetryIn
from scheduler.api.v1.schedule_models import CatchUpIn
from scheduler.channels.registry import CHANNELS
from scheduler.errors import FieldError, InvalidInput

Model = TypeVar("Model", bound=BaseModel)

_MAX_ERRORS = 1000
_TOO_MANY_ERRORS = 5000
"""pydantic explains all errors or none.  A body of 1 MiB can hold 90,000 unknown names: a second and 80 MiB."""
_LONGEST_NAME = 64
_VALUE_BEGINS = re.compile(r"[:=\s]")
_NESTED: dict[str, type[BaseModel]] = {
    "messages": MessageIn,
    "retry": RetryIn,
    "flow": FlowIn,
    "catch_up": CatchUpIn,
    **{name: kind.options for name, kind in CHANNELS.items() if kind.options is not None},
}
_WORDS = {
    "missing": "is required",
    "model_type": "must be a JSON object",
    "model_attributes_type": "must be a JSON object",
    "dict_type": "must be a JSON object",
    "list_type": "must be a list",
    "string_type": "must be a string",
    "bool_type": "must be true or false",
    "int_type": "must be a whole number",
    "float_type": "must be a number",
}


def validate(model: type[Model], value: Any) -> Model:
    """Return ``value`` as a ``model``.  Raises ``InvalidInput`` with one entry per fault, each naming its field."""
    try:
        checked = model.model_validate(value)
    except ValidationError as error:
        if error.error_count() > _TOO_MANY_ERRORS:
            raise InvalidInput.of("", f"{error.error_count()} faults, too many to name") from None
        details = error.errors(include_url=False, include_input=False)[:_MAX_ERRORS]
        raise InvalidInput([_explain(model, detail) for detail in details]) from None
    return checked


def validate_query(model: type[Model], arguments: MultiDict[str, str]) -> Model:
    """Return the query parameters as a ``model``.  Raises ``InvalidInput``, also for one that is given twice."""
    ignored = model.model_config.get("extra") == "ignore"
    for name, values in arguments.lists():
        if len(values) > 1 and not (ignored and name not in model.model_fields):
            raise InvalidInput.of(name[:_LONGEST_NAME], "is given more than once")
    return validate(model, arguments.to_dict())


def check_channel(channel: str | None, field: str = "channel") -> None:
    """Raise ``InvalidInput`` unless ``channel`` is one of this build, or None."""
    if channel is not None and channel not in CHANNELS:
        raise InvalidInput.of(field, f"must be one of: {', '.join(CHANNELS)}")


def _explain(model: type[BaseModel], detail: ErrorDetails) -> FieldError:
    path = detail["loc"]
    field = ".".join(_name(part) for part in path)
    kind = detail["type"]
    if kind == "extra_forbidden":
        return FieldError(field, _unknown(str(path[-1])[: _LONGEST_NAME + 1], _model_at(model, path[:-1])))
    if kind == "literal_error":
        return FieldError(field, f"must be {detail['ctx']['expected']}")
    if kind == "string_pattern_mismatch":
        return FieldError(field, f"must match {detail['ctx']['pattern']}")
    if kind == "too_long":
        return FieldError(
            field, f"has {detail['ctx']['actual_length']} items; accepted: {detail['ctx']['max_length']} at most"
        )
    if kind == "too_short":
        return FieldError(
            field, f"has {detail['ctx']['actual_length']} items; accepted: {detail['ctx']['min_length']} at least"
        )
    if kind == "value_error":
        return FieldError(field, str(detail["ctx"]["error"]))
    words = detail["msg"].replace("Input should be", "must be").replace("String should have", "must have")
    return FieldError(field, _WORDS.get(kind) or words)


def _name(part: int | str) -> str:
    # A name ends where a value could begin: {"Authorization: Bearer ...": 1} must not be repeated.
    return _VALUE_BEGINS.split(str(part)[:_LONGEST_NAME], maxsplit=1)[0]


def _model_at(model: type[BaseModel], path: Sequence[int | str]) -> type[BaseModel]:
    for part in path:
        model = _NESTED.get(str(part), model)
    return model


@lru_cache(maxsize=256)
def _unknown(name: str, model: type[BaseModel]) -> str:
    known = [field.alias or name for name, field in model.model_fields.items()]
    # Comparing is quadratic in the length of the name.
    near = difflib.get_close_matches(name, known, 1) if len(name) <= _LONGEST_NAME else []
    hint = f"did you mean {near[0]}?" if near else f"known: {', '.join(known)}"
    return f"unknown field; {hint}"
