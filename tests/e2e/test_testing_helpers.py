"""The pytest plug-in of the Python client: the tests of docs/testing.md, run by a pytest of their own."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from message_scheduler_client import Conflict
from message_scheduler_client.testing import SchedulerService, StartFailed

from tests.support.service import ROOT, clean_environment

COMMAND = f"{sys.executable} {ROOT / 'app.py'}"
PAGE = (ROOT / "docs" / "testing.md").read_text()


def run(folder: Path, tests: str, settings: str = "", **env: str) -> subprocess.CompletedProcess[str]:
    """The tests of a user, in a folder of theirs."""
    (folder / "test_theirs.py").write_text(tests)
    (folder / "pytest.ini").write_text(f"[pytest]\n{settings}")
    environment = {**clean_environment(), "PYTHONPATH": str(ROOT / "clients" / "python"), **env}
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-p",
        "message_scheduler_client.testing.plugin",
        "-p",
        "no:cacheprovider",
    ]
    return subprocess.run(
        [*command, "-W", "error"], cwd=folder, env=environment, capture_output=True, text=True, timeout=110, check=False
    )


SETTINGS = """
import pytest

@pytest.fixture(scope="session")
def scheduler_settings():
    return {"RETRY__MAX_ATTEMPTS": 7, "EVENTS__ENABLED": False}

"""
SHARED = """
def test_last_one(scheduler_service, scheduler):
    assert scheduler.send("x", id="one", delay=60)["max_attempts"] == 7
    scheduler_service.move_by("1m")
    scheduler_service.wait_for_delivery("one")
    assert scheduler_service.printed() == ["x"]

def test_last_two(scheduler):
    assert scheduler.get("one")["status"] == "delivered"
"""


def test_the_tests_of_the_page_pass_and_may_share_a_service_with_settings(tmp_path: Path) -> None:
    blocks = re.findall(r"^```python\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    settings = "message_scheduler_scope = session\n"
    ran = run(tmp_path, SETTINGS + "\n".join(blocks) + SHARED, settings, MESSAGE_SCHEDULER_COMMAND=COMMAND)
    assert ran.returncode == 0, ran.stdout
    assert f"{PAGE.count('def test_') + 2} passed" in ran.stdout


def test_a_scope_that_is_none_is_said(tmp_path: Path) -> None:
    settings = f"message_scheduler_scope = always\nmessage_scheduler_command = {COMMAND}\n"
    ran = run(tmp_path, "def test(scheduler): pass\n", settings)
    assert "message_scheduler_scope: 'always' is not one of function, class" in ran.stdout + ran.stderr


def test_a_restart_keeps_messages_and_the_clock_and_the_end_leaves_nothing() -> None:
    with SchedulerService(COMMAND) as service:
        service.move_to("2099-03-01T09:00:00Z")
        sent = service.client.send("x", delay="1d")
        service.stop()
        service.start()
        assert service.now().year == 2099
        service.move_by("1d")
        assert service.wait_for_delivery(sent["id"])["due_at"].startswith("2099-03-02T09:00:")
        with pytest.raises(Conflict):
            service.client.cancel(sent["id"])
        cancelled = service.client.send("x", delay=60)["id"]
        service.client.cancel(cancelled)
        with pytest.raises(AssertionError, match="it is cancelled"):
            service.wait_for_delivery(cancelled)
        assert "THE TEST CLOCK IS ON" in service.log()
    assert not service.folder.exists()


def test_a_service_that_does_not_start_says_why() -> None:
    with (
        pytest.raises(StartFailed, match=r"(?s)ended with code 2.*SCHEDULER__WORKERS"),
        SchedulerService(COMMAND, settings={"SCHEDULER__WORKERS": "many"}),
    ):
        pass


def test_a_service_that_is_not_installed_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.which", lambda *_, **__: None)
    monkeypatch.delenv("MESSAGE_SCHEDULER_COMMAND", raising=False)
    with pytest.raises(StartFailed, match="MESSAGE_SCHEDULER_COMMAND"):
        SchedulerService()
    assert not os.environ.get("MESSAGE_SCHEDULER_COMMAND")
