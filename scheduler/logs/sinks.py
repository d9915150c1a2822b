"""The service's log: files per role, written by loguru, and the console.

``logs/<role>.log`` holds everything, ``logs/<role>.error.log`` the errors with their tracebacks (docs/logs.md).  Both
come into being with their first entry, and are rotated at midnight and by size; scheduler/logs/archive.py compresses what
was rotated.  Each entry is one line ``<ISO 8601 with zone> <level> <text>``; the lines of a traceback are indented, so
that nothing inside of one can pass for an entry.

Nothing in here raises because a disk is full or a folder is gone: delivery goes on, and stderr says so once a minute.
"""

from __future__ import annotations

import fcntl
import os
import traceback
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol

from loguru._logger import Core
from loguru._logger import Logger as LoguruLogger

from scheduler import systemd
from scheduler.logs.archive import Archive, Rotation
from scheduler.clock import Clock, SystemClock
from scheduler.errors import StartError
from scheduler.logs.outlet import Stderr
from scheduler.masking import Masker, escape, mask

if TYPE_CHECKING:
    from loguru import Logger as Loguru
    from loguru import Record

__all__ = [
    "LogSettings",
    "Logger",
    "ServiceLog",
    "ServiceLogger",
    "adapt",
    "escape",
    "mask",
    "setup",
]

COMPLAIN_SECONDS: Final = 60.0
"""Seconds between two complaints on stderr about a log that cannot be written."""
TRACE_INDENT: Final = "    | "


class Logger(Protocol):
    """A logger that a user of the library may bring, such as ``logging.Logger`` or loguru's."""

    def info(self, message: str, /) -> object: ...

    def error(self, message: str, /) -> object: ...


class ServiceLog(Protocol):
    """The logger of the service itself.  No call raises."""

    def info(self, message: str, /) -> None: ...

    def warning(self, message: str, /) -> None: ...

    def error(self, message: str, /, *, exception: BaseException | None = None) -> None: ...

    def lines(self, texts: Sequence[str], /, *, attempts: bool = False) -> None:
        """Write many info lines at once, under one timestamp, to the file only.  ``attempts``: lines of webhooks and
        jobs, which the console shows too when ``Logs.ConsoleAttempts`` is on.
        """

    @property
    def lost(self) -> int:
        """How many lines could not be written since the start."""


class LogSettings(Protocol):
    """The part of ``config.LogSettings`` that is used here."""

    @property
    def directory(self) -> str: ...
    @property
    def level(self) -> str: ...
    @property
    def max_bytes(self) -> int: ...
    @property
    def keep(self) -> int: ...
    @property
    def console_attempts(self) -> bool: ...


def setup(
    settings: LogSettings, role: str, *, console: bool, secrets: Iterable[str] = (), clock: Clock | None = None
) -> ServiceLogger:
    """Open the log of one process, with files of its own.  ``role``: ``scheduler``, ``api-1`` …; a second process of
    the same role on the same folder gets ``<role>-2``.

    ``console``: show the log on stderr too, ``lines`` only as ``Logs.ConsoleAttempts`` says.  ``secrets``: masked in
    every line.  Raises StartError when the folder cannot be written to.
    """
    clock = clock or SystemClock()
    masker = Masker(secrets)
    directory = Path(settings.directory)
    lock = -1
    try:
        directory.mkdir(parents=True, exist_ok=True)
        lock, name = _own_name(directory, role)
        say = partial(_say, clock)
        main, errors = (
            _Sink.to_file(Archive(directory, name + suffix, settings.keep, say), settings.max_bytes, level, clock)
            for suffix, level in (("", settings.level), (".error", "ERROR"))
        )
    except OSError as error:
        if lock >= 0:
            os.close(lock)
        raise StartError(
            f"The log folder {directory.absolute()} cannot be used: {error.strerror}. Choose another one with "
            "Logs.Directory in config/appsettings.json or with the environment variable LOGS__DIRECTORY."
        ) from error
    shown = _Sink.to_stderr(settings.level, clock) if console else None
    return ServiceLogger(main, errors, shown, masker, lock, console_attempts=settings.console_attempts)


class ServiceLogger:
    """A ``ServiceLog`` to files, and to stderr when asked for.  Threads may share it."""

    def __init__(
        self,
        main: _Sink,
        errors: _Sink,
        console: _Sink | None,
        masker: Masker,
        lock: int,
        *,
        console_attempts: bool,
    ) -> None:
        self._main = main
        self._errors = errors
        self._console = console
        self._mask = masker
        self._lock = lock
        self._console_attempts = console_attempts

    def info(self, message: str, /) -> None:
        self._write("INFO", message)

    def warning(self, message: str, /) -> None:
        self._write("WARNING", message)

    def error(self, message: str, /, *, exception: BaseException | None = None) -> None:
        trace = self._mask(_indented_trace(exception)) if exception else ""
        self._write("ERROR", message, trace)
        self._errors.write("ERROR", self._mask(escape(message)), trace)

    def lines(self, texts: Sequence[str], /, *, attempts: bool = False) -> None:
        if texts:
            clean = [text if text.isprintable() else escape(text) for text in texts]
            group = self._mask("\n".join(clean))
            self._main.write("INFO", group)
            if attempts and self._console and self._console_attempts:
                self._console.write("INFO", group)

    @property
    def lost(self) -> int:
        return sum(sink.lost for sink in (self._main, self._errors, self._console) if sink)

    def close(self) -> None:
        """Close the files, after rotated ones are compressed.  Later lines are lost."""
        for sink in (self._main, self._errors, self._console):
            if sink:
                sink.close()
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1

    def _write(self, level: str, message: str, trace: str = "") -> None:
        text = self._mask(escape(message))
        self._main.write(level, text, trace)
        if self._console:
            self._console.write(level, text, trace)


class _Sink:
    """One destination, on a loguru core of its own.

    Handlers of a user on loguru's global logger get none of its lines, and a destination that fails does not stop
    another one.
    """

    def __init__(self, clock: Clock, archive: Archive | None = None, *, journal: bool = False) -> None:
        """``journal``: stderr goes to systemd's journal, which adds the time and reads ``<3>`` as a priority."""
        self._journal = journal
        self._clock = clock
        self._archive = archive
        self._complained = -COMPLAIN_SECONDS
        self.lost = 0
        """Lines that could not be written, since the start."""
        # loguru has no public way to make a second core: copy.deepcopy(logger) would copy the user's handlers, or
        # fail on their streams.
        self._loguru: Loguru = LoguruLogger(  # type: ignore[no-untyped-call, assignment]
            core=Core(),  # type: ignore[no-untyped-call]
            exception=None,
            depth=0,
            record=False,
            lazy=False,
            colors=False,
            raw=True,
            capture=True,
            patchers=[self._stamp],
            extra={},
        )

    @classmethod
    def to_file(cls, archive: Archive, max_bytes: int, level: str, clock: Clock) -> _Sink:
        sink = cls(clock, archive)
        archive.adopt_leftovers()
        if archive.path.exists():
            archive.path.open("a").close()  # raises here what would lose a line later
        rotation = Rotation(max_bytes, clock)

        def archive_rotated(path: str) -> None:
            rotation.done()
            archive.add(Path(path))

        sink._loguru.add(
            archive.path,
            level=level,
            rotation=rotation,
            # loguru compresses in the thread that logs, which also delivers: here the file is only handed over.
            compression=archive_rotated,
            delay=True,
            # A file that another program moved or removed, such as logrotate, is opened again: lines would go where
            # nobody looks until the next rotation.
            watch=True,
            encoding="utf-8",
            errors="backslashreplace",
            # ``write`` catches errors: loguru would print twenty lines on stderr for each line that is lost.
            catch=False,
            # No values of variables in a traceback: they hold payloads and secrets.
            diagnose=False,
            backtrace=False,
        )
        return sink

    @classmethod
    def to_stderr(cls, level: str, clock: Clock) -> _Sink:
        sink = cls(clock, journal=systemd.reads_stderr())
        sink._loguru.add(Stderr().write, level=level, catch=False, diagnose=False, backtrace=False)
        return sink

    def write(self, level: str, text: str, trace: str = "") -> None:
        """Write escaped text, an entry per line, and the indented lines that belong to the last.  Never raises."""
        try:
            (self._loguru.bind(trace=trace) if trace else self._loguru).log(level, text)
        except Exception as error:  # noqa: BLE001 - delivery goes on whatever is wrong with the log
            self.lost += text.count("\n") + 1
            self._complain(error)

    def close(self) -> None:
        try:
            self._loguru.remove()
        except Exception as error:  # noqa: BLE001 - the last flush of a full disk
            self._complain(error)
        if self._archive:
            self._archive.close()

    def _stamp(self, record: Record) -> None:
        """Turns the text into finished lines, all under one timestamp: that is what makes a group cheap."""
        if self._journal:
            text = record["message"] + "\n" + record["extra"].get("trace", "")
            priority = _priority(record["level"].name)
            record["message"] = "".join(priority + line for line in text.splitlines(keepends=True))
            return
        record["time"], prefix = _stamp(self._clock, record["level"].name)
        lines = record["message"].replace("\n", "\n" + prefix)
        record["message"] = f"{prefix}{lines}\n{record['extra'].get('trace', '')}"

    def _complain(self, error: Exception) -> None:
        now = self._clock.monotonic()
        if now - self._complained < COMPLAIN_SECONDS:
            return
        self._complained = now
        name = self._archive.path.name if self._archive else "stderr"
        _say(self._clock, f"log {name}: {self.lost} lines lost: {type(error).__name__}: {error}")


def _own_name(directory: Path, role: str) -> tuple[int, str]:
    """A file name that no other living process uses, and the lock that says so.

    Two servers may run in one folder; if both rotated one file, each would write to what the other has renamed.
    """
    number = 1
    while True:
        name = role if number == 1 else f"{role}-{number}"
        lock = os.open(directory / f".{name}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(lock)
            number += 1
        else:
            return lock, name


def _indented_trace(exception: BaseException) -> str:
    """Its traceback without values of variables, each line indented and escaped."""
    text = "".join(traceback.format_exception(exception))
    return "".join(f"{TRACE_INDENT}{escape(line)}\n" for line in text.rstrip("\n").split("\n"))


def _stamp(clock: Clock, level: str) -> tuple[datetime, str]:
    """Now, and what an entry begins with."""
    now = datetime.fromtimestamp(clock.now_ms() / 1000).astimezone()
    return now, f"{now.isoformat(timespec='milliseconds')} {level:<7} "


def _say(clock: Clock, text: str) -> None:
    prefix = _priority("ERROR") if systemd.reads_stderr() else _stamp(clock, "ERROR")[1]
    # When stderr is gone as well, nobody is left to tell.
    with suppress(Exception):
        Stderr().write(f"{prefix}{escape(text)}\n")


def _priority(level: str) -> str:
    """What a line for systemd's journal begins with."""
    return f"<{systemd.PRIORITIES[level]}>"


def adapt(logger: Logger, secrets: Iterable[str] = ()) -> ServiceLog:
    """A ``ServiceLog`` over a logger that somebody brings; a ``ServiceLogger`` is taken as it is."""
    return logger if isinstance(logger, ServiceLogger) else _Adapted(logger, Masker(secrets))


class _Adapted:
    """Uses ``warning`` where the logger has it, and logs an error where it has not."""

    def __init__(self, logger: Logger, masker: Masker) -> None:
        self._info = logger.info
        self._error = logger.error
        self._warning: Callable[[str], object] = getattr(logger, "warning", logger.error)
        self._mask = masker
        self.lost = 0

    def info(self, message: str, /) -> None:
        self._call(self._info, message)

    def warning(self, message: str, /) -> None:
        self._call(self._warning, message)

    def error(self, message: str, /, *, exception: BaseException | None = None) -> None:
        self._call(self._error, message, "\n" + _indented_trace(exception).rstrip("\n") if exception else "")

    def lines(self, texts: Sequence[str], /, *, attempts: bool = False) -> None:
        del attempts
        for text in texts:
            self._call(self._info, text)

    def _call(self, log: Callable[[str], Any], message: str, trace: str = "") -> None:
        try:
            log(self._mask(escape(message) + trace))
        except Exception as error:  # noqa: BLE001 - somebody else's logger must not stop delivery
            self.lost += 1
            _say(SystemClock(), f"the logger failed: {type(error).__name__}: {error}")
