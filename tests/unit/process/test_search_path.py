"""Where the processes of a server look for modules."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from scheduler.process import search_path

ROOT = Path(__file__).parents[3]
LOAD = """
import sys
from scheduler.process.search_path import add_working_folder
add_working_folder()
import json, my_jobs, scheduler
print(json.__file__, my_jobs.__file__, scheduler.__file__)
"""


def test_modules_of_the_working_folder_are_found_and_hide_nothing(tmp_path: Path) -> None:
    for name in ("json.py", "my_jobs.py", "scheduler.py"):
        (tmp_path / name).write_text("")
    command = [sys.executable, "-P", "-c", LOAD]
    environment = search_path.child_environment()
    run = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=True, timeout=30)
    library, own, service = run.stdout.split()
    assert own == str(tmp_path / "my_jobs.py")
    assert service == str(ROOT / "scheduler" / "__init__.py")
    assert not library.startswith(str(tmp_path))


def test_what_the_user_set_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", "/mine")
    assert search_path.child_environment()["PYTHONPATH"] == f"{ROOT}{os.pathsep}/mine"


def test_the_folder_of_installed_packages_does_not_come_before_the_standard_library(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("PYTHONPATH", raising=False)
    monkeypatch.setattr("sysconfig.get_path", lambda _: str(ROOT))
    assert "PYTHONPATH" not in search_path.child_environment()
