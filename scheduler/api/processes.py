"""The API's processes: children of the scheduler process, which starts, keeps and stops them.

The child is ``python -m scheduler.api.serve``.  It gets its settings as JSON in the environment variable
``SCHEDULER_SETTINGS`` and calls ``exit_with_parent`` first of all.

The models of the settings are not imported with this module: the child would pay 0.3 s for them at each start, before
the first worker begins.
"""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import closing
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Final

from scheduler.clock import Clock, SystemClock
from scheduler.errors import StartError
from scheduler.logs.sinks import Logger
from scheduler.process.search_path import child_environment
from scheduler.process.supervise import Child, Supervisor

if TYPE_CHECKING:
    from scheduler.config.reading import Settings

SETTINGS_VARIABLE: Final = "SCHEDULER_SETTINGS"
SECRETS_VARIABLE: Final = "SCHEDULER_SECRETS"
"""Which of their values are secrets, as JSON."""
START_SECONDS: Final = 30.0
STOP_SECONDS: Final = 15.0
"""Seconds that requests in progress get to end."""
WORKER_GRACE_SECONDS: Final = int(STOP_SECONDS) - 5
"""Less than the time after which the child and its workers are killed."""
DRAIN: Final = b"d"
"""Written to the child's stdin: the service will stop soon."""
DRAIN_SIGNAL: Final = signal.SIGUSR1
"""Tells a worker process the same."""
ANY_ADDRESS: Final = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}  # noqa: S104 - looked up, not bound
"""The loopback address by which this machine reaches a server that listens on all addresses."""


class ApiProcesses:
    """The HTTP server, kept running from ``start`` to ``stop``."""

    def __init__(
        self,
        settings: Settings,
        redis_url: str,
        logger: Logger,
        *,
        clock: Clock | None = None,
        module: str = "scheduler.api.serve",
    ) -> None:
        self.host = settings.server.host
        self.port = settings.server.port
        """0 until ``start`` has chosen one."""
        self._settings = settings
        self._redis_url = redis_url
        self._module = module
        child = Child("The HTTP server", self._launch, self.answers, self._exit_message, START_SECONDS, STOP_SECONDS)
        self._clock = clock or SystemClock()
        self._supervisor = Supervisor(child, logger, self._clock)
        self._reserved: socket.socket | None = None

    @property
    def pid(self) -> int | None:
        return self._supervisor.pid

    def start(self, cancel: threading.Event | None = None) -> None:
        """Start and wait until it answers.  Raises ``StartError``: address or port cannot be used, or it ended;
        ``StartCancelled`` when ``cancel`` is set meanwhile.
        """
        self.host = listening_address(self.host)
        self._reserved = reserve(self.host, self.port)
        self.port = self._reserved.getsockname()[1]
        try:
            self._supervisor.start(cancel)
        except BaseException:
            self._reserved.close()
            raise

    def drain(self, seconds: float) -> None:
        """Tell balancers and clients on kept connections that the service will stop, and give them time to leave."""
        self._supervisor.tell(DRAIN)
        self._clock.wait(threading.Event(), seconds)

    def stop(self) -> None:
        """Accept no more requests, answer those in progress, end."""
        self._supervisor.stop()
        if self._reserved is not None:
            self._reserved.close()

    def _launch(self, _: threading.Event) -> subprocess.Popen[bytes]:
        # The child ends when its stdin closes, however this process ended.  Nothing but DRAIN is ever written to it.
        return subprocess.Popen(
            [sys.executable, "-P", "-m", self._module],
            env=child_environment() | child_variables(self._child_settings()),
            stdin=subprocess.PIPE,
            # Ctrl-C in the terminal must reach this process alone: it stops HTTP first, then the rest.  Not by a
            # session of its own: Linux shares processors out to sessions first, and the niceness of the child would not
            # count.
            process_group=0,
        )

    def _child_settings(self) -> Settings:
        return self._settings.model_copy(
            update={
                "redis": self._settings.redis.model_copy(update={"connection_string": self._redis_url}),
                # ``auto`` is resolved here: the child sees no private Redis.
                "history": self._settings.history.model_copy(update={"url": self._settings.history_url}),
                "server": self._settings.server.model_copy(update={"port": self.port}),
            }
        )

    def answers(self) -> bool:
        """Return whether it answers at all: a server whose Redis is away answers 503, and is started."""
        connection = http.client.HTTPConnection(ANY_ADDRESS.get(self.host, self.host), self.port, timeout=5)
        with closing(connection):
            try:
                connection.request("GET", "/health")
                return connection.getresponse().status > 0
            except (OSError, http.client.HTTPException):
                return False

    def _exit_message(self, code: int) -> str:
        return f"The HTTP server on {self.host}:{self.port} ended with code {code}; the lines above say why."


def listening_address(host: str) -> str:
    """The IP address to listen on: the HTTP server takes no names.  Raises ``StartError`` for one that has none."""
    host = host.strip("[]")
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except OSError as error:
        raise StartError(
            f"Server.Host: {host} has no address on this machine ({error.strerror}); accepted: a name that resolves, "
            "or an IP address"
        ) from error
    # Of a name with IPv4 and IPv6 addresses (localhost), take the kind that more clients try first.
    addresses = sorted(found, key=lambda entry: entry[0] != socket.AF_INET)
    return str(addresses[0][4][0])


def reserve(host: str, port: int) -> socket.socket:
    """Return a socket that is bound to the port, or to one that is free for port 0, and does not listen.

    As long as it is open the system gives the port to nobody who asks for any: not while the HTTP server starts, nor
    while another one takes its place.  Raises ``StartError`` when the port cannot be listened on.  The HTTP server
    itself would not notice: it shares its port (SO_REUSEPORT) with whoever shares it too, another service for example,
    and each would get some of the requests of both.
    """
    probe = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    try:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind((host, port))
        # Only now: bound with it, it would not notice somebody who shares.  The HTTP server may share with it.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        return probe
    except OSError as error:
        probe.close()
        raise StartError(
            f"Cannot listen on {host}:{port} ({error.strerror}). Stop what uses it, or choose another port "
            "(Server.Port, env PORT) or address (Server.Host)."
        ) from error


def child_variables(settings: Settings) -> dict[str, str]:
    """Return the environment variables by which the child gets these settings."""
    from scheduler.config.reading import secrets_of

    return {SETTINGS_VARIABLE: settings.model_dump_json(), SECRETS_VARIABLE: json.dumps(secrets_of(settings))}


def handed_over() -> Settings:
    """Return the settings that the parent process handed over; for the workers."""
    from scheduler.config.reading import Settings

    return Settings.model_validate_json(os.environ[SETTINGS_VARIABLE])


def handed_over_plainly() -> tuple[Any, list[str]]:
    """Return the same for the child: as attributes without types (``settings.server.port``), and which are secrets.

    They were checked before they were written.
    """
    settings = json.loads(os.environ[SETTINGS_VARIABLE], object_hook=lambda fields: SimpleNamespace(**fields))
    return settings, json.loads(os.environ[SECRETS_VARIABLE])


def exit_with_parent(drain: Callable[[], None] = lambda: None) -> None:
    """End this process in good order (SIGTERM) when its parent is gone; call it in the child, first of all.

    ``drain`` is called, in a thread, when the parent says that it will stop soon.
    """

    def wait_for_the_end() -> None:
        # Not sys.stdin: its lock, held here, would hang every process that is forked from this one.
        while os.read(0, 1024):
            drain()
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=wait_for_the_end, name="exit-with-parent", daemon=True).start()
