"""One call from its first request to its answer, without sending anything: both clients only send and sleep."""

from __future__ import annotations

import json
import os
import re
import uuid
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Generic, TypeVar

import httpx

from message_scheduler_client.calls import Call
from message_scheduler_client.errors import SchedulerError, Unreachable, error_of
from message_scheduler_client.retries import Retries, retry_after

T = TypeVar("T")

_PASSES = {429, 502, 503, 504}
_CERTAINLY_NOT_DONE = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)
"""The request never left."""


class Service:
    """Where the service is, and how it is spoken to."""

    def __init__(self, url: str | None, token: str | None, retries: Retries) -> None:
        url = url or os.environ.get("MESSAGE_SCHEDULER_URL") or "http://127.0.0.1:3000"
        self.url = url.rstrip("/")
        # From a file it often comes with the end of its line.
        self.token = (token or os.environ.get("MESSAGE_SCHEDULER_TOKEN") or "").strip()
        self.retries = retries

    @property
    def by_proxy(self) -> bool:
        """Whether the environment's proxies may be used: none of them reaches this machine."""
        return not re.match(r"http://(localhost|127\.0\.0\.1|\[::1\])([:/]|$)", self.url)


class Exchange(Generic[T]):
    """The requests of one call.  Send ``request``, hand what came to ``took``, wait as it says, and again; then
    ``answer``.
    """

    def __init__(self, service: Service, call: Call[T]) -> None:
        self._call = call
        self._retries = service.retries
        operation = call.operation
        headers = {"Accept": "application/json"}
        if service.token:
            headers["Authorization"] = f"Bearer {service.token}"
        key = call.key
        if operation.keyed and key is None and not call.own_ids:
            # Of the client itself: the service stores a message once, however often the request has to be sent.
            key = str(uuid.uuid4())
        if key is not None:
            headers["Idempotency-Key"] = key
        content = None
        if call.body is not None:
            headers["Content-Type"] = "application/json"
            content = json.dumps(call.body, default=_plain, allow_nan=False).encode()
        self.request = httpx.Request(
            operation.method, service.url + call.path, params=_parameters(call.query), headers=headers, content=content
        )
        self._tries = 0
        self._waited = 0.0
        self._last: httpx.Response | httpx.RequestError | None = None

    def took(self, outcome: httpx.Response | httpx.RequestError) -> float | None:
        """Note what a request brought; return the seconds before it is to be sent again; None: send no more."""
        self._tries += 1
        self._last = outcome
        if not self._may_pass(outcome):
            return None
        asked = retry_after(outcome.headers.get("retry-after")) if isinstance(outcome, httpx.Response) else None
        seconds = self._retries.wait(self._tries, asked, self._waited)
        self._waited += seconds or 0.0
        return seconds

    def _may_pass(self, outcome: httpx.Response | httpx.RequestError) -> bool:
        if isinstance(outcome, httpx.Response):
            # 429 is answered before anything is done.
            return outcome.status_code in _PASSES and (self._call.operation.repeatable or outcome.status_code == 429)
        return self._call.operation.repeatable or isinstance(outcome, _CERTAINLY_NOT_DONE)

    def answer(self) -> T:
        """Return what the service answered; raises ``SchedulerError``."""
        if not isinstance(self._last, httpx.Response):
            raise Unreachable(f"{self.request.method} {self.request.url}: {self._last!r}") from self._last
        if not self._last.is_success:
            raise error_of(self._last, self._tries)
        try:
            # The document is the contract: an answer has the shape that its operation is described with.
            answer: Any = self._last.json() if self._last.content else None
        except ValueError:
            raise SchedulerError(f"{self.request.url} answered no JSON: is the service there?") from None
        found: T = answer
        return found


def _parameters(query: Mapping[str, Any]) -> dict[str, str | int | float]:
    return {
        name: value if isinstance(value, str | int | float) else str(_plain(value))
        for name, value in query.items()
        if value is not None
    }


def _plain(value: object) -> str | float:
    """A moment or a length of time as the service reads it."""
    if isinstance(value, datetime):
        if value.tzinfo is None:
            raise ValueError(f"{value!r} has no tzinfo: which moment is meant?  Add one, or give text and a timezone")
        return value.isoformat()
    if isinstance(value, timedelta):
        return value.total_seconds()
    raise TypeError(f"{type(value).__name__} is no JSON value")
