"""The entry point of the containers with mounted folders: whom it runs as."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ENTRYPOINT = Path(__file__).parents[2] / "docker" / "entrypoint"
SHOW = (
    "id -u; id -g; id -G; grep CapEff /proc/self/status | cut -f 2; echo $HOME; touch $0/made && stat -c %u:%g $0/made"
)

pytestmark = pytest.mark.skipif(
    sys.platform != "linux" or os.getuid() != 0, reason="needs root on Linux, to become somebody else"
)


def run(folder: Path, *command: str, uid: int = 0) -> subprocess.CompletedProcess[str]:
    environment = {"PATH": os.environ["PATH"], "HOME": "/root"}
    return subprocess.run(
        [ENTRYPOINT, str(folder), *command],
        env=environment,
        user=uid,
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )


@pytest.fixture
def folder(short_tmp: Path) -> Path:
    """A folder that everybody reaches."""
    short_tmp.chmod(0o755)
    folder = short_tmp / "logs"
    folder.mkdir()
    return folder


@pytest.mark.parametrize("owner", [(0, 0), (1000, 1000), (1001, 100), (54321, 54321)])
def test_it_runs_as_the_owner_of_the_folder_without_roots_capabilities(folder: Path, owner: tuple[int, int]) -> None:
    os.chown(folder, *owner)
    uid, gid = owner
    result = run(folder, "sh", "-c", SHOW, str(folder))
    assert result.stderr == ""
    assert result.stdout.split() == [str(uid), str(gid), str(gid), "0" * 16, "/tmp", f"{uid}:{gid}"]


def test_arguments_and_exit_code_are_the_commands(folder: Path) -> None:
    result = run(folder, "sh", "-c", 'printf "<%s>" "$@"; exit 7', "sh", "a b", "", "$HOME")
    assert (result.stdout, result.returncode) == ("<a b><><$HOME>", 7)


def test_another_user_than_root_stays_that_user(folder: Path) -> None:
    folder.chmod(0o777)
    assert run(folder, "id", "-u", uid=1234).stdout == "1234\n"


def test_a_folder_that_cannot_be_written_ends_the_container_with_a_sentence(folder: Path) -> None:
    result = run(folder, "id", "-u", uid=1234)
    assert result.returncode == 1
    assert result.stdout == ""
    assert f"{folder} cannot be written by user 1234" in result.stderr
