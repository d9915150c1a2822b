"""One worker process of the API: what Granian runs in it.

A module of its own, because serve.py runs in the process that keeps the workers, which needs none of this.
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

from scheduler.api.front.application import Front
from scheduler.api.http.server_log import ServerLog
from scheduler.api.processes import DRAIN_SIGNAL, WORKER_GRACE_SECONDS, handed_over
from scheduler.api.runtime import ApiRuntime, name_of
from scheduler.clock import SystemClock
from scheduler.config.reading import secrets_of
from scheduler.jobs import load
from scheduler.otel import open_pipeline
from scheduler.redis_server.connections import connect
from scheduler.store import store_for


def create_worker() -> Front:
    """Return the application of one worker process, its heartbeat running.  Granian calls this in each worker."""
    settings = handed_over()
    log = ServerLog.open(settings.logs, "api", console=settings.logs.console, secrets=secrets_of(settings))
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
    threading.Event().wait(WORKER_GRACE_SECONDS - 1)
    runtime.stop()
    os._exit(1)


def _exit_with_server() -> None:
    """End in good order when the parent process was killed: no other process would stop this worker."""
    server = multiprocessing.parent_process()
    if server is None:
        return

    def wait_for_the_end() -> None:
        server.join()
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=wait_for_the_end, name="exit-with-server", daemon=True).start()
