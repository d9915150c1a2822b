"""The Makefile's own logic: which Python it takes, when it installs again, what it does without Node.

Stand-ins for pip, Node and npm record their calls.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.support.programs import need

ROOT = Path(__file__).parents[2]
CALLS = "calls.txt"
FAKE_VENV_PYTHON = f'#!/bin/sh\necho "$@" >> {CALLS}\n[ ! -e pip_fails ] || exit 1\n'
FAKE_NPM = f"""#!/bin/sh
[ "$1" = --version ] && exit 0
case "$PWD" in */clients/typescript) up=../.. said=client;; *) up=.. said=npm;; esac
echo "$said $@" >> $up/{CALLS}
[ "$1" = ci ] && {{ rm -rf node_modules; [ -e $up/no_network ] && exit 1; mkdir node_modules; }}
[ "$*" = "run --silent test" ] && [ -e $up/${{said}}_tests_fail ] && exit 1
exit 0
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The Makefile and the requirements in a folder of their own."""
    need("make")
    for part in ("bin", "dashboard", "clients/typescript"):
        (tmp_path / part).mkdir(parents=True)
    locks = [f"{package}/package-lock.json" for package in ("dashboard", "clients/typescript")]
    for name in ("Makefile", "requirements.txt", "requirements-otel.txt", "requirements-dev.txt", *locks):
        shutil.copy(ROOT / name, tmp_path / name)
    for tool in ("make", "sh", "touch", "rm", "find", "mkdir", "cat", "chmod", "nice"):
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
            f"cat > \"$3/bin/python\" <<'END'\n{FAKE_VENV_PYTHON}END\n"
            'cat "$3/bin/python" > "$3/bin/lint-imports"\nchmod +x "$3/bin/python" "$3/bin/lint-imports"\n'
        )
    else:
        path.write_text("#!/bin/sh\necho 'command not found' >&2\nexit 127\n")
    path.chmod(0o755)


def node(folder: Path, *, new: bool = True) -> None:
    """Node and npm on PATH; Node says only whether it is new enough."""
    for name, text in (("node", f"#!/bin/sh\nexit {0 if new else 1}\n"), ("npm", FAKE_NPM)):
        (folder / "bin" / name).write_text(text)
        (folder / "bin" / name).chmod(0o755)


def make(folder: Path, target: str, **more: str) -> subprocess.CompletedProcess[str]:
    environment = {"PATH": str(folder / "bin"), "HOME": os.environ.get("HOME", "/"), **more}
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


def test_an_install_that_fails_says_what_to_do_in_a_container(folder: Path) -> None:
    python(folder, "python3.12", works=True)
    (folder / "pip_fails").touch()
    result = make(folder, "test")
    assert result.returncode != 0
    assert "requirements.txt could not be installed" in result.stderr
    assert "docker-compose build test" in result.stderr
    assert not (folder / ".venv" / "run.stamp").exists()


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


INSTALL = "npm ci --loglevel=error"
CLIENT = ["client run --silent test", "client run --silent check"]
DASHBOARD = ["npm run --silent check", "npm run --silent test"]
TIMED = "-m pytest -n 2 --dist loadfile"
COMPUTED = "-m pytest -n auto"


def in_its_lane(folder: Path) -> list[str]:
    """The calls of npm, and of pytest for the tests that only compute; the rest runs beside them."""
    return [call for call in calls(folder) if call.startswith((COMPUTED, "npm "))]


@pytest.fixture
def tested(folder: Path) -> Path:
    """A folder with a Python, where ``make test`` works."""
    python(folder, "python3.12", works=True)
    return folder


def test_each_test_is_in_one_of_the_two_lanes(tested: Path) -> None:
    assert make(tested, "test").returncode == 0
    (timed,) = (call for call in calls(tested) if call.startswith(TIMED))
    make(tested, "test")
    (computed,) = (call for call in calls(tested) if call.startswith(COMPUTED))
    folders = [part for part in timed.split() if part.startswith("tests/")]
    assert [part.removeprefix("--ignore=") for part in computed.split() if part.startswith("--ignore=")] == folders
    assert [folder for folder in folders if not (ROOT / folder).is_dir()] == []


@pytest.mark.parametrize(("fails", "lane"), [(TIMED, "test-timed"), (COMPUTED, "test-computed")])
def test_either_lane_fails_the_whole_and_both_are_shown_and_judged(tested: Path, fails: str, lane: str) -> None:
    make(tested, "run")
    program = f'#!/bin/sh\ncase "$*" in "{fails}"*) echo "1 failed"; exit 1;; *pytest*) echo "9 passed";; esac\n'
    (tested / ".venv" / "bin" / "python").write_text(program)
    result = make(tested, "test")
    assert result.returncode != 0
    assert (result.stdout.count("1 failed"), result.stdout.count("9 passed")) == (1, 1)
    other = ({"test-timed", "test-computed"} - {lane}).pop()
    said = result.stdout.splitlines()[-2:]
    assert f"{lane}: FAILED, see above" in said
    assert f"{other}: passed" in said


def test_the_dashboard_is_tested_before_pytest_and_installed_only_when_its_lock_changes(tested: Path) -> None:
    node(tested)
    result = make(tested, "test")
    assert result.returncode == 0, result.stderr
    *before, pytest_call = in_its_lane(tested)
    assert before == [INSTALL, *DASHBOARD]
    assert pytest_call.startswith(COMPUTED)
    assert make(tested, "test").returncode == 0
    assert in_its_lane(tested)[:-1] == DASHBOARD
    stamp = (tested / "dashboard" / "node_modules" / "installed.stamp").stat().st_mtime
    os.utime(tested / "dashboard" / "package-lock.json", (stamp + 5, stamp + 5))
    assert make(tested, "test").returncode == 0
    assert INSTALL in calls(tested)


@pytest.mark.parametrize("old", [True, False])
def test_without_node_or_with_an_old_one_everything_else_is_tested(tested: Path, old: bool) -> None:
    if old:
        node(tested, new=False)
    result = make(tested, "test")
    assert result.returncode == 0, result.stderr
    assert "SKIPPED: the dashboard's own tests need Node" in result.stdout
    assert "SKIPPED: the TypeScript client's tests need Node" in result.stdout
    called = calls(tested)
    assert {TIMED, COMPUTED} <= {start for call in called for start in (TIMED, COMPUTED) if call.startswith(start)}
    assert not [call for call in called if call.startswith("npm")]


def test_an_install_that_fails_is_said_and_skipped(tested: Path) -> None:
    node(tested)
    (tested / "no_network").touch()
    result = make(tested, "test")
    assert result.returncode == 0, result.stderr
    assert "SKIPPED: the dashboard's own tests, because npm ci failed" in result.stdout
    assert "SKIPPED: the TypeScript client's tests need what npm ci could not install" in result.stdout
    assert in_its_lane(tested)[:-1] == [INSTALL]
    (tested / "no_network").unlink()
    assert make(tested, "test").returncode == 0
    assert in_its_lane(tested)[:-1] == [INSTALL, *DASHBOARD]


@pytest.mark.parametrize("target", ["test-dashboard", "test-clients"])
def test_what_needs_node_may_be_skipped_in_ci_and_its_failure_may_not(tested: Path, target: str) -> None:
    """The image of docker-compose run test has Debian's packages, and their Node is too old."""
    result = make(tested, target, CI="true")
    assert result.returncode == 0
    assert "SKIPPED" in result.stdout
    node(tested)
    (tested / "no_network").touch()
    assert make(tested, target, CI="true").returncode == 0
    (tested / "no_network").unlink()
    for name in ("npm_tests_fail", "client_tests_fail"):
        (tested / name).touch()
    assert make(tested, target, CI="true").returncode != 0


def test_the_client_is_installed_once_and_its_failure_fails_the_whole(tested: Path) -> None:
    node(tested)
    assert make(tested, "test").returncode == 0
    make(tested, "test-clients")
    clients = [call for call in calls(tested) if call.startswith("client ")]
    assert clients == ["client ci --loglevel=error", *CLIENT, *CLIENT]
    (tested / "client_tests_fail").touch()
    assert make(tested, "test").returncode != 0


def test_a_dashboard_whose_tests_fail_fails_the_whole(tested: Path) -> None:
    node(tested)
    (tested / "npm_tests_fail").touch()
    assert make(tested, "test").returncode != 0
    assert in_its_lane(tested) == [INSTALL, *DASHBOARD]


BUILT = ("dashboard/node_modules", "clients/typescript/node_modules", "clients/typescript/dist")


def test_clean_keeps_messages_and_logs(folder: Path) -> None:
    for name in ("data", "logs", ".venv", "scheduler/__pycache__", *BUILT):
        (folder / name).mkdir(parents=True)
    assert make(folder, "clean").returncode == 0
    for name in ("data", "logs", "dashboard"):
        assert (folder / name).exists()
    for name in (".venv", "scheduler/__pycache__", *BUILT):
        assert not (folder / name).exists()
