"""``python -m scheduler.api.serve``: the API's processes under Granian, as a child of the scheduler process.

The settings come as JSON in the environment variable ``SCHEDULER_SETTINGS``.  ``Server.ApiProcesses`` worker processes,
each with an event loop and ``Server.ApiThreads`` threads; the kernel spreads connections over them (SO_REUSEPORT).

This process keeps the workers and answers nothing itself.  So it imports neither Flask nor the store nor the models of
the settings: they would cost 0.8 s at each start, before the first worker begins, and 50 MB.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
from contextlib import suppress
from importlib.util import find_spec
from typing import Any

from granian.constants import HTTPModes, Interfaces, Loops
from granian.http import HTTP1Settings
from granian.log import LogLevels
from granian.server import MPServer

from scheduler.api.http.server_log import CONFIGURATION, ServerLog
from scheduler.api.processes import (
    DRAIN_SIGNAL,
    WORKER_GRACE_SECONDS,
    exit_with_parent,
    handed_over_plainly,
    listening_address,
)
from scheduler.process.search_path import add_working_folder

NICENESS = 5
"""Where this server delivers too: a flood of requests leaves the processor to messages that are due.  While 2,000 were
accepted a second on two cores, the p99 of the others' lateness was 10 ms, and 13 ms without it."""

BACKLOG = 2048
"""Open connections at most, over all workers, idle ones included; as many more may wait to be accepted."""

HEADER_SECONDS = 10
"""Time for a client to send all headers, else it is disconnected.  front/reading.py limits bodies."""


def build_server(settings: Any) -> MPServer:
    """Return the HTTP server, not yet serving.  ``settings``: as attributes, checked by the parent."""
    return MPServer(
        "scheduler.api.worker:create_worker",
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
        workers_kill_timeout=WORKER_GRACE_SECONDS,
        log_level=LogLevels.error,
        log_dictconfig=CONFIGURATION,
    )


def main() -> None:
    """Serve until SIGTERM."""
    # A forked worker would inherit the locks of threads that it does not have.
    multiprocessing.set_start_method("spawn")
    exit_with_parent(drain=_tell_workers)
    add_working_folder()  # the workers get this process's search path
    settings, secrets = handed_over_plainly()
    if settings.server.role == "all":
        with suppress(PermissionError):  # a sandbox may forbid it; messages are later then, no more
            os.nice(NICENESS)
    # Not in the terminal's foreground, it would be stopped at its first line where ``stty tostop`` is set.
    signal.signal(signal.SIGTTOU, signal.SIG_IGN)
    ServerLog.open(settings.logs, "http", console=settings.logs.console, secrets=secrets)
    build_server(settings).serve()


def _tell_workers() -> None:
    for worker in multiprocessing.active_children():
        if worker.pid is not None:
            os.kill(worker.pid, DRAIN_SIGNAL)


if __name__ == "__main__":
    main()
