"""Idle: what the service costs while nothing is due."""

from __future__ import annotations

import socket
import threading
import time
from contextlib import closing

from bench.console import FileConsole
from bench.messages import fill_far
from bench.service import Service, folder, wait_quiet
from bench.table import Figure, Row, check


def measure(quick: bool) -> Row:
    """CPU of all processes together, and Redis commands, while messages are pending and none is due."""
    count, seconds = (2_000, 2.0) if quick else (100_000, 20.0)
    with (
        folder() as path,
        closing(FileConsole(path / "console.txt")) as console,
        Service(path / "service", console) as service,
    ):
        fill_far(service.store, count)
        wait_quiet(service.client)
        # What a batch of a thousand left to tidy up is not idling.
        time.sleep(min(2.0, seconds))
        total, cpu = _commands(service), service.cpu_seconds()
        with Monitor(service.redis_url) as monitor:
            time.sleep(seconds)
        sent = monitor.from_clients / seconds
        # Ours were MONITOR and the second INFO.
        total = (_commands(service) - total - 2) / seconds
        cores = {role: (used - cpu[role]) / seconds for role, used in service.cpu_seconds().items()}
        memory = {role: sum(p.memory_info().rss for p in members) for role, members in service.processes().items()}
        pending = sum(service.store.counts().scheduled.values())
    check(pending == count, f"{pending:,} of {count:,} messages are pending")
    share = sum(cores.values())
    return Row(
        f"{share:.2%} of a core, {sent:.1f} commands/s",
        "",
        None,
        "< 1 % of a core; <= 5 commands/s",
        share < 0.01 and sent <= 5,
        f"{count:,} pending, nothing due, {seconds:g} s, all processes together ("
        f"{', '.join(f'{role} {value:.2%}' for role, value in cores.items())}); commands that clients send, by "
        f"MONITOR; with those that scripts call {total:.1f}/s. Resident memory {sum(memory.values()) / 2**20:.0f} MiB: "
        f"{', '.join(f'{role} {value / 2**20:.0f}' for role, value in memory.items())}.",
    )


def _commands(service: Service) -> float:
    return float(service.client.info("stats")["total_commands_processed"])


class Monitor:
    """Counts the commands that clients send to a Redis, and not those that scripts call."""

    def __init__(self, url: str) -> None:
        self.from_clients = 0
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.connect(url.removeprefix("unix://"))
        self._thread = threading.Thread(target=self._read, name="monitor")

    def __enter__(self) -> Monitor:
        self._socket.sendall(b"MONITOR\r\n")
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._socket.close()

    def _read(self) -> None:
        with self._socket.makefile("rb") as lines:
            # A line is: +<seconds> [<database> <client>] "<command>" …; a script's client is called lua.
            self.from_clients = sum(b"[0 unix:" in line[:40] for line in lines)


FIGURES = (Figure("idle", measure),)
