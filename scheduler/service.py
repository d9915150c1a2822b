"""Starts the service: settings → logs → runtime → HTTP.  ``stop`` shows the order in which it stops.

``python app.py`` and ``message-scheduler serve`` both call ``main``.
"""

from __future__ import annotations

import gc
import os
import socket
import sys
from collections.abc import Iterable
from pathlib import Path

from scheduler import __version__, otel, systemd
from scheduler.access import is_loopback
from scheduler.api.processes import ANY_ADDRESS, ApiProcesses
from scheduler.api.waiting import WaitingRoom
from scheduler.clock import SystemClock
from scheduler.config.connection_string import parse
from scheduler.config.database_url import masked
from scheduler.config.reading import Settings, ignored_variables, load_settings, secrets_of, settings_file
from scheduler.errors import ConfigError, ServiceError, StartCancelled
from scheduler.logs import sinks as logs
from scheduler.process.search_path import add_working_folder
from scheduler.process.signals import StopSignals, listen_for_signals
from scheduler.redis_server.loading import LoadingReport
from scheduler.runtime import Runtime


def main(config: Path | None = None) -> int:
    """Run the service until a signal asks it to stop; the exit code.

    ``config``: the settings file; None for the one that ``settings_file`` finds.  The caller ends the process with the
    code by ``os._exit``: Python would wait for threads whose deliveries ignore their grace.

    Exit codes: 0 stopped as asked; 1 could not start, or stopped at once by a second signal; 2 unusable settings.
    """
    signals = listen_for_signals()
    file = config or settings_file()
    add_working_folder()
    try:
        settings = named(load_settings(file))
        log = logs.setup(settings.logs, "scheduler", console=settings.logs.console, secrets=secrets_of(settings))
    except ConfigError as error:
        return refuse(error.problems, 2)
    except ServiceError as error:
        return refuse([str(error)], 1)
    try:
        return run(settings, file, log, signals)
    finally:
        log.close()


def run(settings: Settings, file: Path, log: logs.ServiceLogger, signals: StopSignals) -> int:
    """Start, wait for a signal, stop.  ``file``: where the settings come from, to be told."""
    runtime = Runtime(settings, logger=log)
    api = None
    drain_seconds: float | None = None
    server = settings.server
    room = WaitingRoom(server.host, server.port, lambda: f"Redis is loading its data: {report.words}.")
    report = LoadingReport(log, SystemClock(), room.open if server.role != "worker" else None)
    try:
        runtime.start(signals.asked, report)
        room.close()
        put_schedules(settings, runtime, log)
        if settings.server.role != "worker":
            api = ApiProcesses(settings, runtime.redis_url, log)
            api.start(signals.asked)
        for line in summary(settings, file, api.port if api else None, runtime.redis):
            log.info(line)
        warn_when_open(settings, log)
        warn_of_test_clock(settings, log)
        for line in ignored_variables():
            log.warning(line)
        keep_what_was_loaded()
        systemd.notify("READY=1")
        wait_for_stop(runtime, api, signals)
        systemd.notify("STOPPING=1")
        log.info(f"{signals.name}: stopping. A second signal stops at once.")
        drain_seconds = settings.server.drain_seconds
    except StartCancelled as cancelled:
        log.info(f"{signals.name}: {cancelled}")
    except ConfigError as error:
        return refuse(error.problems, 2)
    except ServiceError as error:
        return refuse([str(error)], 1)
    finally:
        room.close()
        stop(runtime, api, drain_seconds)
    log.info("Stopped.")
    return 0


def put_schedules(settings: Settings, runtime: Runtime, log: logs.ServiceLog) -> None:
    """Put the schedules of ``Schedules.File``.  Raises ``ConfigError``."""
    if settings.schedules.file:
        # Flask and the models of requests come with it, which this process needs for nothing else.
        from scheduler.api.v1 import schedule_file

        schedule_file.apply(settings, runtime.store, log)


def keep_what_was_loaded() -> None:
    """Take what was imported and built so far out of the garbage collector's sight: it stays until the end.

    A full collection looked at 90,000 such objects, and all deliveries waited for 25 to 50 ms meanwhile.
    """
    gc.collect()
    gc.freeze()


def stop(runtime: Runtime, api: ApiProcesses | None, drain_seconds: float | None) -> None:
    """Stop in the order that loses nothing.  Steps of what was not started do nothing.

    ``api``: None without HTTP.  ``drain_seconds``: for how long balancers are told first; None: nobody was served yet.
    """
    if api and drain_seconds is not None:
        api.drain(drain_seconds)  # /health answers 503 and connections are closed: balancers and clients go elsewhere
    if api:
        api.stop()  # nothing is accepted any more that nobody delivers
    runtime.stop_claiming()
    runtime.finish_deliveries()  # renewal goes on meanwhile, or other servers would take what runs; the rest goes back
    runtime.stop_maintenance()
    runtime.close_redis()
    runtime.stop_private_redis()  # last: everything above still reports to it


def wait_for_stop(runtime: Runtime, api: ApiProcesses | None, signals: StopSignals) -> None:
    """Return at the first signal.  Meanwhile systemd's watchdog, if there is one, hears of a service that works."""
    limit = systemd.watchdog_seconds()
    while not signals.asked.wait(limit and limit / 3):
        if runtime.works() and (api is None or api.answers()):
            systemd.notify("WATCHDOG=1")


def named(settings: Settings) -> Settings:
    """The settings with this server's name in them: its processes share it."""
    # The port is the same after a restart, and no two servers of a machine share one: series in /metrics go on.
    number = os.getpid() if settings.server.role == "worker" else settings.server.port or os.getpid()
    name = settings.server.name or f"{socket.gethostname()[:80]}-{number}"
    return settings.model_copy(update={"server": settings.server.model_copy(update={"name": name})})


def summary(settings: Settings, file: Path, port: int | None, redis: str) -> Iterable[str]:
    """What runs where, and what to type next.

    ``file``: of the settings; ``port``: None without HTTP; ``redis``: version, persistence.
    """
    server = settings.server
    yield f"Message Scheduling Service {__version__}, server {server.name}, role {server.role}"
    yield f"Read:   {file if file.exists() else f'{file} is not there: defaults'}, environment"
    yield f"Redis:  {redis} at {parse(settings.redis.connection_string)}"
    if settings.history_url:
        yield f"History: {masked(settings.history_url)}"
    if settings.open_telemetry.enabled:
        yield f"OTLP:   {otel.in_words()}"
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


def warn_of_test_clock(settings: Settings, log: logs.ServiceLog) -> None:
    """Say loudly that the clock of this service can be moved."""
    if settings.test.clock:
        log.warning(
            "THE TEST CLOCK IS ON: whoever may use the API can move this service's clock forward, and make every "
            "message due. For tests only; otherwise set Test.Clock (env TEST__CLOCK) to false."
        )


def refuse(problems: Iterable[str], code: int) -> int:
    """Each problem on a line of its own on stderr; the exit code."""
    for problem in problems:
        sys.stderr.write(f"{problem}\n")
    return code
