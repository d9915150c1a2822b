"""Read and write JSON: strict in what is accepted, exact in what is kept.

orjson does the work.  It refuses NaN, Infinity, lone surrogates, control characters, broken UTF-8 and deep nesting.
But it silently turns an integer beyond 64 bits into a float, which is another number.  A body that may hold such an
integer is read by the slower ``json`` module.
"""

from __future__ import annotations

import json
import math
import re
import sys
from functools import lru_cache
from typing import Any, Literal, NoReturn
from urllib.parse import parse_qsl

import orjson
from werkzeug.exceptions import BadRequest, RequestEntityTooLarge, UnsupportedMediaType
from werkzeug.http import parse_options_header

from scheduler.api.http.exchange import Exchange
from scheduler.errors import InvalidInput

_LONG_NUMBER = re.compile(rb"[0-9]{19}")
_MOST_DIGITS = sys.int_info.default_max_str_digits
"""Python refuses to convert longer integers: the time grows with the square of their length."""
_STAND_IN = "\ud800"
"""A lone surrogate: no text that ``parse_json`` returns holds one."""
CUT = "the body broke off: it is shorter than its Content-Length, or a chunk is malformed or missing"
_TOO_DEEP = "nested too deeply"
_EMPTY = "the body is empty; a JSON object is expected"
_JSON = "application/json"
_FORM = "application/x-www-form-urlencoded"
_PLAIN = ("", "identity")
_MOST_FIELDS = 100


class LongInteger:
    """An integer that Python does not convert: kept as it was written, digit by digit.

    No dataclass: orjson would write one as an object.
    """

    def __init__(self, digits: str) -> None:
        self.digits = digits

    def __eq__(self, other: object) -> bool:
        return isinstance(other, LongInteger) and other.digits == self.digits

    def __hash__(self) -> int:
        return hash(self.digits)


Declared = Literal["json", "json or nothing", "anything"]
"""What ``Content-Type`` may say of a JSON body."""


async def read_json(x: Exchange, declared_as: Declared = "json") -> Any:
    """Return the JSON value of the body.

    ``declared_as``: other than ``json`` only on routes whose clients do not declare their JSON.
    Raises ``InvalidInput`` when it is not JSON, and werkzeug's 413 and 415 exceptions when it is longer than
    ``Api.MaxBodyBytes`` (a body of unknown length included) or declared as something else.
    """
    if not has_body(x):
        raise InvalidInput.of("", _EMPTY)
    declared = x.headers.get("content-type", "")
    if declared != _JSON and not _is_json(declared) and not _tolerated(declared, declared_as):
        raise UnsupportedMediaType(f"the body must be JSON (Content-Type: {_JSON}), not {declared or 'undeclared'}")
    return parse_json(await read_bytes(x))


def is_form(x: Exchange) -> bool:
    """Return whether the body is declared as the fields of an HTML form."""
    return x.headers.get("content-type", "").partition(";")[0].strip().lower() == _FORM


async def read_form(x: Exchange) -> dict[str, str]:
    """Return the fields of a form (``time=…&message=…``) as text; a field that is given twice has its last value.

    Raises ``InvalidInput`` when it is not UTF-8 or has too many fields, and what ``read_bytes`` raises.
    """
    try:
        text = (await read_bytes(x)).decode()
        return dict(parse_qsl(text, keep_blank_values=True, errors="strict", max_num_fields=_MOST_FIELDS))
    except ValueError as error:  # UnicodeDecodeError is one too
        raise InvalidInput.of(
            "", f"the body is not a form in UTF-8 of at most {_MOST_FIELDS} fields: {error}"
        ) from None


async def read_bytes(x: Exchange) -> bytes:
    """Return the whole body.  One that ends before its Content-Length is refused.

    Under Flask a chunked body whose client went away looks complete; it is refused as JSON that breaks off.
    """
    if (coding := x.headers.get("content-encoding", "")).lower() not in _PLAIN:
        raise UnsupportedMediaType(f"the body must not be compressed or encoded (Content-Encoding: {coding})")
    limit = x.here.settings.api.max_body_bytes
    expected = x.content_length
    if expected is not None and expected > limit:
        raise RequestEntityTooLarge
    # One byte more than is allowed shows that a body of unknown length is too long.
    raw = await x.waits.read(limit + 1 if expected is None else expected)
    if expected is None and len(raw) > limit:
        raise RequestEntityTooLarge
    if expected is not None and len(raw) < expected:
        raise BadRequest(CUT)
    return raw


def _tolerated(content_type: str, declared_as: Declared) -> bool:
    return declared_as == "anything" or (declared_as == "json or nothing" and not content_type)


@lru_cache(maxsize=64)
def _is_json(content_type: str) -> bool:
    media_type, parameters = parse_options_header(content_type.lower())
    if parameters.get("charset", "utf-8") not in {"utf-8", "utf8"}:
        return False
    return media_type == _JSON or (media_type.startswith("application/") and media_type.endswith("+json"))


def parse_json(raw: bytes) -> Any:
    """Return the value of a JSON text.  Raises ``InvalidInput`` that says where it breaks."""
    if not raw:
        raise InvalidInput.of("", _EMPTY)
    try:
        if _LONG_NUMBER.search(raw):
            return _parse_exactly(raw)
        return orjson.loads(raw)
    except RecursionError:
        reason = _TOO_DEEP
    except ValueError as error:  # JSONDecodeError and UnicodeError are ValueErrors too
        reason = str(error)
    raise InvalidInput.of("", f"the body is not valid JSON: {reason}")


def _parse_exactly(raw: bytes) -> Any:
    value = json.loads(raw.decode(), parse_constant=_refuse_constant, parse_float=_finite, parse_int=_integer)
    # A lone surrogate can only come from an escape.  Encoding the value finds it.
    json.dumps(value, ensure_ascii=False, default=str).encode()
    return value


def _integer(text: str) -> int | LongInteger:
    return int(text) if len(text) < _MOST_DIGITS else LongInteger(text)


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON number")


def _finite(text: str) -> float:
    number = float(text)
    if math.isinf(number):
        raise ValueError("number out of range")
    return number


def to_json(value: Any) -> bytes:
    """Write a value that ``parse_json`` returned as compact JSON.  Raises ``InvalidInput`` when it is too deep."""
    try:
        return orjson.dumps(value)
    except TypeError:  # an integer beyond 64 bits, or nesting beyond what orjson writes
        try:
            return _dumps(value, ensure_ascii=False).encode()
        except RecursionError:
            raise InvalidInput.of("message", _TOO_DEEP) from None


def _dumps(value: Any, **options: Any) -> str:
    """Write JSON as ``json.dumps`` does, with the digits of each ``LongInteger``."""
    digits: list[str] = []

    def stand_in(integer: LongInteger) -> str:
        digits.append(integer.digits)
        return _STAND_IN

    text = json.dumps(value, separators=(",", ":"), default=stand_in, **options)
    if not digits:
        return text
    between = text.split(json.dumps(_STAND_IN, **options))
    return "".join(part for pair in zip(between, [*digits, ""], strict=True) for part in pair)


def canonical(value: Any) -> bytes:
    """Return the same bytes for equal JSON values: the order of fields and white space do not matter."""
    try:
        return _dumps(value, sort_keys=True).encode()
    except RecursionError:
        raise InvalidInput.of("", _TOO_DEEP) from None


def has_body(x: Exchange) -> bool:
    """Return whether the request has a body, of known length or not."""
    return bool(x.content_length) or "transfer-encoding" in x.headers
