"""Run a private redis-server for one machine: ``Redis.ConnectionString`` = ``embedded``.

It listens on a unix socket only, keeps an append-only file in the data directory, is started again when it dies, and
stops with the service.  Two file locks guard the directory; the kernel releases them when their holder dies.  The
service holds ``service.lock``, the redis-server ``redis.lock``.  A new service can therefore tell that the redis-server
of a killed service still writes to the files.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from typing import Final
from urllib.parse import quote

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from scheduler.clock import Clock, SystemClock
from scheduler.errors import ServiceError, StartError
from scheduler.logs.sinks import Logger
from scheduler.process.supervise import Child, Supervisor
from scheduler.redis_server.aof_repair import cut_zeros, way_out
from scheduler.redis_server.binary import Server, find_server
from scheduler.redis_server.disk_sync import DiskSync
from scheduler.redis_server.loading import LoadingReport
from scheduler.redis_server.rewriting import Rewriting

START_SECONDS: Final = 120.0
"""How long a started redis-server may take to answer; while it loads its file it may take longer."""
STOP_SECONDS: Final = 30.0
"""How long a redis-server may take to write its file and end."""
LONGEST_SOCKET_PATH: Final = 100
"""Bytes; the kernel takes 107 on Linux and 103 on macOS."""
POLL_SECONDS: Final = 0.02
TAIL_LINES: Final = 8
LARGEST_LOG: Final = 1_000_000

# prctl(PR_SET_PDEATHSIG): the kernel ends redis-server when the thread that started it ends, also after a kill -9 of
# the service.  The child sets it on itself, because preexec_fn may deadlock in a process that has threads.
_LAUNCHER: Final = (
    "import ctypes, os, sys; ctypes.CDLL(None).prctl(1, 15); "
    "os.getppid() == int(sys.argv[1]) or sys.exit(); os.execv(sys.argv[2], sys.argv[2:])"
)


def socket_path(directory: Path) -> Path:
    """Return the path of the socket: in the data directory, or in a temporary folder when that path is too long."""
    path = directory / "redis.sock"
    if len(os.fsencode(path)) <= LONGEST_SOCKET_PATH:
        return path
    digest = hashlib.sha256(os.fsencode(directory)).hexdigest()[:12]
    return Path(tempfile.gettempdir()) / f"scheduler-{os.getuid()}-{digest}" / "redis.sock"


class EmbeddedRedis:
    """A redis-server with its files in ``directory``, kept running from ``start`` to ``stop``."""

    def __init__(self, directory: Path, logger: Logger, *, clock: Clock | None = None) -> None:
        self.directory = directory.absolute()
        self.socket = socket_path(self.directory)
        self._logger = logger
        self._clock = clock or SystemClock()
        self._service_lock: int | None = None
        self._server: Server | None = None
        self._report = LoadingReport(logger, self._clock)
        child = Child(
            "redis-server",
            self._launch,
            self._answers,
            self._exit_message,
            START_SECONDS,
            STOP_SECONDS,
            lambda: bool(self._report.words),
        )
        self._supervisor = Supervisor(child, logger, self._clock)
        self._disk_sync = DiskSync(self.directory, logger, self._clock)
        self._rewriting = Rewriting(self._client, self.directory, self._clock)

    @property
    def url(self) -> str:
        """Return the connection string of this server, for ``connect`` and for child processes."""
        return f"unix://{quote(str(self.socket))}"

    @property
    def pid(self) -> int | None:
        """Return the process id of the redis-server that runs, or ran last."""
        return self._supervisor.pid

    def start(self, cancel: threading.Event | None = None, report: LoadingReport | None = None) -> None:
        """Start it and wait until it answers, or until ``cancel`` is set (``StartCancelled``).

        ``report``: hears how far it is with loading its file.

        Raises ``StartError``: no redis-server found, the directory cannot be written, another service holds it, or
        Redis ended or did not answer (with the last lines of its log).
        """
        self._prepare_directory()
        self._service_lock = self._lock_for_service()
        self._report = report or self._report
        try:
            self._supervisor.start(cancel, self._report.wait)
        except ServiceError:
            self.stop()
            raise
        self._disk_sync.start()
        self._rewriting.start()

    def stop(self) -> None:
        """Ask it to write its file and end; kill it after ``STOP_SECONDS``.  May be called twice."""
        self._rewriting.stop()
        # Before the sync thread: Redis syncs its file itself when it ends.
        self._supervisor.stop()
        self._disk_sync.stop()
        if self._service_lock is not None:
            os.close(self._service_lock)
            self._service_lock = None

    # ------------------------------------------------------------------------------------------------ the directory

    def _prepare_directory(self) -> None:
        try:
            self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            self.socket.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            if self.socket.parent.stat().st_uid != os.getuid():
                raise StartError(
                    f"{self.socket.parent} belongs to another user: remove it, or shorten the path of data/."
                )
            self._shorten_log()
        except OSError as error:
            raise self._unusable(error) from error

    def _unusable(self, error: OSError) -> StartError:
        return StartError(
            f"The data directory {self.directory} cannot be used ({error.strerror}): make room or make it writable, "
            "or choose another one (Redis.DataDirectory), or use another Redis (REDIS_URL)."
        )

    def _shorten_log(self) -> None:
        log = self.directory / "redis.log"
        if log.exists() and log.stat().st_size > LARGEST_LOG:
            log.replace(log.with_suffix(".log.1"))

    def _lock_for_service(self) -> int:
        """Take ``service.lock`` and write this process's id into it; the kernel releases it with the process."""
        try:
            lock = os.open(self.directory / "service.lock", os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise self._unusable(error) from error
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.ftruncate(lock, 0)
            os.write(lock, str(os.getpid()).encode())
        except BlockingIOError:
            holder = os.read(lock, 20).decode(errors="replace") or "unknown"
            os.close(lock)
            raise StartError(
                f"Another service (process {holder}) already runs in {self.directory}. Stop it, or give this one a "
                "folder of its own (Redis.DataDirectory), or connect both to one Redis (REDIS_URL)."
            ) from None
        except OSError as error:
            os.close(lock)
            raise self._unusable(error) from error
        return lock

    def _lock_for_redis(self, stopping: threading.Event) -> int:
        """Take ``redis.lock``; a redis-server of an earlier run that still holds it is asked to end."""
        lock = os.open(self.directory / "redis.lock", os.O_RDWR | os.O_CREAT, 0o600)
        deadline = self._clock.monotonic() + STOP_SECONDS
        told = False
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return lock
            except BlockingIOError:
                if not told:
                    self._logger.info("A redis-server of an earlier run is still there: it is told to save and end.")
                    told = self._shut_down_orphan()
            if self._clock.monotonic() >= deadline or stopping.is_set():
                os.close(lock)
                raise StartError(
                    f"A redis-server of an earlier run still writes to {self.directory} and does not end: stop it "
                    f"(its process id is in {self.directory / 'redis.pid'}) and start again."
                )
            self._clock.wait(stopping, POLL_SECONDS)

    def _shut_down_orphan(self) -> bool:
        """Send SHUTDOWN over the socket in our directory, which proves that the server is ours; it saves its file."""
        try:
            with self._client() as client:
                client.ping()
                client.shutdown()
        except redis.ConnectionError:
            return False  # it is ending already, or only the child that rewrites its file is left
        except redis.RedisError as error:
            self._logger.error(f"The redis-server of an earlier run refuses to end: {error}")
            return False
        return True

    # ------------------------------------------------------------------------------------------------- the process

    def _launch(self, stopping: threading.Event) -> subprocess.Popen[bytes]:
        server = self._server = find_server(self.directory)
        self._logger.info(f"Private Redis: {server}.")
        command = [server.path, *self._arguments()]
        if sys.platform == "linux":
            command = [sys.executable, "-I", "-S", "-c", _LAUNCHER, str(os.getpid()), *command]
        lock = self._lock_for_redis(stopping)
        try:
            self._mend_files()
            # In its own session, Ctrl-C in the terminal reaches only the service, which stops Redis last.
            return subprocess.Popen(
                command,
                env=os.environ | server.environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
                umask=0o077,
                pass_fds=(lock,),
            )
        finally:
            os.close(lock)

    def _mend_files(self) -> None:
        for file, count in cut_zeros(self.directory).items():
            self._logger.error(
                f"{file} ended in {count:,} zero bytes, which a power cut leaves behind; they were cut off. Messages "
                "that were accepted in the last second before it may be missing."
            )

    def _arguments(self) -> list[str]:
        options: dict[str, str | int] = {
            "port": 0,
            "unixsocket": str(self.socket),
            "unixsocketperm": 700,
            "dir": str(self.directory),
            "logfile": str(self.directory / "redis.log"),
            "pidfile": str(self.directory / "redis.pid"),
            "databases": 1,
            "save": "",
            "appendonly": "yes",
            "appendfsync": "no",  # disk_sync.py syncs
            "aof-load-truncated": "yes",
            "auto-aof-rewrite-percentage": 100,
            "auto-aof-rewrite-min-size": "64mb",
            "maxmemory-policy": "noeviction",
            # Messages with a payload of up to 1 KiB stay in the compact encoding.  Every version accepts this older
            # name of hash-max-listpack-value.
            "hash-max-ziplist-value": 1024,
        }
        return [part for name, value in options.items() for part in (f"--{name}", str(value))]

    def _answers(self) -> bool:
        try:
            with self._client() as client:
                # Answered while it loads, unlike PING.
                return not self._report.note(client.info("persistence"))
        except redis.ConnectionError:  # not listening yet
            return False

    def _client(self) -> redis.Redis:
        never_again = Retry(NoBackoff(), 0)  # PING is repeated above; SHUTDOWN is answered by a closed connection
        return redis.Redis(unix_socket_path=str(self.socket), socket_timeout=5, protocol=2, retry=never_again)

    def _exit_message(self, code: int) -> str:
        log, tail = self.directory / "redis.log", self._tail()
        advice = way_out(self.directory, self._server.path if self._server else "redis-server", tail)
        return f"redis-server ended with code {code}. The last lines of {log}:\n{tail}{advice}"

    def _tail(self) -> str:
        try:
            lines = (self.directory / "redis.log").read_text(errors="replace").splitlines()
        except OSError as error:
            return f"(not readable: {error.strerror})"
        return "\n".join(lines[-TAIL_LINES:]) or "(empty: the disk may be full)"
