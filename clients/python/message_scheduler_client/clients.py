"""``Client`` and ``AsyncClient``: the same methods, blocking and for asyncio."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from functools import wraps
from typing import Any, Concatenate, ParamSpec, Self, TypeVar
from weakref import WeakKeyDictionary

import httpx

from message_scheduler_client import calls
from message_scheduler_client.calls import Call
from message_scheduler_client.exchange import Exchange, Service
from message_scheduler_client.retries import Retries

P = ParamSpec("P")
T = TypeVar("T")
Item = TypeVar("Item")
Page = TypeVar("Page", bound=Mapping[str, Any])

_TIMEOUT = 30.0
_DEFAULT = Retries()


def _method(build: Callable[P, Call[T]]) -> Callable[Concatenate[Client, P], T]:
    @wraps(build)
    def method(self: Client, /, *args: P.args, **kwargs: P.kwargs) -> T:
        return self.call(build(*args, **kwargs))

    return method


def _iterator(
    build: Callable[P, Call[Page]], items: Callable[[Page], Sequence[Item]]
) -> Callable[Concatenate[Client, P], Iterator[Item]]:
    def method(self: Client, /, *args: P.args, **kwargs: P.kwargs) -> Iterator[Item]:
        """Go through what matches, page by page, each page fetched when it is needed; ``limit`` is a page's size."""
        call: Call[Page] | None = build(*args, **kwargs)
        while call is not None:
            page = self.call(call)
            yield from items(page)
            call = _next(call, page)

    return method


def _coroutine(build: Callable[P, Call[T]]) -> Callable[Concatenate[AsyncClient, P], Awaitable[T]]:
    @wraps(build)
    async def method(self: AsyncClient, /, *args: P.args, **kwargs: P.kwargs) -> T:
        return await self.call(build(*args, **kwargs))

    return method


def _async_iterator(
    build: Callable[P, Call[Page]], items: Callable[[Page], Sequence[Item]]
) -> Callable[Concatenate[AsyncClient, P], AsyncIterator[Item]]:
    async def method(self: AsyncClient, /, *args: P.args, **kwargs: P.kwargs) -> AsyncIterator[Item]:
        """Go through what matches, page by page, each page fetched when it is needed; ``limit`` is a page's size."""
        call: Call[Page] | None = build(*args, **kwargs)
        while call is not None:
            page = await self.call(call)
            for item in items(page):
                yield item
            call = _next(call, page)

    return method


def _next(call: Call[Page], page: Page) -> Call[Page] | None:
    cursor = page["next_cursor"]
    return None if cursor is None else call.after(cursor)


class Client:
    """A client for code that waits.  Thread-safe; close it, or use it as a context manager."""

    def __init__(
        self,
        url: str | None = None,
        *,
        token: str | None = None,
        retries: Retries = _DEFAULT,
        timeout: float = _TIMEOUT,
        http: httpx.Client | None = None,
    ) -> None:
        """``url``, ``token``: None for the environment's ``MESSAGE_SCHEDULER_URL`` and ``MESSAGE_SCHEDULER_TOKEN``,
        and ``http://127.0.0.1:3000`` without a token where that has none.  ``timeout``: seconds for one request.
        ``http``: a client of yours with other settings (proxies, certificates); it is not closed, and ``timeout`` is
        its own.
        """
        self._service = Service(url, token, retries)
        self._own = http is None
        self._http = http or httpx.Client(timeout=timeout, trust_env=self._service.by_proxy)

    def call(self, call: Call[T]) -> T:
        """Send a call, again where that is safe and may help; return its answer.  Raises ``SchedulerError``."""
        exchange = Exchange(self._service, call)
        while (wait := exchange.took(self._sent(exchange.request))) is not None:
            time.sleep(wait)
        return exchange.answer()

    def _sent(self, request: httpx.Request) -> httpx.Response | httpx.RequestError:
        try:
            return self._http.send(request)
        except httpx.RequestError as error:
            return error

    def close(self) -> None:
        """Close the connections."""
        if self._own:
            self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    send = _method(calls.send)
    send_many = _method(calls.send_many)
    get = _method(calls.get)
    messages = _iterator(calls.messages_page, lambda page: page["messages"])
    messages_page = _method(calls.messages_page)
    change = _method(calls.change)
    cancel = _method(calls.cancel)
    run = _method(calls.run)
    redrive = _method(calls.redrive)
    redrive_many = _method(calls.redrive_many)
    history = _iterator(calls.history_page, lambda page: page["messages"])
    history_page = _method(calls.history_page)
    get_history = _method(calls.get_history)
    redrive_history = _method(calls.redrive_history)
    history_summary = _method(calls.history_summary)
    create_schedule = _method(calls.create_schedule)
    put_schedule = _method(calls.put_schedule)
    get_schedule = _method(calls.get_schedule)
    change_schedule = _method(calls.change_schedule)
    delete_schedule = _method(calls.delete_schedule)
    pause_schedule = _method(calls.pause_schedule)
    resume_schedule = _method(calls.resume_schedule)
    run_schedule = _method(calls.run_schedule)
    backfill_schedule = _method(calls.backfill_schedule)
    schedules = _iterator(calls.schedules_page, lambda page: page["schedules"])
    schedules_page = _method(calls.schedules_page)
    preview_schedule = _method(calls.preview_schedule)
    flows = _iterator(calls.flows_page, lambda page: page["flows"])
    flows_page = _method(calls.flows_page)
    get_flow = _method(calls.get_flow)
    pin_flow = _method(calls.pin_flow)
    unpin_flow = _method(calls.unpin_flow)
    pause_flow = _method(calls.pause_flow)
    resume_flow = _method(calls.resume_flow)
    reset_flow = _method(calls.reset_flow)
    destinations = _method(calls.destinations)
    get_destination = _method(calls.get_destination)
    open_destination = _method(calls.open_destination)
    close_destination = _method(calls.close_destination)
    pause = _method(calls.pause)
    resume = _method(calls.resume)
    preview = _method(calls.preview)
    move_clock = _method(calls.move_clock)
    stats = _method(calls.stats)
    health = _method(calls.health)


class AsyncClient:
    """The same for asyncio."""

    def __init__(
        self,
        url: str | None = None,
        *,
        token: str | None = None,
        retries: Retries = _DEFAULT,
        timeout: float = _TIMEOUT,
        http: httpx.AsyncClient | None = None,
    ) -> None:
        """See ``Client``."""
        self._service = Service(url, token, retries)
        self._given = http
        self._timeout = timeout
        # A connection belongs to the loop that opened it, and code that runs asyncio.run again and again has many.
        self._of_loops: WeakKeyDictionary[asyncio.AbstractEventLoop, httpx.AsyncClient] = WeakKeyDictionary()

    async def call(self, call: Call[T]) -> T:
        """See ``Client.call``."""
        exchange = Exchange(self._service, call)
        while (wait := exchange.took(await self._sent(exchange.request))) is not None:
            await asyncio.sleep(wait)
        return exchange.answer()

    async def _sent(self, request: httpx.Request) -> httpx.Response | httpx.RequestError:
        try:
            return await self._http().send(request)
        except httpx.RequestError as error:
            return error

    def _http(self) -> httpx.AsyncClient:
        if self._given is not None:
            return self._given
        loop = asyncio.get_running_loop()
        if loop not in self._of_loops:
            self._of_loops[loop] = httpx.AsyncClient(timeout=self._timeout, trust_env=self._service.by_proxy)
        return self._of_loops[loop]

    async def close(self) -> None:
        """Close the connections of this event loop."""
        if self._given is None:
            await self._http().aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    send = _coroutine(calls.send)
    send_many = _coroutine(calls.send_many)
    get = _coroutine(calls.get)
    messages = _async_iterator(calls.messages_page, lambda page: page["messages"])
    messages_page = _coroutine(calls.messages_page)
    change = _coroutine(calls.change)
    cancel = _coroutine(calls.cancel)
    run = _coroutine(calls.run)
    redrive = _coroutine(calls.redrive)
    redrive_many = _coroutine(calls.redrive_many)
    history = _async_iterator(calls.history_page, lambda page: page["messages"])
    history_page = _coroutine(calls.history_page)
    get_history = _coroutine(calls.get_history)
    redrive_history = _coroutine(calls.redrive_history)
    history_summary = _coroutine(calls.history_summary)
    create_schedule = _coroutine(calls.create_schedule)
    put_schedule = _coroutine(calls.put_schedule)
    get_schedule = _coroutine(calls.get_schedule)
    change_schedule = _coroutine(calls.change_schedule)
    delete_schedule = _coroutine(calls.delete_schedule)
    pause_schedule = _coroutine(calls.pause_schedule)
    resume_schedule = _coroutine(calls.resume_schedule)
    run_schedule = _coroutine(calls.run_schedule)
    backfill_schedule = _coroutine(calls.backfill_schedule)
    schedules = _async_iterator(calls.schedules_page, lambda page: page["schedules"])
    schedules_page = _coroutine(calls.schedules_page)
    preview_schedule = _coroutine(calls.preview_schedule)
    flows = _async_iterator(calls.flows_page, lambda page: page["flows"])
    flows_page = _coroutine(calls.flows_page)
    get_flow = _coroutine(calls.get_flow)
    pin_flow = _coroutine(calls.pin_flow)
    unpin_flow = _coroutine(calls.unpin_flow)
    pause_flow = _coroutine(calls.pause_flow)
    resume_flow = _coroutine(calls.resume_flow)
    reset_flow = _coroutine(calls.reset_flow)
    destinations = _coroutine(calls.destinations)
    get_destination = _coroutine(calls.get_destination)
    open_destination = _coroutine(calls.open_destination)
    close_destination = _coroutine(calls.close_destination)
    pause = _coroutine(calls.pause)
    resume = _coroutine(calls.resume)
    preview = _coroutine(calls.preview)
    move_clock = _coroutine(calls.move_clock)
    stats = _coroutine(calls.stats)
    health = _coroutine(calls.health)
