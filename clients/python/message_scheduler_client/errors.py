"""What can go wrong, as exceptions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import httpx

from message_scheduler_client.retries import retry_after


class SchedulerError(Exception):
    """Whatever this client raises for a call."""


class Unreachable(SchedulerError):
    """The service gave no answer: no connection, no answer in time, or one that broke off.

    A request that changes something may have been carried out.
    """


class SignatureError(Exception):
    """A request to a webhook receiver is not one of the service's, or it is too old."""


@dataclass(frozen=True)
class Fault:
    """What is wrong with one field."""

    field: str
    """Dotted path with the indexes of lists, ``messages.3.time``; empty for the body as a whole."""
    reason: str


class ApiError(SchedulerError):
    """The service refused the call."""

    def __init__(self, status: int, title: str, detail: str, faults: tuple[Fault, ...], tries: int) -> None:
        # All of them: pickle makes the exception again with these, as when it leaves a process of multiprocessing.
        super().__init__(status, title, detail, faults, tries)
        self.status = status
        self.title = title
        self.detail = detail
        self.faults = faults
        """Every field at fault; empty when it is no field's."""
        self.retry_after: float | None = None
        """Seconds after which the service asks to be called again."""
        self.tries = tries
        """Requests that were sent.  After more than one, an earlier one may have been carried out: a ``Conflict`` may
        then mean that the call has succeeded."""

    def __str__(self) -> str:
        return f"{self.status} {self.title}: {self.detail}"

    @property
    def field(self) -> str | None:
        """The first field at fault."""
        return self.faults[0].field if self.faults else None

    @property
    def reason(self) -> str:
        """What is wrong with this field; without one, what is wrong."""
        return self.faults[0].reason if self.faults else self.detail


class BadRequest(ApiError):
    """400, 413, 415: the request is not as described; nothing was stored."""


class Unauthorized(ApiError):
    """401: the token is missing or wrong."""


class Forbidden(ApiError):
    """403: the service does not take this request from here."""


class NotFound(ApiError):
    """404: nothing has this id, or not any more."""


class Conflict(ApiError):
    """409: the state of the message forbids it, the id exists, or the key was used for something else."""


class TooManyRequests(ApiError):
    """429: beyond the limit of this client, also after the repeats."""


class Unavailable(ApiError):
    """503: Redis is away or full, or the service is about to stop, also after the repeats."""


_CLASSES: dict[int, type[ApiError]] = {
    400: BadRequest,
    401: Unauthorized,
    403: Forbidden,
    404: NotFound,
    409: Conflict,
    413: BadRequest,
    415: BadRequest,
    429: TooManyRequests,
    503: Unavailable,
}


def error_of(response: httpx.Response, tries: int) -> ApiError:
    """Return the exception for an answer that is no success; a proxy may have given it."""
    body = _object(response)
    title = str(body.get("title") or response.reason_phrase)
    # A proxy in between answers what it likes; /health answers ``message``.
    detail = str(body.get("detail") or body.get("message") or response.text[:200])
    if response.is_redirect:
        detail = f"it redirects to {response.headers['location']}: give the client the address there"
    error = _CLASSES.get(response.status_code, ApiError)(response.status_code, title, detail, _faults(body), tries)
    error.retry_after = retry_after(response.headers.get("retry-after"))
    return error


def _object(response: httpx.Response) -> dict[str, Any]:
    try:
        body = response.json()
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}


def _faults(body: dict[str, Any]) -> tuple[Fault, ...]:
    listed = body.get("errors")
    return tuple(
        Fault(str(fault.get("field", "")), str(fault.get("message", "")))
        for fault in (listed if isinstance(listed, list) else ())
        if isinstance(fault, dict)
    )
