"""Run exchanges in threads of Flask: every wait blocks the thread, and no coroutine is ever suspended."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from functools import cache
from typing import Any, TypeVar, cast

from flask import Request, Response, current_app, request

from scheduler.api.http.body import Declared, has_body, read_json
from scheduler.api.http.exchange import Answer, Exchange
from scheduler.api.http.respond import ApiResponse
from scheduler.api.http.rules import Rules
from scheduler.message import NewMessage
from scheduler.store import Scheduled

T = TypeVar("T")

_EXTENSION = "scheduler_rules"
_EXCHANGE = "scheduler.exchange"
"""The key of a WSGI environment that keeps the exchange of its request."""


def run(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine whose waits block to its end, without an event loop."""
    try:
        coroutine.send(None)
    except StopIteration as end:
        return cast(T, end.value)
    coroutine.close()
    raise RuntimeError("an exchange was suspended in a thread")


class _EnvironHeaders:
    """The headers of a WSGI environment, at the cost of one look-up.

    werkzeug's headers take longer to find a token than the service takes to compare it.
    """

    def __init__(self, environ: dict[str, Any]) -> None:
        self._environ = environ

    def get(self, name: str, default: str, /) -> str:
        return str(self._environ.get(_key(name), default))

    def __contains__(self, name: str, /) -> bool:
        return _key(name) in self._environ


@cache
def _key(name: str) -> str:
    key = name.replace("-", "_").upper()
    return key if key in ("CONTENT_TYPE", "CONTENT_LENGTH") else f"HTTP_{key}"


class _Blocking:
    """``Waits`` of a thread."""

    def __init__(self, environ: dict[str, Any], rules: Rules) -> None:
        self._environ = environ
        self._store = rules.services.store

    async def read(self, wanted: int) -> bytes:
        # request.get_data would silently cut a chunked body at a limit.
        stream = self._environ["wsgi.input"]
        chunks: list[bytes] = []
        while wanted > 0 and (chunk := stream.read(wanted)):
            chunks.append(chunk)
            wanted -= len(chunk)
        return b"".join(chunks)

    async def call(self, function: Callable[[], T]) -> T:
        return function()

    async def store(self, message: NewMessage) -> Scheduled:
        return self._store.schedule([message])[0]


def attach(app: Any, rules: Rules) -> None:
    """Make these the rules of ``app`` (a ``flask.Flask``)."""
    app.extensions[_EXTENSION] = rules


def current() -> Exchange:
    """Return the exchange of the current request, the same one at each call."""
    # Not in g, and of the request's proxy only this: each access takes a microsecond.
    environ = request.environ
    if (found := environ.get(_EXCHANGE)) is not None:
        return cast(Exchange, found)
    rules: Rules = current_app.extensions[_EXTENSION]
    asked: Request = environ["werkzeug.request"]
    environ[_EXCHANGE] = made = Exchange(
        rules.services,
        rules.limits,
        _Blocking(environ, rules),
        asked.method,
        asked.path,
        environ.get("QUERY_STRING", ""),
        _EnvironHeaders(environ),
        environ.get("REMOTE_ADDR", ""),
    )
    return made


def respond(answer: Answer) -> Response:
    """Return an answer as a response of Flask."""
    response = ApiResponse(answer.body, answer.status, answer.headers)
    if "Content-Type" not in answer.headers:
        del response.headers["Content-Type"]
    return response


def json_body(declared_as: Declared = "json") -> Any:
    """Return the JSON value of the current request's body.  See ``read_json``."""
    return run(read_json(current(), declared_as))


def brings_body() -> bool:
    """Return whether the current request has a body."""
    return has_body(current())


def answered(view: Callable[[Exchange], Coroutine[Any, Any, Answer]]) -> Response:
    """Answer the current request with a coroutine."""
    return respond(run(view(current())))
