"""One list of system packages: what tests call is in it, and each fresh machine installs from it."""

from __future__ import annotations

import ast
import shutil
import subprocess
from functools import lru_cache
from pathlib import Path

import pytest

from tests.support.programs import listed, need

ROOT = Path(__file__).parents[3]
EVERYWHERE = {"sh", "/bin/sh", "bash", "sleep", "localedef", "mount", "umount"}
"""Debian marks their packages as essential: no machine is without them."""
OPTIONAL = {"node", "npm", "systemd-analyze", "promtool"}
"""The dashboard is committed as built; make test says what it skips without Node.  An image has no systemd.  promtool
comes with Prometheus itself, 96 MB.
"""
CALLS = {"run", "Popen", "check_call", "check_output", "which", "need"}


def first_word(node: ast.expr) -> str | None:
    """Return the program of a call's first argument: the text itself, or the first item of a list."""
    while isinstance(node, ast.List | ast.Tuple | ast.Starred):
        node = node.value if isinstance(node, ast.Starred) else node.elts[0]
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else None


@lru_cache
def called_programs() -> tuple[tuple[str, str], ...]:
    """Return the place and the name of every program that a test calls by name."""
    found = []
    for path in (ROOT / "tests").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if not isinstance(node, ast.Call) or not node.args:
                continue
            called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            if called in CALLS and (program := first_word(node.args[0])):
                found.append((f"{path.relative_to(ROOT)}:{node.lineno}", program))
    return tuple(found)


def test_every_program_that_tests_call_is_in_the_list_or_on_every_machine() -> None:
    known = {*listed(), *EVERYWHERE, *OPTIONAL}
    calls = [(place, program) for place, program in called_programs() if " " not in program]
    assert [call for call in calls if call[1] not in known] == []


def test_every_line_of_the_list_is_called_by_a_test() -> None:
    # scheduler/redis_server/private.py looks for the redis-server.
    assert set(listed()) - {program for _, program in called_programs()} <= {"redis-server", "nginx"}


def test_a_missing_program_is_skipped_on_a_developers_machine_and_fails_in_ci(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.which", lambda *_, **__: None)
    monkeypatch.delenv("CI", raising=False)
    with pytest.raises(pytest.skip.Exception, match="apt-get install chromium-driver"):
        need("chromedriver")
    monkeypatch.setenv("CI", "true")
    with pytest.raises(pytest.fail.Exception, match="apt-get install chromium-driver"):
        need("chromedriver")


@pytest.fixture
def fresh(tmp_path: Path) -> Path:
    """A folder with ``.ci/run``, the list and a bin folder whose apt-get and make only record their arguments."""
    (tmp_path / ".ci").mkdir()
    for name in (".ci/run", "system-packages.txt"):
        (tmp_path / name).write_bytes((ROOT / name).read_bytes())
    (tmp_path / "bin").mkdir()
    for name in ("apt-get", "make"):
        (tmp_path / "bin" / name).write_text(f'#!/bin/sh\necho {name} "$@" >> {tmp_path}/calls\n')
        (tmp_path / "bin" / name).chmod(0o755)
    return tmp_path


def run_ci(folder: Path, uid: int = 0) -> subprocess.CompletedProcess[str]:
    (folder / "bin" / "id").write_text(f"#!/bin/sh\necho {uid}\n")
    (folder / "bin" / "id").chmod(0o755)
    for tool in ("bash", "dirname", "grep"):
        (folder / "bin" / tool).symlink_to(str(shutil.which(tool)))
    environment = {"PATH": str(folder / "bin")}
    return subprocess.run(
        ["bash", ".ci/run"], cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=30
    )


def test_ci_installs_what_the_list_names_and_the_machine_lacks(fresh: Path) -> None:
    assert run_ci(fresh).returncode == 0
    _, install, test = (fresh / "calls").read_text().splitlines()
    # Servers in /usr/sbin are found whatever PATH is, where the machine has them.
    missing = set(listed()) - {"make", "nginx", "mariadbd"}
    assert {listed()[program] for program in missing} <= set(install.split())
    assert "make" not in install.split()
    assert test == "make test"


def test_ci_without_root_names_what_is_missing(fresh: Path) -> None:
    result = run_ci(fresh, uid=1000)
    assert result.returncode == 1
    assert "chromium-driver" in result.stderr
    assert not (fresh / "calls").exists()
