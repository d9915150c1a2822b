"""Starts the service: settings → logs → runtime → HTTP; stops it in the opposite order.

Exit codes: 0 stopped as asked; 1 could not start, or stopped at once by a second signal; 2 unusable settings.
"""

from __future__ import annotations

import os
import queue
import signal
import socket
import sys
import threading
from collections.abc import Iterable

from scheduler import __version__, logs
from scheduler.access import is_loopback
from scheduler.config import Settings, load_settings, secrets_of
from scheduler.connect import parse
from scheduler.errors import ConfigError, ServiceError
from scheduler.processes import ANY_ADDRESS, ApiProcesses
from scheduler.runtime import Runtime


def main() -> int:
    """Run the service until SIGTERM or SIGINT; the exit code."""
    signals = listen_for_signals()
    try:
        settings = named(load_settings())
        log = logs.setup(settings.logs, "scheduler", console=settings.logs.console, secrets=secrets_of(settings))
    except ConfigError as error:
        return refuse(error.problems, 2)
    except ServiceError as error:
        return refuse([str(error)], 1)
    try:
        return run(settings, log, signals)
    finally:
        log.close()


def run(settings: Settings, log: logs.ServiceLogger, signals: queue.SimpleQueue[int]) -> int:
    """Start, wait for a signal, stop: HTTP first, so that nothing is accepted that nobody delivers any more."""
    runtime = Runtime(settings, logger=log)
    api = None
    try:
        runtime.start()
        if settings.server.role != "worker":
            api = ApiProcesses(settings, runtime.redis_url, log)
            api.start()
        for line in summary(settings, api.port if api else None, runtime.redis):
            log.info(line)
        warn_when_open(settings, log)
        log.info(f"{signal.Signals(signals.get()).name}: stopping. A second signal stops at once.")
    except ConfigError as error:
        return refuse(error.problems, 2)
    except ServiceError as error:
        return refuse([str(error)], 1)
    finally:
        if api:
            api.stop()
        runtime.stop()
    log.info("Stopped.")
    return 0


def named(settings: Settings) -> Settings:
    """The settings with this server's name in them: its processes share it."""
    # The port is the same after a restart, and no two servers of a machine share one: series in /metrics go on.
    number = os.getpid() if settings.server.role == "worker" else settings.server.port or os.getpid()
    name = settings.server.name or f"{socket.gethostname()[:80]}-{number}"
    return settings.model_copy(update={"server": settings.server.model_copy(update={"name": name})})


def listen_for_signals() -> queue.SimpleQueue[int]:
    """A queue that gets the first SIGTERM or SIGINT; the second one ends the process where it stands.

    A thread reads them from a pipe.  Python runs handlers in the main thread alone, which sleeps on, in a queue or a
    join, when the kernel has interrupted another thread: one SIGTERM in twenty was not heard on a busy machine.
    """
    signals: queue.SimpleQueue[int] = queue.SimpleQueue()
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    signal.set_wakeup_fd(writing)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda _number, _frame: None)

    def listen() -> None:
        signals.put(os.read(reading, 1)[0])
        os.read(reading, 1)
        # The children notice: HTTP by its closed stdin, the private Redis by the kernel's signal.
        os.write(2, b"Stopped at once: messages in flight are delivered again when their locks expire.\n")
        os._exit(1)

    threading.Thread(target=listen, name="signals", daemon=True).start()
    return signals


def summary(settings: Settings, port: int | None, redis: str) -> Iterable[str]:
    """What runs where, and what to type next.  ``port``: None without HTTP; ``redis``: version, persistence."""
    server = settings.server
    yield f"Message Scheduling Service {__version__}, server {server.name}, role {server.role}"
    yield f"Redis:  {redis} at {parse(settings.redis.connection_string)}"
    if port is not None:
        host = ANY_ADDRESS.get(server.host, server.host)
        host = f"[{host}]" if ":" in host else host
        url = f"http://{host}:{port}"
        variable = "${API_AUTH%%,*}" if len(settings.api.tokens) > 1 else "$API_AUTH"
        token = f' -H "Authorization: {variable}"' if settings.api.tokens else ""
        yield f"HTTP:   {url} (documentation: {url}/docs), token {'***' if token else 'not set'}"
        example = """-H 'Content-Type: application/json' -d '{"message": "hello", "delay": 5}'"""
        yield f"Try:    curl {url}/v1/messages{token} {example}"
    yield f"Stop:   Ctrl-C, or kill {os.getpid()}"


def warn_when_open(settings: Settings, log: logs.ServiceLog) -> None:
    """Say loudly that everybody may use the API when nothing keeps them from it."""
    if settings.server.role != "worker" and not settings.api.tokens and not is_loopback(settings.server.host):
        log.warning(
            f"ANYBODY who reaches {settings.server.host} can use this service: no token is set. "
            "Set Api.AuthToken (env API_AUTH), or listen on 127.0.0.1 only (Server.Host)."
        )


def refuse(problems: Iterable[str], code: int) -> int:
    """Each problem on a line of its own on stderr; the exit code."""
    for problem in problems:
        sys.stderr.write(f"{problem}\n")
    return code


if __name__ == "__main__":
    # Not sys.exit(): Python waits for the pool's threads, also for one that ignores its grace.
    os._exit(main())
