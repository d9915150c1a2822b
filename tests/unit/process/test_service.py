"""The service as a whole: the order of start and stop, exit codes, what it tells its operator."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import threading
from pathlib import Path
from typing import Any

import pytest

from scheduler import service, systemd
from scheduler.config.reading import Settings
from scheduler.errors import ConfigError, StartCancelled, StartError
from scheduler.process.signals import StopSignals
from scheduler.runtime import Runtime
from tests.support.logger import RecordingLogger

FILE = Path("appsettings.json")
STOP = [
    "runtime.stop_claiming",
    "runtime.finish_deliveries",
    "runtime.stop_maintenance",
    "runtime.close_redis",
    "runtime.stop_private_redis",
]


class Log(RecordingLogger):
    """A logger with the calls of a ``ServiceLogger`` that the entry point makes."""

    def warning(self, message: str, /) -> None:
        self.error(message)

    def close(self) -> None:
        pass


class Parts:
    """Stands in for the runtime and the HTTP processes; records what is done to them, and fails where it is told to."""

    def __init__(self, fails: dict[str, Exception]) -> None:
        self.calls: list[str] = []
        self._fails = fails

    def part(self, name: str) -> Any:
        parts = self

        class Part:
            redis_url = "unix:///redis.sock"
            redis = "Redis 7.2.4, append-only file"
            port = 3000

            def __init__(self, *_: object, **__: object) -> None:
                pass

            def start(self, cancel: threading.Event, loading: object = None) -> None:
                parts.calls.append(f"{name}.start")
                if f"{name}.start" in parts._fails:
                    raise parts._fails[f"{name}.start"]

            def drain(self, seconds: float) -> None:
                parts.calls.append(f"{name}.drain {seconds:g}")

            def stop(self) -> None:
                parts.calls.append(f"{name}.stop")

            def __getattr__(self, step: str) -> Any:
                return lambda: parts.calls.append(f"{name}.{step}")

        return Part


def run(
    monkeypatch: pytest.MonkeyPatch, fails: dict[str, Exception] | None = None, role: str = "all"
) -> tuple[int, list[str], Log]:
    """Start, get SIGTERM at once, stop: exit code, calls in order, log."""
    parts, log = Parts(fails or {}), Log()
    monkeypatch.setattr(service, "Runtime", parts.part("runtime"))
    monkeypatch.setattr(service, "ApiProcesses", parts.part("api"))
    signals = StopSignals()
    signals.note(signal.SIGTERM)
    settings = service.named(Settings.model_validate({"server": {"role": role}}))
    code = service.run(settings, FILE, log, signals)  # type: ignore[arg-type]
    return code, parts.calls, log


def test_http_starts_last_and_stops_first(monkeypatch: pytest.MonkeyPatch) -> None:
    code, calls, log = run(monkeypatch)
    assert code == 0
    assert calls == ["runtime.start", "api.start", "api.drain 0.5", "api.stop", *STOP]
    assert log.infos[-1] == "Stopped."


def test_a_runtime_that_is_stopped_by_itself_takes_the_same_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[str] = []
    for step in vars(Runtime):
        if step.startswith(("stop_", "finish_", "close_")):
            monkeypatch.setattr(Runtime, step, lambda _, step=step: calls.append(f"runtime.{step}"))
    Runtime(Settings()).stop()
    assert calls == STOP


def test_a_worker_has_no_http(monkeypatch: pytest.MonkeyPatch) -> None:
    code, calls, log = run(monkeypatch, role="worker")
    assert code == 0
    assert calls == ["runtime.start", *STOP]
    assert not log.count("HTTP:")


@pytest.mark.parametrize("waiting", ["runtime.start", "api.start"])
def test_a_signal_during_the_start_is_a_clean_stop(monkeypatch: pytest.MonkeyPatch, waiting: str) -> None:
    code, calls, log = run(monkeypatch, {waiting: StartCancelled()})
    assert code == 0
    assert calls[-5:] == STOP
    assert not any("drain" in call for call in calls)
    assert log.infos[-2:] == ["SIGTERM: The start was given up, as asked.", "Stopped."]


class Works:
    """A runtime or an API that works, until it does not any more; and then somebody asks for a stop."""

    def __init__(self, answers: list[bool], signals: StopSignals) -> None:
        self._answers = answers
        self._signals = signals

    def works(self) -> bool:
        if not self._answers:
            self._signals.note(signal.SIGTERM)
            return False
        return self._answers.pop(0)

    answers = works


@pytest.mark.parametrize(
    ("runtime", "api", "told"),
    [([True] * 3, [True] * 3, 3), ([True, False, True], [True] * 3, 2), ([True] * 3, [True, False, True], 2)],
)
def test_the_watchdog_is_told_of_a_service_that_works(
    monkeypatch: pytest.MonkeyPatch, runtime: list[bool], api: list[bool], told: int
) -> None:
    states: list[str] = []
    monkeypatch.setattr(systemd, "notify", states.append)
    monkeypatch.setattr(systemd, "watchdog_seconds", lambda: 0.003)
    signals = StopSignals()
    service.wait_for_stop(Works(runtime, signals), Works(api, signals), signals)  # type: ignore[arg-type]
    assert states == ["WATCHDOG=1"] * told


def test_systemd_hears_when_it_is_ready_and_when_it_stops(monkeypatch: pytest.MonkeyPatch) -> None:
    states: list[str] = []
    monkeypatch.setattr(systemd, "notify", states.append)
    run(monkeypatch)
    assert states == ["READY=1", "STOPPING=1"]


@pytest.mark.parametrize("broken", ["runtime.start", "api.start"])
def test_a_start_that_fails_is_one_sentence_and_undone(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], broken: str
) -> None:
    code, calls, _ = run(monkeypatch, {broken: StartError("The port is taken.")})
    assert code == 1
    assert capsys.readouterr().err == "The port is taken.\n"
    assert calls[-5:] == STOP


def test_settings_that_turn_out_wrong_are_listed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    code, _, _ = run(monkeypatch, {"runtime.start": ConfigError(["one", "two"])})
    assert code == 2
    assert capsys.readouterr().err == "one\ntwo\n"


def test_the_summary_has_what_its_reader_types_next_and_no_secret() -> None:
    settings = Settings.model_validate(
        {
            "redis": {"connection_string": "redis://me:geheim@redis:6379/0"},
            "server": {"name": "one"},
            "api": {"auth_token": "wirklich-geheim"},
        }
    )
    text = "\n".join(service.summary(settings, FILE, 3000, "Redis 7.2.4, append-only file"))
    assert "geheim" not in text
    assert "redis://me:***@redis:6379/0" in text
    assert "http://127.0.0.1:3000/docs" in text
    assert 'curl http://127.0.0.1:3000/v1/messages -H "Authorization: $API_AUTH"' in text


def test_the_summary_uses_one_token_of_several() -> None:
    settings = Settings.model_validate({"api": {"auth_token": "old,new"}})
    line = next(line for line in service.summary(settings, FILE, 3000, "Redis 7.2.4") if line.startswith("Try:"))
    header = re.findall(r'-H ("Authorization[^"]*")', line)[0]
    said = subprocess.run(["sh", "-c", f"echo {header}"], env={"API_AUTH": "old,new"}, capture_output=True, check=True)
    assert said.stdout == b"Authorization: old\n"


@pytest.mark.parametrize(
    ("host", "token", "warned"),
    [
        ("0.0.0.0", "", True),
        ("::", "", True),
        ("scheduler.example", "", True),
        ("0.0.0.0", "set", False),
        ("127.0.0.1", "", False),
        ("127.0.0.2", "", False),
        ("::1", "", False),
        ("localhost", "", False),
    ],
)
def test_an_open_address_without_a_token_is_warned_of(host: str, token: str, warned: bool) -> None:
    log = Log()
    service.warn_when_open(Settings.model_validate({"server": {"host": host}, "api": {"auth_token": token}}), log)  # type: ignore[arg-type]
    assert bool(log.count("ANYBODY")) is warned


@pytest.mark.parametrize("on", [True, False])
def test_a_clock_that_can_be_moved_is_said_loudly(on: bool) -> None:
    log = Log()
    service.warn_of_test_clock(Settings.model_validate({"test": {"clock": on}}), log)  # type: ignore[arg-type]
    assert bool(log.count("THE TEST CLOCK IS ON")) is on


def test_a_variable_with_one_underscore_in_place_of_two_is_warned_of(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SCHEDULER_WORKERS", "20")
    _, _, log = run(monkeypatch)
    assert log.count("SCHEDULER_WORKERS is ignored; did you mean SCHEDULER__WORKERS") == 1


def test_it_says_which_settings_file_it_read(tmp_path: Path) -> None:
    file = tmp_path / "appsettings.json"
    assert f"Read:   {file} is not there: defaults, environment" in service.summary(Settings(), file, 1, "")
    file.write_text("{}")
    assert f"Read:   {file}, environment" in service.summary(Settings(), file, 3000, "Redis 7")


def test_a_server_has_a_name_that_its_processes_share() -> None:
    assert service.named(Settings.model_validate({"server": {"name": "one"}})).server.name == "one"
    generated = service.named(Settings())
    assert generated.server.name
    assert service.named(Settings.model_validate({"server": {"port": 3000}})).server.name.endswith("-3000")
    for unlike in ({"port": 0}, {"role": "worker"}):
        assert service.named(Settings.model_validate({"server": unlike})).server.name.endswith(f"-{os.getpid()}")
    assert Settings.model_validate_json(generated.model_dump_json()) == generated
