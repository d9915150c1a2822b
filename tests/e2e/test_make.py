"""The Makefile's own logic: which Python it takes, when it installs again.  A stand-in for pip records its calls."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CALLS = "calls.txt"
FAKE_VENV_PYTHON = f'#!/bin/sh\necho "$@" >> {CALLS}\n'


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The Makefile and the requirements in a folder of their own."""
    if not shutil.which("make"):
        pytest.skip("no make on PATH")
    for name in ("Makefile", "requirements.txt", "requirements-dev.txt"):
        shutil.copy(ROOT / name, tmp_path / name)
    (tmp_path / "bin").mkdir()
    for tool in ("make", "sh", "touch", "rm", "find", "mkdir", "cat", "chmod"):
        found = shutil.which(tool)
        assert found
        (tmp_path / "bin" / tool).symlink_to(found)
    return tmp_path


def python(folder: Path, name: str, *, works: bool) -> None:
    """A Python on PATH: a good one makes a venv whose Python records its arguments; the other fails at all it does."""
    path = folder / "bin" / name
    if works:
        path.write_text(
            '#!/bin/sh\n[ "$1" = -m ] || exit 0\nmkdir -p "$3/bin"\n'
            f'cat > "$3/bin/python" <<\'END\'\n{FAKE_VENV_PYTHON}END\nchmod +x "$3/bin/python"\n'
        )
    else:
        path.write_text("#!/bin/sh\necho 'command not found' >&2\nexit 127\n")
    path.chmod(0o755)


def make(folder: Path, target: str) -> subprocess.CompletedProcess[str]:
    environment = {"PATH": str(folder / "bin"), "HOME": os.environ.get("HOME", "/")}
    return subprocess.run(
        ["make", target], cwd=folder, env=environment, capture_output=True, text=True, timeout=30, check=False
    )


def calls(folder: Path) -> list[str]:
    lines = (folder / CALLS).read_text().splitlines()
    (folder / CALLS).unlink()
    return lines


def test_run_installs_once_and_again_when_the_requirements_change(folder: Path) -> None:
    python(folder, "python3.12", works=True)
    assert make(folder, "run").returncode == 0
    install, run = calls(folder)
    assert install.endswith("-r requirements.txt")
    assert run == "app.py"
    assert make(folder, "run").returncode == 0
    assert calls(folder) == ["app.py"]
    stamp = (folder / ".venv" / "run.stamp").stat().st_mtime
    os.utime(folder / "requirements.txt", (stamp + 5, stamp + 5))
    assert make(folder, "run").returncode == 0
    assert len(calls(folder)) == 2


def test_a_python_that_is_only_a_stub_is_passed_over(folder: Path) -> None:
    python(folder, "python3.13", works=False)
    python(folder, "python3.11", works=True)
    assert make(folder, "run").returncode == 0
    assert calls(folder)[-1] == "app.py"


def test_without_a_python_it_says_what_is_needed(folder: Path) -> None:
    python(folder, "python3", works=False)
    result = make(folder, "run")
    assert result.returncode != 0
    assert "Python 3.11 or newer" in result.stderr
    assert not (folder / ".venv").exists()


def test_clean_keeps_messages_and_logs(folder: Path) -> None:
    for name in ("data", "logs", ".venv", "scheduler/__pycache__"):
        (folder / name).mkdir(parents=True)
    assert make(folder, "clean").returncode == 0
    assert (folder / "data").exists()
    assert (folder / "logs").exists()
    assert not (folder / ".venv").exists()
    assert not (folder / "scheduler" / "__pycache__").exists()
