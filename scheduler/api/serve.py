"""``python -m scheduler.api.serve``: the API's processes under Granian, as a child of the scheduler process.

The settings come as JSON in the environment variable ``SCHEDULER_SETTINGS``.  ``Server.ApiProcesses`` worker processes,
each with an event loop and ``Server.ApiThreads`` threads; the kernel spreads connections over them (SO_REUSEPORT).
"""

from __future__ import annotations

import asyncio
import atexit
import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Callable
from importlib.util import find_spec

from granian.constants import HTTPModes, Interfaces, Loops
from granian.http import HTTP1Settings
from granian.log import LogLevels
from granian.server import MPServer

from scheduler.api.front.application import Front
from scheduler.api.http.server_log import CONFIGURATION, ServerLog
from scheduler.api.processes import SETTINGS_VARIABLE, STOP_SECONDS, exit_with_parent, listening_address
from scheduler.api.runtime import ApiRuntime, name_of
from scheduler.clock import SystemClock
from scheduler.config.reading import Settings, secrets_of
from scheduler.jobs import load
from scheduler.logs import sinks as logs
from scheduler.otel import open_pipeline
from scheduler.process.search_path import add_working_folder
from scheduler.redis_server.connections import connect
from scheduler.store import store_for

DRAIN_SIGNAL = signal.SIGUSR1
"""Tells a worker process that the service will stop soon."""

BACKLOG = 2048
"""Open connections at most, over all workers, idle ones included; as many more may wait to be accepted."""

HEADER_SECONDS = 10
"""Time for a client to send all headers, else it is disconnected.  front/reading.py limits bodies."""

_WORKER_GRACE_SECONDS = int(STOP_SECONDS) - 5
"""Less than the time after which the parent process kills this one and its workers."""


def read_settings() -> Settings:
    """Return the settings that the parent process handed over."""
    return Settings.model_validate_json(os.environ[SETTINGS_VARIABLE])


def create_worker() -> Front:
    """Return the application of one worker process, its heartbeat running.  Granian calls this in each worker."""
    settings = read_settings()
    log = _set_up_log(settings, "api")
    _exit_with_server()
    load(settings.jobs.module_names, settings.jobs.fallback)
    clock = SystemClock()
    client = connect(settings.redis.connection_string, socket_timeout=settings.redis.socket_timeout_seconds)
    pipeline = open_pipeline(settings, name_of(settings), log, clock)
    runtime = ApiRuntime(settings, store_for(settings, client, clock), clock, log, pipeline)
    front = runtime.create_front()
    _report_until_told_to_stop(runtime)
    front.started.append(_listen_for_signals(runtime))
    return front


def _report_until_told_to_stop(runtime: ApiRuntime) -> None:
    """Start the heartbeat, and sign off at the end, at whatever moment SIGTERM comes.

    Until the event loop listens for signals, SIGTERM would end this process at once, and the others would take it for
    alive until its heartbeat is too old.
    """
    asked = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: asked.set())
    signal.signal(DRAIN_SIGNAL, lambda *_: runtime.services.stopping.set())
    atexit.register(runtime.stop)
    runtime.start()
    # Set only now: an exception while a thread is being started would leave one behind that never stops.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    if asked.is_set():
        sys.exit(0)


def _listen_for_signals(runtime: ApiRuntime) -> Callable[[asyncio.AbstractEventLoop], None]:
    def listen(loop: asyncio.AbstractEventLoop) -> None:
        loop.add_signal_handler(DRAIN_SIGNAL, runtime.services.stopping.set)
        loop.add_signal_handler(signal.SIGTERM, stop)

    def stop() -> None:
        # Granian waits for its requests, and one that hangs in a thread would never end.
        threading.Thread(target=_end_in_time, args=(runtime,), name="end-in-time", daemon=True).start()
        # Granian stops on SIGINT as well.
        signal.raise_signal(signal.SIGINT)

    return listen


def _end_in_time(runtime: ApiRuntime) -> None:
    """End a worker that does not end by itself (a request hangs), before Granian kills it and it cannot sign off."""
    threading.Event().wait(_WORKER_GRACE_SECONDS - 1)
    runtime.stop()
    os._exit(1)


def _set_up_log(settings: Settings, role: str) -> logs.ServiceLog:
    ServerLog.target = logs.setup(settings.logs, role, console=settings.logs.console, secrets=secrets_of(settings))
    return ServerLog.target


def _exit_with_server() -> None:
    """End in good order when the parent process was killed: no other process would stop this worker."""
    server = multiprocessing.parent_process()
    if server is None:
        return

    def wait_for_the_end() -> None:
        server.join()
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=wait_for_the_end, name="exit-with-server", daemon=True).start()


def build_server(settings: Settings) -> MPServer:
    """Return the HTTP server, not yet serving."""
    return MPServer(
        "scheduler.api.serve:create_worker",
        factory=True,
        address=listening_address(settings.server.host),
        port=settings.server.port,
        interface=Interfaces.ASGI,
        loop=Loops.uvloop if find_spec("uvloop") else Loops.asyncio,
        websockets=False,
        http=HTTPModes.http1,
        http1_settings=HTTP1Settings(header_read_timeout=HEADER_SECONDS * 1000),
        workers=settings.server.api_processes,
        backlog=BACKLOG,
        respawn_failed_workers=True,
        workers_kill_timeout=_WORKER_GRACE_SECONDS,
        log_level=LogLevels.error,
        log_dictconfig=CONFIGURATION,
    )


def main() -> None:
    """Serve until SIGTERM."""
    # A forked worker would inherit the locks of threads that it does not have.
    multiprocessing.set_start_method("spawn")
    exit_with_parent(drain=_tell_workers)
    add_working_folder()  # the workers get this process's search path
    settings = read_settings()
    _set_up_log(settings, "http")
    build_server(settings).serve()


def _tell_workers() -> None:
    for worker in multiprocessing.active_children():
        if worker.pid is not None:
            os.kill(worker.pid, DRAIN_SIGNAL)


if __name__ == "__main__":
    main()
