"""The scheduler process as a whole, without Redis: nothing starts by itself, and what cannot start says why."""

from __future__ import annotations

import queue
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from scheduler.config.reading import Settings
from scheduler.delivery import dispatcher, maintenance, workers
from scheduler.errors import StartCancelled, StartError
from scheduler.redis_server import private as embedded
from scheduler.runtime import Runtime
from scheduler.store import MessageStore, wake
from tests.support.api import Api
from tests.support.clock import FakeClock
from tests.support.logger import RecordingLogger
from tests.support.waiting import wait_for

ROOT = Path(__file__).parents[3]


def settings(connection_string: str, **sections: dict[str, Any]) -> Settings:
    return Settings.model_validate({"redis": {"connection_string": connection_string}, **sections})


def test_importing_any_module_starts_no_thread_and_no_process() -> None:
    code = """
import importlib, pkgutil, threading
import psutil
import app, scheduler
for module in pkgutil.walk_packages(scheduler.__path__, "scheduler."):
    importlib.import_module(module.name)
print([thread.name for thread in threading.enumerate()], psutil.Process().children())
"""
    run = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=50, check=True)
    assert run.stdout == "['MainThread'] []\n"


def test_making_an_application_or_a_runtime_starts_no_thread(clock: FakeClock, tmp_path: Path) -> None:
    before = threading.enumerate()
    Api(clock)
    made = Runtime(Settings.model_validate({"redis": {"data_directory": str(tmp_path / "data")}}))
    assert threading.enumerate() == before
    assert list(tmp_path.iterdir()) == []
    made.stop()


def test_a_redis_that_does_not_answer_is_a_sentence_and_leaves_nothing_running(tmp_path: Path) -> None:
    before = threading.enumerate()
    alone = settings(f"unix://{tmp_path}/nobody.sock")
    at_once = alone.model_copy(update={"redis": alone.redis.model_copy(update={"wait_at_start": False})})
    with pytest.raises(StartError, match=r"Redis does not answer .*REDIS_URL"):
        Runtime(at_once).start()
    assert threading.enumerate() == before


def test_a_redis_that_is_away_is_waited_for_with_a_line_a_minute_until_a_stop_is_asked_for(
    tmp_path: Path, clock: FakeClock
) -> None:
    before = threading.enumerate()
    log = RecordingLogger()
    made = Runtime(settings(f"unix://{tmp_path}/nobody.sock"), log, clock)
    cancel, ends = threading.Event(), queue.SimpleQueue[Exception]()

    def start() -> None:
        try:
            made.start(cancel)
        except Exception as error:  # noqa: BLE001 - for the test to look at
            ends.put(error)

    starting = threading.Thread(target=start)
    starting.start()
    for waits in range(1, 122):
        wait_for("it sleeps", lambda waits=waits: len(clock.waits) >= waits)  # type: ignore[misc]
        clock.advance(1)
    cancel.set()
    assert isinstance(ends.get(timeout=30), StartCancelled)
    starting.join(15)
    said = [line for line in log.errors if "The start waits for Redis: Redis does not answer" in line]
    assert len(said) == 3  # at once, after one minute, after two
    assert threading.enumerate() == before


def test_a_stop_without_a_start_is_harmless() -> None:
    made = Runtime(settings("localhost"))
    made.stop()
    made.stop()


@pytest.mark.parametrize(("name", "expected"), [("one", "one"), ("", None)])
def test_a_server_is_called_as_its_settings_say_or_by_host_and_process(name: str, expected: str | None) -> None:
    made = Runtime(settings("localhost", server={"name": name}))
    assert made.server == expected or (expected is None and made.server.rpartition("-")[2].isdigit())


def test_parts_stop_in_an_order_that_loses_nothing(monkeypatch: pytest.MonkeyPatch, short_tmp: Path) -> None:
    """Claiming first; maintenance after the workers, for they need renewal; the private Redis last."""
    order: list[str] = []

    def noted(owner: type, method: str, name: str) -> None:
        real = getattr(owner, method)

        def call(self: Any, *arguments: Any) -> Any:
            if not order or order[-1] != name:
                order.append(name)
            return real(self, *arguments)

        monkeypatch.setattr(owner, method, call)

    embedded_here = settings("embedded", events={"port": 0})
    embedded_here = embedded_here.model_copy(
        update={"redis": embedded_here.redis.model_copy(update={"data_directory": str(short_tmp / "data")})}
    )
    made = Runtime(embedded_here, RecordingLogger())
    made.start()
    noted(dispatcher.Dispatcher, "stop", "claiming")
    noted(wake.WakeListener, "stop", "listening")
    noted(workers.Workers, "stop", "working")
    noted(maintenance.Maintenance, "stop", "maintenance")
    noted(MessageStore, "leave", "signing off")
    noted(MessageStore, "close", "connections")
    noted(embedded.EmbeddedRedis, "stop", "redis")
    with pytest.raises(RuntimeError, match="already started"):
        made.start()
    assert order == [], "a second start must not end the first"
    made.stop()
    assert order == ["claiming", "listening", "working", "maintenance", "signing off", "connections", "redis"]
