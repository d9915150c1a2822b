"""Looking at other processes."""

from __future__ import annotations

import psutil


def alive(pid: int | None) -> bool:
    """Whether the process runs; an ended one that nobody waits for stays a zombie where init does not reap."""
    try:
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False
