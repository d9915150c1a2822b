"""One request and its answer, free of any framework.

A request is answered by a coroutine over an ``Exchange``.  The front (``api/front/``) runs it in an event loop; under
Flask a thread runs it to its end at once (``threads.py``).  They differ only in how they wait: ``Waits``.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol, TypeVar

import orjson
from werkzeug.datastructures import MultiDict
from werkzeug.sansio.request import Request as SansIoRequest
from werkzeug.sansio.utils import get_content_length

from scheduler.api.http.services import Services
from scheduler.errors import InvalidInput
from scheduler.message import NewMessage
from scheduler.store import Scheduled

T = TypeVar("T")


class HeaderFields(Protocol):
    """The headers of an answer: a ``dict``, or werkzeug's ``Headers``."""

    def get(self, name: str, /) -> str | None: ...

    def __contains__(self, name: str, /) -> bool: ...

    def __setitem__(self, name: str, value: str, /) -> None: ...


class RequestHeaders(Protocol):
    """The headers of a request, by name in lower case."""

    def get(self, name: str, default: str, /) -> str: ...

    def __contains__(self, name: str, /) -> bool: ...


class Waits(Protocol):
    """How a request waits for its body, for Redis and for a shared script call."""

    async def read(self, wanted: int) -> bytes:
        """Return up to ``wanted`` bytes of the body; fewer when it ends before."""

    async def call(self, function: Callable[[], T]) -> T:
        """Call a function that may block, as on Redis; return what it returns."""

    async def store(self, message: NewMessage) -> Scheduled:
        """Store one message under an id of ``new_ids``; messages of several requests may share a script call."""


@dataclass(slots=True)
class Answer:
    """A response, ready to be sent."""

    status: int
    body: bytes
    headers: dict[str, str]


def json_answer(body: Any, status: int = 200, headers: dict[str, str] | None = None) -> Answer:
    """Answer with ``body`` as JSON."""
    return _answer(status, orjson.dumps(body), "application/json", headers)


def problem_answer(body: Any, status: int, headers: dict[str, str] | None = None) -> Answer:
    """Answer with ``body`` as problem+json (RFC 9457)."""
    return _answer(status, orjson.dumps(body), "application/problem+json", headers)


def text_answer(body: str, status: int = 200) -> Answer:
    """Answer with plain text."""
    return _answer(status, body.encode(), "text/plain; charset=utf-8", None)


def empty_answer() -> Answer:
    """Answer 204."""
    return Answer(204, b"", {})


def _answer(status: int, body: bytes, content_type: str, headers: dict[str, str] | None) -> Answer:
    return Answer(status, body, {**(headers or {}), "Content-Type": content_type, "Content-Length": str(len(body))})


class UserLimits(Protocol):
    """How many requests a user may send."""

    async def count_user(self, x: Exchange, user_id: str, /) -> None:
        """Count a request of this user.  Raises ``TooManyRequests``, ``StoreUnavailable``."""


class Counted(NamedTuple):
    """The state of a rate limit after a request, for the headers of its answer."""

    limit: int
    remaining: int
    reset_seconds: int


@dataclass(slots=True)
class Exchange:
    """One request on its way to an answer."""

    here: Services
    limits: UserLimits
    waits: Waits
    method: str
    path: str
    query: str
    """As it was sent, without the question mark."""
    headers: RequestHeaders
    address: str
    """IP address of the other end of the connection."""
    content_length: int | None = field(init=False)
    """Length of the body in bytes; None: there is none, or it comes in chunks."""
    counted: Counted | None = field(default=None, init=False)

    def __post_init__(self) -> None:
        length, encoding = self.headers.get("content-length", ""), self.headers.get("transfer-encoding", "")
        self.content_length = get_content_length(length or None, encoding or None) if length else None

    @property
    def arguments(self) -> MultiDict[str, str]:
        """The query parameters, decoded."""
        if not self.query:
            return MultiDict()
        query = self.query.encode("latin-1")
        return SansIoRequest(self.method, "http", None, "", self.path, query, _NO_HEADERS, None).args


_NO_HEADERS: Any = {}


class Route(NamedTuple):
    """A route that accepts messages, answered alike under Flask and in the front."""

    answer: Callable[[Exchange], Coroutine[Any, Any, Answer]]
    invalid: Callable[[Exchange, InvalidInput], Answer] | None = None
    """Makes the answer to invalid input; None: in the shape of the path's area (``problems.py``)."""
