"""The API's child process: started, kept, stopped, refused; and gone when its parent is killed."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest

from scheduler.api.processes import ApiProcesses, reserve
from scheduler.config.reading import Settings
from scheduler.errors import StartCancelled, StartError
from tests.support.logger import RecordingLogger
from tests.support.processes import alive
from tests.support.waiting import wait_for

ROOT = Path(__file__).parents[2]


@pytest.fixture
def logger() -> RecordingLogger:
    return RecordingLogger()


@pytest.fixture
def settings() -> Settings:
    settings = Settings()
    return settings.model_copy(update={"server": settings.server.model_copy(update={"port": 0})})


@contextmanager
def running(settings: Settings, logger: RecordingLogger) -> Iterator[ApiProcesses]:
    api = ApiProcesses(settings, "unix:///tmp/redis.sock", logger, module="tests.support.fake_api")
    api.start()
    try:
        yield api
    finally:
        api.stop()


def health(api: ApiProcesses) -> dict[str, Any]:
    with pytest.raises(urllib.error.HTTPError) as answer:
        urllib.request.urlopen(f"http://127.0.0.1:{api.port}/health", timeout=5)
    with answer.value:
        body: dict[str, Any] = json.load(answer.value)
    return body


def test_it_answers_after_start_with_the_settings_it_was_given(settings: Settings, logger: RecordingLogger) -> None:
    with running(settings, logger) as api:
        answer = health(api)
        assert answer["settings"]["redis"]["connection_string"] == "unix:///tmp/redis.sock"
        assert answer["settings"]["server"]["port"] == api.port != 0
    assert not alive(answer["pid"])
    assert not alive(answer["worker"])
    assert logger.errors == []


@pytest.mark.parametrize("host", ["localhost", "[::1]", "127.0.0.1"])
def test_it_listens_on_a_name_as_on_an_address(logger: RecordingLogger, host: str) -> None:
    settings = Settings.model_validate({"server": {"host": host, "port": 0}})
    with running(settings, logger) as api:
        assert api.answers()


def test_a_name_without_an_address_is_a_sentence(logger: RecordingLogger) -> None:
    settings = Settings.model_validate({"server": {"host": "nobody.invalid", "port": 0}})
    with pytest.raises(StartError, match=r"^Server\.Host: nobody\.invalid has no address .* accepted: a name that"):
        ApiProcesses(settings, "unix:///tmp/redis.sock", logger).start()


def test_a_start_that_is_not_wanted_any_more_ends_at_once(
    settings: Settings, logger: RecordingLogger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAKE_API", "deaf")
    api = ApiProcesses(settings, "unix:///tmp/redis.sock", logger, module="tests.support.fake_api")
    cancel = threading.Event()
    cancel.set()
    with pytest.raises(StartCancelled):
        api.start(cancel)
    assert api.pid is None or not alive(api.pid)


def test_it_is_told_that_the_end_is_near_and_answers_on(settings: Settings, logger: RecordingLogger) -> None:
    with running(settings, logger) as api:
        assert not health(api)["draining"]
        api.drain(0)
        wait_for("told", lambda: health(api)["draining"])


def test_a_killed_one_is_started_again_and_leaves_no_worker_behind(settings: Settings, logger: RecordingLogger) -> None:
    with running(settings, logger) as api:
        before = health(api)
        os.kill(before["pid"], signal.SIGKILL)
        logger.wait_for("HTTP server answers", count=2)
        after = health(api)
        assert after["pid"] != before["pid"]
        assert not alive(before["worker"])
    assert any("ended with code -9" in line for line in logger.errors)


def test_ctrl_c_does_not_reach_it(settings: Settings, logger: RecordingLogger) -> None:
    with running(settings, logger) as api:
        assert os.getpgid(api.pid or 0) != os.getpgid(0)


def test_it_shares_the_session_in_which_its_niceness_counts(settings: Settings, logger: RecordingLogger) -> None:
    with running(settings, logger) as api:
        assert os.getsid(api.pid or 0) == os.getsid(0)


def test_one_that_ends_at_once_is_no_start(
    settings: Settings, logger: RecordingLogger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAKE_API", "exit")
    with pytest.raises(StartError, match="ended with code 3"), running(settings, logger):
        pass


@pytest.mark.parametrize("mode", ["deaf", "deaf to SIGTERM"])
def test_one_that_hangs_is_given_up(
    settings: Settings, logger: RecordingLogger, monkeypatch: pytest.MonkeyPatch, mode: str
) -> None:
    monkeypatch.setenv("FAKE_API", mode)
    api = ApiProcesses(settings, "localhost", logger, module="tests.support.fake_api")
    supervisor = api._supervisor
    if mode == "deaf":
        supervisor._child = replace(supervisor._child, start_seconds=0.5, stop_seconds=5)
        with pytest.raises(StartError):
            api.start()
    else:
        supervisor._child = replace(supervisor._child, stop_seconds=0.2)
        api.start()
        api.stop()
    assert not alive(api.pid)


def test_kill_9_of_the_parent_ends_it_and_its_worker() -> None:
    script = """
import sys, time
from scheduler.config.reading import Settings
from scheduler.api.processes import ApiProcesses
from tests.support.logger import RecordingLogger
settings = Settings()
settings = settings.model_copy(update={"server": settings.server.model_copy(update={"port": 0})})
api = ApiProcesses(settings, "localhost", RecordingLogger(), module="tests.support.fake_api")
api.start()
print(api.pid, flush=True)
sys.stdin.read()
"""
    command = [sys.executable, "-c", script]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as parent:
        assert parent.stdout
        child = int(parent.stdout.readline())
        family = [child, *(process.pid for process in psutil.Process(child).children(recursive=True))]
        parent.kill()
    assert len(family) == 2
    wait_for("child and worker end", lambda: not any(alive(pid) for pid in family))


@pytest.mark.parametrize("shared", [True, False], ids=["shares its port", "keeps its port"])
def test_a_port_in_use_is_named_with_the_way_out(shared: bool, settings: Settings, logger: RecordingLogger) -> None:
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, shared)
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        taken = settings.model_copy(update={"server": settings.server.model_copy(update={"port": port})})
        with pytest.raises(StartError, match=rf"127\.0\.0\.1:{port} .*Server\.Port, env PORT"), running(taken, logger):
            pass


def test_nobody_else_is_given_its_port_while_it_starts(settings: Settings, logger: RecordingLogger) -> None:
    with running(settings, logger) as api, socket.socket() as other:
        os.kill(api.pid or 0, signal.SIGKILL)
        assert api._reserved is not None
        assert api._reserved.getsockname() == ("127.0.0.1", api.port)
        with pytest.raises(OSError, match="in use"):
            other.bind(("127.0.0.1", api.port))
        logger.wait_for("HTTP server answers", count=2)


@pytest.mark.parametrize("host", ["203.0.113.7", "no such host", "::g"])
def test_an_address_that_is_not_ours_is_named(host: str) -> None:
    with pytest.raises(StartError, match=r"Server\.Host"):
        reserve(host, 0)
