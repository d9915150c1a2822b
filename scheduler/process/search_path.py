"""Where the processes of a server find Python modules: the service itself, and the user's handlers of jobs."""

from __future__ import annotations

import os
import sys
import sysconfig
from pathlib import Path
from typing import Final

_ROOT: Final = str(Path(__file__).resolve().parents[2])
"""The folder that holds the package: a checkout, or Python's folder of installed packages."""


def add_working_folder() -> None:
    """Let ``Jobs.Modules`` lie in the folder of the start; last, so that no file there hides a library."""
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.append(here)


def child_environment() -> dict[str, str]:
    """Return this process's environment for a child of ``python -P -m scheduler…``, which finds the same package.

    ``-P`` leaves out the working folder, which Python would search first: a folder ``scheduler`` or a ``json.py`` of
    the user's would be imported in place of the service's own.
    """
    # Installed packages are found anyway, and in PYTHONPATH they would come before the standard library.
    if _ROOT in (sysconfig.get_path("purelib"), sysconfig.get_path("platlib")):
        return dict(os.environ)
    folders = [_ROOT, *filter(None, [os.environ.get("PYTHONPATH")])]
    return os.environ | {"PYTHONPATH": os.pathsep.join(folders)}
