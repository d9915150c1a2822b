"""Requests of ASGI without a server, for the front and for Flask behind it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple
from urllib.parse import quote, unquote_to_bytes

from werkzeug.test import run_wsgi_app

from scheduler.api.front.application import Front
from scheduler.api.front.bridge import environ_of, fields_of
from scheduler.api.http.rules import Rules
from tests.support.api import Api

Fields = tuple[tuple[str, str], ...]


class Ask(NamedTuple):
    """One request as it comes from the server."""

    path: str
    body: bytes = b""
    headers: Fields = (("content-type", "application/json"),)
    method: str = "POST"
    cut: int = 0
    """Bytes at the end of the body that the client never sends."""
    stalls: bool = False
    """The client stays, and sends no more than it did."""
    chunked: bool = False
    parts: int = 1
    """In how many parts the body comes."""

    def scope(self) -> dict[str, Any]:
        """What ASGI says of it."""
        path, _, query = self.path.partition("?")
        length = [("transfer-encoding", "chunked")] if self.chunked else [("content-length", str(len(self.body)))]
        fields = [("host", "localhost"), *self.headers, *(length if self.body else [])]
        return {
            "type": "http",
            "http_version": "1.1",
            "method": self.method,
            "scheme": "http",
            "path": unquote_to_bytes(path).decode(errors="replace"),
            "raw_path": quote(path, safe="/%:").encode(),
            "query_string": query.encode("latin-1"),
            "headers": [(name.encode(), value.encode("latin-1")) for name, value in fields],
            "server": ("127.0.0.1", "3000"),
            "client": ("127.0.0.1", "50000"),
        }

    @property
    def sent(self) -> bytes:
        return self.body[: len(self.body) - self.cut]


class Told(NamedTuple):
    """An answer as it goes to the server."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes


def of_flask(api: Api, ask: Ask) -> Told:
    """What Flask alone answers."""
    scope = ask.scope()
    environ = environ_of(scope, fields_of(scope["headers"]), ask.sent)
    chunks, status, headers = run_wsgi_app(api.app.wsgi_app, environ, buffered=True)
    return Told(int(status[:3]), [(name.lower(), value) for name, value in headers], b"".join(chunks))


class FrontApi:
    """The front over an ``Api``, in an event loop of its own."""

    def __init__(self, api: Api, runner: asyncio.Runner) -> None:
        self.api = api
        self._runner = runner
        rules = Rules(api.services)
        self.front = Front(api.app.wsgi_app, rules, 4)

    def send(self, ask: Ask, parts: list[dict[str, Any]] | None = None) -> Told:
        """What the front answers to one request; ``parts``: of its body, those that are read are taken away."""
        return self._runner.run(self.answer(ask, parts))

    def all_at_once(self, asks: Sequence[Ask]) -> list[Told]:
        """What it answers to requests that come at the same moment."""

        async def gather() -> list[Told]:
            return await asyncio.gather(*(self.answer(ask) for ask in asks))

        return self._runner.run(gather())

    async def answer(self, ask: Ask, parts: list[dict[str, Any]] | None = None) -> Told:
        """One request in the running loop."""
        messages = parts_of(ask) if parts is None else parts
        told: list[dict[str, Any]] = []

        async def receive() -> dict[str, Any]:
            if messages:
                return messages.pop(0)
            await asyncio.Event().wait()  # the client sends nothing more, and waits
            raise AssertionError

        async def send(message: dict[str, Any]) -> None:
            told.append(message)

        await self.front(ask.scope(), receive, send)
        begun, ended = told
        headers = [(name.decode(), value.decode("latin-1")) for name, value in begun["headers"]]
        return Told(begun["status"], headers, ended["body"])


def parts_of(ask: Ask) -> list[dict[str, Any]]:
    size = max(1, -(-len(ask.sent) // ask.parts))
    parts = [ask.sent[at : at + size] for at in range(0, len(ask.sent), size)]
    messages: list[dict[str, Any]] = [{"type": "http.request", "body": part, "more_body": True} for part in parts]
    if ask.stalls:
        return messages
    if ask.cut:
        return [*messages, {"type": "http.disconnect"}]
    return [*messages, {"type": "http.request", "body": b"", "more_body": False}]


@contextmanager
def front_of(api: Api, loop: Callable[[], asyncio.AbstractEventLoop] | None = None) -> Iterator[FrontApi]:
    """The front over ``api``; ``loop`` makes the event loop."""
    with asyncio.Runner(loop_factory=loop) as runner:
        front = FrontApi(api, runner)
        try:
            yield front
        finally:
            front.front.close()
