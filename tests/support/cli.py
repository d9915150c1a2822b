"""The command line, run in this process against a service without sockets."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping
from typing import Any

import httpx
import pytest
from typer.testing import CliRunner

from scheduler.cli import remote
from scheduler.cli.main import app
from tests.support.api import Api


class Done:
    """What a command printed, and its exit code."""

    def __init__(self, code: int, out: str, err: str) -> None:
        self.code = code
        self.out = out
        self.err = err

    def json(self) -> Any:
        """The one JSON value on stdout."""
        return json.loads(self.out)

    def __repr__(self) -> str:
        return f"exit code {self.code}\n{self.out}\n{self.err}"


def cli(*arguments: str, stdin: str | None = None, env: Mapping[str, str] | None = None) -> Done:
    """Run ``message-scheduler`` with these arguments."""
    result = CliRunner().invoke(app, list(arguments), input=stdin, env=env)
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return Done(result.exit_code, result.stdout, result.stderr)


def beside(*arguments: str) -> Callable[[], Done]:
    """Run a command in a thread; call what this returns to wait for its end."""
    done: list[Done] = []
    thread = threading.Thread(target=lambda: done.append(cli(*arguments)), daemon=True)
    thread.start()

    def result() -> Done:
        thread.join(30)
        assert done, f"it still runs: {arguments}"
        return done[0]

    return result


def answered_by(monkeypatch: pytest.MonkeyPatch, transport: httpx.BaseTransport) -> list[httpx.Request]:
    """Let this transport answer every command; the requests that were sent, as they come."""
    sent: list[httpx.Request] = []

    def client(url: str, token: str | None) -> httpx.Client:
        made = real(url, token)
        return httpx.Client(
            base_url=url, headers=made.headers, transport=transport, event_hooks={"request": [sent.append]}
        )

    real = remote.client
    monkeypatch.setattr(remote, "client", client)
    return sent


def answered_by_api(monkeypatch: pytest.MonkeyPatch, api: Api) -> list[httpx.Request]:
    """Let the application answer every command."""
    return answered_by(monkeypatch, httpx.WSGITransport(app=api.app))
