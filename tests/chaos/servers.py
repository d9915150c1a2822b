"""What a chaos run breaks: three servers on one Redis with append-only persistence, or on one that sentinels watch."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import sqlite3
import struct
import subprocess
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import IO

import psutil
import redis

from tests.chaos.ledger import JOB_LEDGER, Delivery, Ledger, now_ms
from tests.chaos.proxy import Proxy
from tests.chaos.receiver import TIMEOUT_SECONDS, Receiver
from tests.support.redis_server import RedisServer
from tests.support.service import ROOT, Line, Output, Service
from tests.support.topologies import Node, Sentinels
from tests.support.waiting import wait_for

LOCK_SECONDS = 2.0
COUNT = 3
PARTITIONS = 3
EVENTS_KEPT = 1_000_000
REPLICAS = 2
"""Of a Redis that sentinels watch."""
PROXIED = 1
"""The server whose connections to Redis go through the proxy."""
STEPPED = 2
"""The server whose clock can be stepped."""
SMALL_DISK = 0
"""The server whose log folder is a file system of a few KiB, where that can be had."""
_DISK_BYTES = 1 << 20


class Console(Output):
    """A server's standard output: every line goes to the ledger, with the moment of its arrival."""

    def __init__(self, ledger: Ledger, server: str) -> None:
        super().__init__()
        self._ledger = ledger
        self._server = server

    def _read(self, stream: IO[bytes]) -> None:
        with stream:
            for raw in stream:
                label = raw.decode().rstrip("\n").partition(" | ")[2]
                at_ms = now_ms()
                # A line that a kill cut short is no delivery that anybody could have read.
                if raw.endswith(b"\n"):
                    self._ledger.add(Delivery(label, at_ms, "echo", None, True, self._server))
                with self._changed:
                    self.lines.append(Line(label, at_ms))
                    self._changed.notify_all()


def watched(folder: Path) -> Sentinels:
    """A primary, two replicas and three sentinels, set up as docs/runbook.md says: a primary that nobody follows any
    more refuses to write, and (``_environment``) a message is accepted when every replica has it.
    """
    # A busy machine keeps a sentinel waiting for half a second: that would be a failover that nobody injected.
    return Sentinels(folder, "--min-replicas-to-write", "1", replicas=REPLICAS, down_after_ms=2000)


class World:
    """Redis, servers, endpoint and ledgers in one folder; a context manager."""

    def __init__(self, folder: Path, sentinels: Sentinels | None = None) -> None:
        """``sentinels``: the Redis to use, of ``watched``; None: a single one of its own, with a proxy before it."""
        self.folder = folder
        self.sentinels = sentinels
        self.ledgers = {
            name: Ledger(folder / f"{name}.jsonl") for name in ("accepted", "webhook", "job", "echo", "faults")
        }
        # Not everysec: while its sync is under way Redis answers before it has written, and a kill -9 of Redis loses
        # that (docs/reliability.md).  Not always: a busy disk would stall Redis for longer than a lock lives, which is
        # a fault that nobody injected.  A killed process loses nothing with either of the two.
        self.redis = RedisServer(folder, "--appendonly", "yes", "--appendfsync", "no")
        self.receiver = Receiver(self.ledgers["webhook"])
        self.clock = folder / "clock"
        self.clock.write_bytes(struct.pack("q", 0))
        self.history = folder / "history.db"
        self.disk = folder / "disk"
        self.disk.mkdir()
        self.has_disk = _mount(self.disk)

    def __enter__(self) -> World:
        if self.sentinels is None:
            self.redis.start()
        self.proxy = Proxy(self.redis.socket)
        self.servers = [self._server(n) for n in range(COUNT)]
        starting = [threading.Thread(target=server.start) for server in self.servers]
        for thread in starting:
            thread.start()
        for thread in starting:
            thread.join()
        return self

    def __exit__(self, *_: object) -> None:
        for server in self.servers:
            if server.process.poll() is None:
                with contextlib.suppress(psutil.Error):
                    for process in (psutil.Process(server.pid), *server.children()):
                        process.resume()
                server.kill()
        self.proxy.close()
        self.receiver.close()
        self.redis.kill()
        if self.has_disk:
            subprocess.run(["umount", str(self.disk)], check=False)
        for ledger in self.ledgers.values():
            ledger.close()

    def _server(self, n: int) -> Service:
        url = f"redis://127.0.0.1:{self.proxy.port}" if n == PROXIED and self.sentinels is None else self.url
        folder = self.folder / f"s{n}"
        server = Service(folder, redis_url=url, env=self._environment(n))
        server.stdout = Console(self.ledgers["echo"], f"s{n}")
        return server

    def _environment(self, n: int) -> Mapping[str, str]:
        return {
            "SERVER__NAME": f"s{n}",
            "REDIS__PARTITIONS": str(PARTITIONS),
            "REDIS__SOCKETTIMEOUTSECONDS": "2",
            "REDIS__WAITREPLICAS": str(REPLICAS if self.sentinels else 0),
            "SCHEDULER__LOCKSECONDS": str(LOCK_SECONDS),
            "SCHEDULER__REAPSECONDS": "0.5",
            "HISTORY__URL": f"sqlite:///{self.history}",
            # All of them: the verdict on flow keys reads in them when a lock was taken back.
            "EVENTS__KEPT": str(EVENTS_KEPT),
            "RETENTION__MAXCOUNT": "1000000",
            "RETENTION__MAXBYTES": str(1 << 30),
            "WEBHOOK__ALLOWPRIVATENETWORKS": "true",
            "WEBHOOK__TIMEOUTSECONDS": str(TIMEOUT_SECONDS),
            "JOBS__MODULES": "tests.chaos.handlers",
            "LOGS__CONSOLE": "true",
            JOB_LEDGER: str(self.folder / "job.jsonl"),
            **({"LOGS__DIRECTORY": str(self.disk)} if n == SMALL_DISK and self.has_disk else {}),
            **(
                {"CHAOS_CLOCK": str(self.clock), "PYTHONPATH": os.pathsep.join([str(ROOT / "tests/chaos/shift")])}
                if n == STEPPED
                else {}
            ),
        }

    @property
    def url(self) -> str:
        return self.sentinels.url if self.sentinels else self.redis.url

    def client(self) -> redis.Redis:
        """Of the Redis that takes writes now; the caller closes it."""
        return self.sentinels.node(self.sentinels.current()).client() if self.sentinels else self.redis.client()

    # -- what can be done to it ------------------------------------------------------------------------------------

    def depose(self, strike: Callable[[Sentinels, Node], object]) -> None:
        """Strike at the primary; returns when every sentinel names another one."""
        assert self.sentinels is not None, "nobody takes over from a single Redis"
        found = self.sentinels
        self.deposed = found.node(found.current())
        strike(found, self.deposed)
        wait_for("another Redis is promoted", lambda: found.promoted(self.deposed.port), 60)

    def wait_whole(self) -> None:
        """Returns when all other Redis servers follow the primary, the deposed one too."""
        if self.sentinels is not None:
            wait_for("every replica follows", self.sentinels.whole, 60)

    def step_clock(self, seconds: int) -> None:
        """The wall clock of one server differs by so much from now on."""
        # In place: the server has the file mapped into its memory.
        with self.clock.open("r+b") as file:
            file.write(struct.pack("q", seconds * 1_000_000_000))

    def signal_all(self, server: Service, number: int) -> None:
        """To the scheduler process and the processes that it started."""
        for process in (psutil.Process(server.pid), *server.children()):
            with contextlib.suppress(psutil.NoSuchProcess):
                process.send_signal(number)

    def kill_http(self, server: Service) -> None:
        """``kill -9`` of the processes that answer HTTP; the scheduler process starts new ones."""
        for process in server.children():
            with contextlib.suppress(psutil.NoSuchProcess):
                process.send_signal(signal.SIGKILL)

    def lock_history(self) -> None:
        """No server can write to the database of the history."""
        self._locker = sqlite3.connect(self.history, isolation_level=None)
        # A server may be writing: it gives way within its batch.
        self._locker.execute("PRAGMA busy_timeout = 10000")
        self._locker.execute("BEGIN IMMEDIATE")

    def unlock_history(self) -> None:
        self._locker.close()

    def fill_disk(self) -> None:
        """Not one byte is left where a server logs."""
        with (self.disk / "filler").open("wb", buffering=0) as filler, contextlib.suppress(OSError):
            while filler.write(bytes(4096)):
                pass

    def free_disk(self) -> None:
        (self.disk / "filler").unlink(missing_ok=True)


def _mount(folder: Path) -> bool:
    """A file system of a few KiB at this place; False where that is not allowed."""
    if os.geteuid() != 0:
        return False
    options = f"size={_DISK_BYTES}"
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)], capture_output=True, check=False
    )
    return done.returncode == 0


def errors_of(server: Service) -> list[str]:
    """What it complained of on stderr, without moment and numbers: to be counted."""
    return [re.sub(r"\d+(\.\d+)?", "#", text[30:]) for text in server.stderr.texts() if " ERROR " in text[:45]]
