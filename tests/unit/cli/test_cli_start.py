"""The command line as a whole: its page, how quickly it starts, and what it leaves out for that."""

from __future__ import annotations

import runpy
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import typer

from scheduler import __version__
from scheduler.cli.main import app
from tests.support import commands_page
from tests.support.cli import cli

HEAVY = {"httpx", "pydantic", "redis", "flask", "granian", "loguru", "websockets", "orjson", "scheduler.runtime"}
"""What takes long to import, and only some commands need."""
ROOT: Any = typer.main.get_command(app)


def test_the_page_is_the_help_of_the_commands() -> None:
    text = commands_page.PAGE.read_text("utf-8")
    assert text == commands_page.page(text), "run: python -m tests.support.commands_page"


@pytest.mark.parametrize(("path", "command"), commands_page._commands(ROOT, ""), ids=str)
def test_every_command_explains_itself(path: str, command: Any) -> None:
    done = cli(*path.split(), "--help")
    assert done.code == 0
    assert command.help.splitlines()[0].endswith(".")
    assert [each.name for each in command.params if not each.help] == []
    assert ("as_json" in {each.name for each in command.params}) is (path != " serve")


def test_the_checkout_does_not_start_the_service_for_somebody_who_asks_for_help(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sys, "argv", ["app.py", "--help"])
    with pytest.raises(SystemExit, match="takes no arguments"):
        runpy.run_path(str(Path(__file__).parents[3] / "app.py"), run_name="__main__")


def test_help_loads_nothing_that_takes_long() -> None:
    code = "import sys; from scheduler.cli.main import app; app(['--help'], standalone_mode=False); print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=30)
    assert not HEAVY & set(done.stdout.splitlines()[-1].split())


def test_the_version() -> None:
    assert cli("--version").out == f"{__version__}\n"


@pytest.mark.parametrize(
    ("words", "offered"),
    [("message-scheduler re", {"redrive", "resume"}), ("message-scheduler list --status d", {"delivered", "dead"})],
)
def test_a_shell_completes_commands_and_values(words: str, offered: set[str]) -> None:
    environment = {
        "_MESSAGE_SCHEDULER_COMPLETE": "complete_bash",
        "COMP_WORDS": words,
        "COMP_CWORD": str(words.count(" ")),
    }
    done = subprocess.run(
        [sys.executable, "-m", "scheduler.cli"],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )
    assert set(done.stdout.split()) == offered
