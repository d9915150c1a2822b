"""Programs of the system that tests call, as ``system-packages.txt`` names them."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

LIST = Path(__file__).parents[2] / "system-packages.txt"


def listed() -> dict[str, str]:
    """Return the Debian package of every program in the list."""
    lines = [line.split() for line in LIST.read_text().splitlines() if line and not line.startswith("#")]
    return {program: package for package, program in lines}


def need(program: str) -> str:
    """Return the path of a program; without it the test is skipped, and in CI (environment variable ``CI``) it fails.

    KeyError: the program is not in the list, so that no fresh machine would have it.
    """
    package = listed()[program]
    # Debian keeps servers in /usr/sbin, which only root's PATH has.
    found = shutil.which(program, path=f"{os.environ.get('PATH', os.defpath)}:/usr/sbin")
    if found:
        return found
    reason = f"no {program} on PATH (Debian: apt-get install {package})"
    if os.environ.get("CI"):
        pytest.fail(f"{reason}: CI must not skip this test")
    pytest.skip(reason)
