"""The wheel and the sdist of this checkout, and a virtual environment that has the wheel and no more of it."""

from __future__ import annotations

import subprocess
import sys
import sysconfig
from pathlib import Path

ROOT = Path(__file__).parents[2]


def build(folder: Path) -> tuple[Path, Path]:
    """Return the sdist and the wheel that was made from it."""
    run(sys.executable, "-m", "build", "--no-isolation", "--outdir", str(folder), str(ROOT))
    (sdist,), (wheel,) = folder.glob("*.tar.gz"), folder.glob("*.whl")
    return sdist, wheel


def install(wheel: Path, folder: Path) -> Path:
    """Return the ``bin`` of a new environment with this wheel.

    What the wheel depends on is taken from the environment of the tests, so that no network is needed: that the names
    and versions are right is looked at by tests/unit/project/test_package.py.
    """
    run(sys.executable, "-m", "venv", "--without-pip", str(folder))
    python = folder / "bin" / "python"
    run(sys.executable, "-m", "pip", "--python", str(python), "install", "--no-index", "--no-deps", str(wheel))
    packages = next((folder / "lib").glob("python*/site-packages"))
    (packages / "tests.pth").write_text(f"import site; site.addsitedir({sysconfig.get_path('purelib')!r})\n")
    return python.parent


def run(*command: str) -> str:
    """Return what the command wrote; AssertionError with all of it when it failed."""
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=50)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
