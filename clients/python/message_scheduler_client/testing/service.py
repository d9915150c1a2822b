"""The real service in a temporary folder: started, its clock moved, stopped."""

from __future__ import annotations

import base64
import os
import re
import secrets
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Self

from message_scheduler_client.clients import Client
from message_scheduler_client.models import MessageDetail
from message_scheduler_client.testing import watch

_ENDED = ("delivered", "dead", "cancelled")
_SHORTCUTS = {"REDIS_URL", "PORT", "API_AUTH", "RETRIES", "RETRY_TIME"}
"""Settings whose variables have no section in front."""
_POLL_SECONDS = 0.02


class StartFailed(Exception):
    """The service is not installed, or it did not start; the text says why."""


class SchedulerService:
    """One service with its own Redis, on free ports of 127.0.0.1; a context manager.

    Its clock can be moved, it may call addresses of this machine, and it signs webhooks with ``secret``.
    """

    def __init__(
        self,
        command: str | Sequence[str] | None = None,
        *,
        settings: Mapping[str, str] | None = None,
        start_timeout: float = 60.0,
    ) -> None:
        """``command``: what starts the service; None: the environment's ``MESSAGE_SCHEDULER_COMMAND``, else the
        installed ``message-scheduler serve``.  ``settings``: more of them, as environment variables
        (``{"RETRY__BASE_SECONDS": "60"}``).
        """
        self._command = _command(command)
        self._start_timeout = start_timeout
        self.secret = f"whsec_{base64.b64encode(secrets.token_bytes(32)).decode()}"
        """What webhooks are signed with, for ``verify``."""
        self.folder = Path(tempfile.mkdtemp(prefix="message-scheduler-"))
        """Holds its messages (``data``), its logs (``logs``), and what it printed."""
        given = {name: value for name, value in os.environ.items() if "__" not in name and name not in _SHORTCUTS}
        self._environment = {
            **given,
            "PORT": "0",
            "EVENTS__PORT": "0",
            "TEST__CLOCK": "true",
            "SERVER__DRAIN_SECONDS": "0",
            "REDIS__DATA_DIRECTORY": str(self.folder / "data"),
            "LOGS__DIRECTORY": str(self.folder / "logs"),
            "WEBHOOK__ALLOW_PRIVATE_NETWORKS": "true",
            "WEBHOOK__SECRETS": self.secret,
            **(settings or {}),
        }
        self._process: subprocess.Popen[bytes] | None = None
        self._watcher: subprocess.Popen[bytes] | None = None
        self.url = ""
        """Where its API is, once started."""
        self.client = Client()
        """A client of it, once started."""

    # -- start and stop --------------------------------------------------------------------------------------------

    def start(self) -> Self:
        """Start it, and return when it delivers.  Raises ``StartFailed``."""
        said_before = len(self.log())
        with (self.folder / "stdout.txt").open("ab") as out, (self.folder / "stderr.txt").open("ab") as err:
            self._process = subprocess.Popen(
                self._command, cwd=self.folder, env=self._environment, stdin=subprocess.DEVNULL, stdout=out, stderr=err
            )
        self._watcher = watched(self._process.pid, self.folder)
        until = time.monotonic() + self._start_timeout
        while not (found := re.search(r"HTTP: +(http://\S+)", self.log()[said_before:])):
            self._goes_on(until, "did not say where it listens", said_before)
        self.url = found[1]
        token = self._environment.get("API_AUTH", "").split(",")[0] or None
        self.client.close()
        self.client = Client(self.url, token=token)
        while not self._delivers():
            self._goes_on(until, "did not become healthy", said_before)
        return self

    def stop(self) -> None:
        """Stop it; its folder stays, and ``start`` goes on with what is in it."""
        self.client.close()
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
            try:
                self._process.wait(30)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        self._process = None
        if self._watcher is not None:
            self._watcher.kill()
            self._watcher.communicate()
        self._watcher = None

    def close(self) -> None:
        """Stop it and delete its folder."""
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self) -> Self:
        try:
            return self.start()
        except BaseException:
            self.close()
            raise

    def __exit__(self, *_: object) -> None:
        self.close()

    def _goes_on(self, until: float, what: str, said_before: int) -> None:
        assert self._process is not None
        code = self._process.poll()
        if code is not None or time.monotonic() > until:
            why = f"ended with code {code}" if code is not None else f"{what} within {self._start_timeout} s"
            said = self.log()[said_before:][-4000:]
            raise StartFailed(f"{shlex.join(self._command)} {why}. It said:\n{said}")
        time.sleep(_POLL_SECONDS)

    def _delivers(self) -> bool:
        try:
            return self.client.health()["schedulers"] > 0
        except Exception:  # noqa: BLE001 - whatever it is, it is not ready; the start has a limit of time
            return False

    # -- its clock -------------------------------------------------------------------------------------------------

    def now(self) -> datetime:
        """Return what time it is by the service's clock."""
        return datetime.fromisoformat(self.client.move_clock()["now"])

    def move_to(self, time: str | float | datetime, timezone: str | None = None) -> datetime:
        """Move its clock forward to a moment; what is due by then is delivered.  Return what time it is then."""
        return datetime.fromisoformat(self.client.move_clock(time=time, timezone=timezone)["now"])

    def move_by(self, delay: str | float | timedelta) -> datetime:
        """Move its clock forward by this much (``"90d"``, seconds, a timedelta)."""
        return datetime.fromisoformat(self.client.move_clock(delay=delay)["now"])

    # -- what becomes of messages ----------------------------------------------------------------------------------

    def wait_until(self, id: str, status: str | Collection[str], timeout: float = 10.0) -> MessageDetail:
        """Return a message as soon as it has this status; AssertionError with its evidence after ``timeout`` s."""
        wanted = {status} if isinstance(status, str) else set(status)
        until = time.monotonic() + timeout
        while (message := self.client.get(id))["status"] not in wanted:
            assert time.monotonic() < until, f"not {' or '.join(sorted(wanted))} within {timeout} s: {message}"
            time.sleep(_POLL_SECONDS)
        return message

    def wait_for_delivery(self, id: str, timeout: float = 10.0) -> MessageDetail:
        """Return a message as soon as it is delivered; AssertionError with its evidence when it ends otherwise."""
        message = self.wait_until(id, _ENDED, timeout)
        assert message["status"] == "delivered", f"it is {message['status']}: {message}"
        return message

    def wait_for_attempts(self, id: str, count: int, timeout: float = 10.0) -> MessageDetail:
        """Return a message as soon as ``count`` of its attempts have ended, well or not."""
        until = time.monotonic() + timeout
        while len((message := self.client.get(id))["attempts"]) < count:
            assert time.monotonic() < until, f"not {count} attempts within {timeout} s: {message}"
            time.sleep(_POLL_SECONDS)
        return message

    def printed(self) -> list[str]:
        """Return the messages that the ``echo`` channel has printed."""
        return [line.partition(" | ")[2] for line in self._text("stdout.txt").splitlines()]

    def log(self) -> str:
        """Return what the service says about itself."""
        return self._text("stderr.txt")

    def _text(self, name: str) -> str:
        path = self.folder / name
        return path.read_text(errors="replace") if path.exists() else ""


def watched(pid: int, folder: Path) -> subprocess.Popen[bytes]:
    """Start what stops this process and deletes its folder when this one is gone."""
    command = [sys.executable, "-IS", watch.__file__, str(pid), str(folder)]
    # In a session of its own: Ctrl-C is for the tests, which then stop the service themselves.
    return subprocess.Popen(command, stdin=subprocess.PIPE, start_new_session=True)


def _command(given: str | Sequence[str] | None) -> list[str]:
    given = given or os.environ.get("MESSAGE_SCHEDULER_COMMAND")
    if given:
        return shlex.split(given) if isinstance(given, str) else [*given]
    # Beside this Python first: a virtual environment need not be active for its tests to run.
    beside = os.pathsep.join((str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)))
    if script := shutil.which("message-scheduler", path=beside):
        return [script, "serve"]
    raise StartFailed(
        "The service is not installed: there is no message-scheduler beside this Python or on PATH. Install it, or say "
        "what starts it: message_scheduler_command in pytest's settings, or MESSAGE_SCHEDULER_COMMAND."
    )


def text(value: Any) -> str:
    """Return a setting as the environment has it."""
    return str(value).lower() if isinstance(value, bool) else str(value)
