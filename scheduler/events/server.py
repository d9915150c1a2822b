"""The WebSocket server of the live events: an event loop in a thread of the scheduler process."""

from __future__ import annotations

import asyncio
import errno
import logging
import resource
import socket
import threading
from contextlib import suppress
from http import HTTPStatus
from typing import Any, Final

from redis import Redis
from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.datastructures import Headers
from websockets.exceptions import ConnectionClosed
from websockets.frames import CloseCode
from websockets.http11 import Request as Handshake
from websockets.http11 import Response

from scheduler.clock import Clock
from scheduler.config.settings import Settings
from scheduler.errors import InvalidInput, StartError, StoreUnavailable
from scheduler.events.access import Access, choose_protocol
from scheduler.events.frames import GAP, Frames, Request, hello
from scheduler.events.hub import Hub
from scheduler.events.listener import REDIS_AWAY, Listener
from scheduler.events.stream import AWAY, Batch, EventStream, Positions
from scheduler.logs.sinks import ServiceLog

REBIND_SECONDS: Final = 5.0
"""Time between two tries to listen on a port that another process holds."""
CLOSE_SECONDS: Final = 10.0
"""How long a viewer that is being closed may take to read the rest, including the reason."""
STOP_SECONDS: Final = 1.0
"""The same for all viewers when this server stops."""
_CLIENT_BYTES: Final = 1024
"""Largest message from a viewer; viewers are not expected to send any."""
_KERNEL_BYTES: Final = 128 * 1024
"""Send buffer of a connection in the kernel, which doubles this value."""
_SPARE_FILES: Final = 64
_STOPPING: Final = "this server stops"


class EventServer:
    """Serves ``ws://<Server.Host>:<Events.Port>/v1/events`` from ``start`` to ``stop``."""

    def __init__(self, settings: Settings, client: Redis, *, server: str, clock: Clock, log: ServiceLog) -> None:
        """``client`` must decode replies to str.  ``server``: this server's name."""
        self.port: int | None = None
        """The port in use; None while another process on this machine has it."""
        self._settings = settings
        self._server = server
        self._log = log
        self._access = Access(settings)
        self._stream = EventStream(client, settings.redis.partitions, settings.events.kept)
        self._clock = clock
        self._listener: Listener | None = None
        self._hub = Hub(settings.events.buffer_bytes, self._wake, self._drop)
        self._closing: set[asyncio.Task[None]] = set()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop: asyncio.Event | None = None
        self._thread: threading.Thread | None = None
        self._started = threading.Event()
        self._failure: str | None = None

    @property
    def viewers(self) -> int:
        """Return the number of connections, including viewers that still catch up."""
        return self._hub.viewers

    def start(self) -> None:
        """Listen for viewers.  Raises ``StartError`` for an address that cannot be used.

        When the port is taken, ``start`` returns and the port is tried again until it is free: another server of this
        service may have it, and shows the events of all servers.
        """
        _allow_files(self._settings.events.max_viewers)
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()), name="events", daemon=True)
        self._thread.start()
        self._started.wait()
        if self._failure is not None:
            self._thread.join()
            raise StartError(self._failure)

    def stop(self) -> None:
        """Close all viewers with code 1001, so that they connect to another server.  May be called twice."""
        if self._thread is None or not self._thread.is_alive():
            return
        if self._loop is not None and self._stop is not None:
            self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()

    # -- the event loop's thread -----------------------------------------------------------------------------------

    async def _run(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._loop.set_exception_handler(self._log_error)
        self._stop = asyncio.Event()
        self._listener = listener = Listener(self._stream, _FromThread(self._hub, self._loop), self._clock, self._log)
        try:
            server = await self._listen()
        finally:
            self._started.set()
        if server is None:
            return
        listener.start()
        await self._stop.wait()
        self.port = None
        # The listener passes its last batch to this loop, so the loop must not end before it.
        await asyncio.to_thread(listener.stop)
        self._hub.close(_STOPPING)
        await _close(server)

    async def _listen(self) -> Server | None:
        """Return the server as soon as its port is free; None when stopped before, or it cannot listen at all."""
        host, port = self._settings.server.host, self._settings.events.port
        while not self._is_stopping():
            try:
                server = await self._bind(host, port)
            except OSError as error:
                if error.errno != errno.EADDRINUSE:
                    self._failure = (
                        f"Cannot listen on {host}:{port} for live events ({error.strerror or error}). Choose another "
                        "port (Events.Port) or address (Server.Host), or set Events.Enabled to false."
                    )
                    return None
                if not self._started.is_set():
                    self._log.warning(
                        f"{host}:{port} is in use: this server shows no live events until the port is free. Nothing to "
                        "do if another server of this service uses it, as that one shows the events of all; otherwise "
                        "set Events.Port."
                    )
                self._started.set()
                await self._stopped_within(REBIND_SECONDS)
            else:
                self.port = server.sockets[0].getsockname()[1]
                self._log.info(f"Live events: ws://{host}:{self.port}/v1/events")
                return server
        return None

    async def _bind(self, host: str, port: int) -> Server:
        plan = self._settings.events
        server = await serve(
            self._view,
            host.strip("[]"),
            port,
            process_request=self._admit,
            select_subprotocol=choose_protocol,
            server_header=None,
            # No compression: done for each of a thousand viewers, it would cost as much processor time as delivery.
            compression=None,
            max_size=_CLIENT_BYTES,
            ping_interval=plan.ping_seconds,
            ping_timeout=plan.ping_seconds,
            close_timeout=CLOSE_SECONDS,
            logger=_silent(),
        )
        for listening in server.sockets:
            # Each connection inherits it.  Otherwise the kernel would buffer up to 4 MiB for a slow viewer.
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _KERNEL_BYTES)
        return server

    def _admit(self, _: ServerConnection, handshake: Handshake) -> Response | None:
        """Return the HTTP answer to a handshake that is refused; None: it goes on."""
        if refusal := self._access.refuse(handshake.path, handshake.headers):
            return _answer(*refusal)
        try:
            Request.parse(handshake.path, self._stream.partitions)
        except InvalidInput as error:
            return _answer(HTTPStatus.BAD_REQUEST, str(error))
        if self._hub.viewers >= self._settings.events.max_viewers:
            return _answer(HTTPStatus.SERVICE_UNAVAILABLE, "too many viewers (Events.MaxViewers): try again later")
        return None

    async def _view(self, connection: ServerConnection) -> None:
        """Serve one viewer, from its greeting to its end."""
        assert connection.request is not None  # noqa: S101 - there is one after the handshake
        request = Request.parse(connection.request.path, self._stream.partitions)
        with self._hub.visit(request.wanted, connection), suppress(ConnectionClosed):
            try:
                await self._greet(connection, request)
            except StoreUnavailable as error:
                await connection.close(CloseCode.TRY_AGAIN_LATER, str(error))
                return
            except AWAY:
                await connection.close(CloseCode.TRY_AGAIN_LATER, REDIS_AWAY)
                return
            async for _ in connection:
                if request.wanted.jobs_words:
                    continue  # the older system with this path ignored messages too
                await connection.close(CloseCode.POLICY_VIOLATION, "viewers only listen")

    async def _greet(self, connection: ServerConnection, request: Request) -> None:
        """Send the first frame and the missed events; return when the viewer gets new events like the others."""
        await self._hub.ready()
        if request.cursor is None:
            self._hub.join(request.wanted, connection, hello(self._server, request.wanted, resumed=False))
            return
        batch = await asyncio.to_thread(self._stream.after, request.cursor)
        for frame in hello(self._server, request.wanted, resumed=not batch.gap):
            await connection.send(frame, text=True)
        while not batch.gap:
            for frame in Frames(batch).for_viewer(request.wanted):
                await connection.send(frame, text=True)
            if self._hub.join(request.wanted, connection, seen=batch.positions):
                return
            batch = await self._read_on(batch.positions)
        self._hub.join(request.wanted, connection, [GAP])

    async def _read_on(self, seen: Positions) -> Batch:
        """Return the events after ``seen`` that the other viewers have been sent."""
        # Positions are known: events are read while the viewer is in ``visit``.
        target = self._hub.positions or seen
        if any(place < target[partition] for partition, place in seen.items()):
            return await asyncio.to_thread(self._stream.read, seen, 0, target)
        # The viewer comes from another server, which had read further than the listener here.
        await self._hub.turn()
        return Batch([], seen)

    def _wake(self) -> None:
        if self._listener is not None:
            self._listener.wake()

    def _drop(self, connection: ServerConnection) -> None:
        """Close a viewer that is too slow, without waiting for it."""
        limit = self._settings.events.buffer_bytes
        reason = f"too slow: more than {limit} bytes behind; go on with last_event_id"
        task = asyncio.get_running_loop().create_task(connection.close(CloseCode.TRY_AGAIN_LATER, reason))
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)

    def _is_stopping(self) -> bool:
        return self._stop is not None and self._stop.is_set()

    async def _stopped_within(self, seconds: float) -> None:
        if self._stop is not None:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._stop.wait(), seconds)

    def _log_error(self, _: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        error = context.get("exception")
        self._log.error(f"live events: {context.get('message')}: {error}", exception=error)


class _FromThread:
    """The hub as the listener's thread may call it."""

    def __init__(self, hub: Hub, loop: asyncio.AbstractEventLoop) -> None:
        self._hub = hub
        self._loop = loop

    @property
    def viewers(self) -> int:
        return self._hub.viewers

    @property
    def frames(self) -> int:
        return self._hub.frames

    def publish(self, batch: Batch) -> bool:
        async def publish() -> bool:
            return self._hub.publish(batch)

        return asyncio.run_coroutine_threadsafe(publish(), self._loop).result()

    def away(self, reason: str) -> None:
        self._loop.call_soon_threadsafe(self._hub.away, reason)


async def _close(server: Server) -> None:
    """Close all viewers, and abort those that do not react in time."""
    server.close(code=CloseCode.GOING_AWAY, reason=_STOPPING)
    with suppress(TimeoutError):
        await asyncio.wait_for(asyncio.shield(server.wait_closed()), STOP_SECONDS)
        return
    for connection in list(server.all_connections):
        connection.transport.abort()
    await server.wait_closed()


def _answer(status: HTTPStatus, text: str) -> Response:
    body = f"{text}\n".encode()
    headers = Headers(
        [
            ("Content-Type", "text/plain; charset=utf-8"),
            ("Content-Length", str(len(body))),
            ("Connection", "close"),
        ]
    )
    if status == HTTPStatus.UNAUTHORIZED:
        headers["WWW-Authenticate"] = "Bearer"
    return Response(status.value, status.phrase, headers, body)


def _silent() -> logging.Logger:
    """Return a disabled logger: websockets logs a traceback per failed handshake, so anybody could fill the disk."""
    logger = logging.getLogger("scheduler.events.websockets")
    logger.disabled = True
    return logger


def _allow_files(viewers: int) -> None:
    """Raise the limit of open files by the number of viewers, each of which needs one."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY:
        wanted = soft + viewers + _SPARE_FILES
        with suppress(OSError, ValueError):
            resource.setrlimit(
                resource.RLIMIT_NOFILE, (wanted if hard == resource.RLIM_INFINITY else min(wanted, hard), hard)
            )
