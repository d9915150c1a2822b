"""Decide the outcome of an attempt from the handler's return value or exception.  Pure."""

from __future__ import annotations

import json
import traceback
from types import FrameType
from typing import Any, NamedTuple

from scheduler.jobs import Dead, Retry, TimeLimitExceeded
from scheduler.masking import escape, mask
from scheduler.message import OutcomeKind

KEPT_TRACEBACK = 4096
"""Characters of a traceback that are kept, from its end, which says the most."""
LARGEST_RESULT = 65_536
"""Bytes.  A result stays in Redis until retention deletes its message."""
_LONGEST_ERROR = 500


class Verdict(NamedTuple):
    """An ``Outcome`` without claim and times."""

    kind: OutcomeKind
    error: str | None = None
    delay_ms: int | None = None
    result: str | None = None
    evidence: dict[str, Any] | None = None


def of_result(value: Any) -> Verdict:
    """Judge a return value.  One that is not JSON makes the message dead: a retry would repeat work that was done."""
    if value is None:
        return Verdict("ack")
    try:
        text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
        size = len(text) if text.isascii() else len(text.encode())
    except Exception as error:  # noqa: BLE001 - a class of the handler's own may raise anything when it is read
        return Verdict("dead", _one_line(f"the handler did its work and returned what is no JSON: {_words(error)}"))
    if size > LARGEST_RESULT:
        return Verdict("dead", f"the handler did its work and returned {size} bytes; at most {LARGEST_RESULT} are kept")
    return Verdict("ack", result=text)


def of_error(error: BaseException, limit: float | None, stopping: bool) -> Verdict:
    """Judge an exception.  ``limit``: the handler's time limit, seconds.  ``stopping``: the service is stopping."""
    if isinstance(error, Dead):
        return Verdict("dead", _one_line(_words(error) or "the handler gave up"))
    if isinstance(error, Retry):
        delay_ms = _asked_ms(error)
        if stopping:
            # The handler stopped because the service asked it to, so the attempt did not fail.
            return Verdict("release", delay_ms=delay_ms)
        return Verdict("retry", _one_line(_words(error)), delay_ms)
    if isinstance(error, TimeLimitExceeded):
        return timed_out(limit, _of_exception(error))
    words = _words(error)
    name = type(error).__name__
    return Verdict("retry", _one_line(f"{name}: {words}" if words else name), evidence=_evidence(_of_exception(error)))


def timed_out(limit: float | None, stack: str = "", *, left_behind: bool = False) -> Verdict:
    """Judge a handler that exceeded its time limit."""
    text = f"timed out after {limit or 0:g} s"
    if left_behind:
        text += "; the handler did not stop, and its thread was left behind"
    return Verdict("retry", text, evidence=_evidence(stack) if stack else None)


def stack_of(frame: FrameType | None) -> str:
    """Return the stack of a thread as text."""
    return "".join(traceback.format_stack(frame)) if frame is not None else ""


def _words(error: BaseException) -> str:
    try:
        return str(error)
    except BaseException:  # noqa: BLE001 - an exception that cannot be printed is still an exception
        return "(its text cannot be read)"


def _asked_ms(error: Retry) -> int | None:
    """Return the delay that it asks for; None when ``Retry`` would have refused it: it can be set later too."""
    try:
        after = Retry(after=error.after).after
    except (TypeError, ValueError):
        return None
    return None if after is None else round(after * 1000)


def _of_exception(error: BaseException) -> str:
    # Without the first frame, which is this service's own, and without locals, which may hold parts of payloads.
    inside = error.__traceback__.tb_next if error.__traceback__ is not None else None
    return "".join(traceback.TracebackException(type(error), error, inside, compact=True).format())


def _evidence(text: str) -> dict[str, Any]:
    text = mask(text)
    if len(text) > KEPT_TRACEBACK:
        text = "…" + text[1 - KEPT_TRACEBACK :]
    # A lone surrogate can be neither printed nor stored.
    return {"traceback": text.encode(errors="replace").decode()}


def _one_line(text: str) -> str:
    return mask(escape(text[: 4 * _LONGEST_ERROR]))[:_LONGEST_ERROR]
