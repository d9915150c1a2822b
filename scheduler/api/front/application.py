"""The ASGI application of an API process.

What accepts messages is answered in the event loop, by the same functions that Flask's views run; every other request,
and a body that takes long to parse, goes to Flask in a thread.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Generator
from functools import partial
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, TypeVar

from werkzeug.exceptions import HTTPException

from scheduler.api.front import bridge
from scheduler.api.front.blocking import BlockingCalls
from scheduler.api.front.commit import GroupCommit
from scheduler.api.front.pace import Pace
from scheduler.api.front.reading import MOST_DISCARDED, Reader, Receive, discard
from scheduler.api.front.routes import ROUTES
from scheduler.api.http.body import has_body
from scheduler.api.http.exchange import Answer, Exchange, Route
from scheduler.api.http.problems import answer_to
from scheduler.api.http.rules import Rules
from scheduler.errors import InvalidInput
from scheduler.message import NewMessage
from scheduler.store import Scheduled

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

T = TypeVar("T")

Send = Callable[[dict[str, Any]], Awaitable[None]]

LARGE = 65_536
"""A body of more bytes is parsed in a thread: in the loop it would hold up all others for a millisecond or more."""


class Front:
    """Belongs to one event loop, that of ``start``."""

    def __init__(self, flask: WSGIApplication, rules: Rules, threads: int) -> None:
        """``threads``: requests that Flask works on at the same time."""
        self._flask = flask
        self._rules = rules
        store = rules.services.store
        self._partition_of = store.partition_of
        self._limit = rules.services.settings.api.max_body_bytes
        self._calls = BlockingCalls(threads, "http")
        # Each partition has a thread of its own: one that is away holds up no other.
        self._writers = BlockingCalls(len(store.partitions), "commit")
        self._commits = [GroupCommit(store.schedule, self._writers) for _ in store.partitions]
        self._clock = rules.services.clock
        self._pace = Pace(store, self._clock)
        self.reader = Reader()
        self.started: list[Callable[[asyncio.AbstractEventLoop], None]] = []
        """Prepare for requests; called in the event loop before the first."""

    async def __call__(self, scope: bridge.Scope, receive: Receive, send: Send) -> None:
        """Answer one request of ASGI."""
        if scope["type"] == "lifespan":
            await self._live(receive, send)
            return
        fields = bridge.fields_of(scope["headers"])
        route = ROUTES.get(scope["path"]) if scope["method"] == "POST" else None
        if route is None and fields.get("content-length", "0") == "0" and "transfer-encoding" not in fields:
            await self._ask_flask(scope, fields, b"", receive, send)
            return
        x = Exchange(
            self._rules.services,
            self._rules.limits,
            _InLoop(self, receive),
            scope["method"],
            scope["path"],
            scope["query_string"].decode("latin-1"),
            fields,
            scope["client"][0] if scope["client"] else "",
        )
        if route is not None and (x.content_length if has_body(x) else 0) in _SMALL:
            await self._answer(x, await self._accept(x, route), scope["path"], send)
        else:
            await self._hand_over(x, scope, fields, receive, send)

    async def _accept(self, x: Exchange, route: Route) -> Answer:
        try:
            return await self._rules.admit(x) or await route.answer(x)
        except InvalidInput as error:
            return route.invalid(x, error) if route.invalid is not None else answer_to(x, error)
        except Exception as error:  # noqa: BLE001 - every request is answered
            return answer_to(x, error)

    async def _hand_over(
        self, x: Exchange, scope: bridge.Scope, fields: dict[str, str], receive: Receive, send: Send
    ) -> None:
        body = b""
        expected = x.content_length or 0
        # A body that Flask will refuse without reading it is not read here either.
        if has_body(x) and self._rules.refusal(x) is None:
            if expected <= self._limit:
                try:
                    body = await x.waits.read(self._limit + 1 if x.content_length is None else expected)
                except HTTPException as error:
                    await self._answer(x, answer_to(x, error), "none", send)
                    return
            too_large = expected > self._limit or len(body) > self._limit
            # A client that has asked whether to send its body waits for the answer.
            if too_large and expected <= MOST_DISCARDED and "expect" not in fields:
                await discard(receive)
        await self._ask_flask(scope, fields, body, receive, send)

    async def _ask_flask(
        self, scope: bridge.Scope, fields: dict[str, str], body: bytes, receive: Receive, send: Send
    ) -> None:
        answered = await self.in_thread(partial(bridge.call, self._flask, scope, fields, body))
        if answered.rest is None:
            await _send(send, answered.status, answered.headers, answered.body)
        else:
            await self._stream(answered.status, answered.headers, answered.rest, receive, send)

    async def _stream(
        self, status: int, headers: bridge.HeaderList, chunks: Generator[bytes], receive: Receive, send: Send
    ) -> None:
        """Send what Flask makes piece by piece; the next piece is made when the last one was taken, after a pause.

        An error leaves out the end of the answer: the client sees that it was cut off.
        """
        await send({"type": "http.response.start", "status": status, "headers": headers})
        # Sending to a client that is gone raises no error, so the rest would be made in vain.
        gone = asyncio.ensure_future(_until_gone(receive))
        try:
            while not gone.done():
                chunk, pause = await self.in_thread(lambda: self._piece(chunks))
                if chunk is None:
                    break
                if chunk:
                    await send({"type": "http.response.body", "body": chunk, "more_body": True})
                # In the loop, because a thread that sleeps is missing to other requests.
                await _pause(gone, pause)
        except Exception as error:  # noqa: BLE001 - the answer has begun, and no other one can be given
            self._rules.services.log.error(f"an answer was cut off: {error}")
            return
        finally:
            gone.cancel()
            await self.in_thread(chunks.close)
        await send({"type": "http.response.body", "body": b""})

    def _piece(self, chunks: Generator[bytes]) -> tuple[bytes | None, float]:
        """Return the next piece, None at the end, and how long to pause after it (seconds)."""
        begun = self._clock.monotonic()
        chunk = next(chunks, None)
        return chunk, self._pace.pause_after(self._clock.monotonic() - begun)

    async def _answer(self, x: Exchange, answer: Answer, route: str, send: Send) -> None:
        self._rules.finish(x, answer.status, answer.headers, route)
        headers = [(name.lower().encode(), value.encode("latin-1")) for name, value in answer.headers.items()]
        if answer.status == HTTPStatus.REQUEST_TIMEOUT:
            # The rest of its body would be read as the next request.
            headers.append((b"connection", b"close"))
        await _send(send, answer.status, headers, answer.body)

    async def in_thread(self, function: Callable[[], T]) -> T:
        """Call a function that may block; return what it returns."""
        return await self._calls.run(function)

    async def store(self, message: NewMessage) -> Scheduled:
        """Store one message, together with others of its partition."""
        return await self._commits[self._partition_of(message.id)](message)

    def close(self) -> None:
        """End the threads when they have finished their work."""
        self._calls.close()
        self._writers.close()

    async def _live(self, receive: Receive, send: Send) -> None:
        await receive()
        for call in self.started:
            call(asyncio.get_running_loop())
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await send({"type": "lifespan.shutdown.complete"})


_SMALL = range(LARGE + 1)


class _InLoop:
    """``Waits`` of a request in the event loop."""

    __slots__ = ("_front", "_receive")

    def __init__(self, front: Front, receive: Receive) -> None:
        self._front = front
        self._receive = receive

    async def read(self, wanted: int) -> bytes:
        return await self._front.reader.read(self._receive, wanted)

    async def call(self, function: Callable[[], T]) -> T:
        return await self._front.in_thread(function)

    async def store(self, message: NewMessage) -> Scheduled:
        return await self._front.store(message)


async def _until_gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _pause(gone: asyncio.Future[None], seconds: float) -> None:
    """Pause, at most until the client is gone."""
    if seconds > 0:
        await asyncio.wait((gone,), timeout=seconds)


async def _send(send: Send, status: int, headers: bridge.HeaderList, body: bytes) -> None:
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
