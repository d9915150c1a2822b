"""What the figures were measured on."""

from __future__ import annotations

import os
import platform
import re
import textwrap
from importlib.metadata import version
from pathlib import Path

import psutil

from scheduler.redis_server.binary import find_server

PACKAGES = ("redis", "hiredis", "flask", "granian", "pydantic", "loguru")


def describe() -> str:
    """Machine, versions and load, as a list in Markdown."""
    load, memory = os.getloadavg()[0], psutil.virtual_memory().total / 2**30
    packages = ", ".join(f"{name} {version(name)}" for name in PACKAGES)
    busy = " (BUSY: the figures are too low)" if load > 0.5 else ""
    lines = (
        f"- Machine: {os.cpu_count()} cores of {_cpu()}, {memory:.0f} GiB, {platform.system()} {platform.release()}",
        f"- Versions: Python {platform.python_version()}, {_redis()}, {packages}",
        f"- Load when the run began: {load:.1f}{busy}",
    )
    return "\n".join(textwrap.fill(line, 120, subsequent_indent="  ") for line in lines)


def _cpu() -> str:
    linux = Path("/proc/cpuinfo")
    found = re.search(r"^model name\s*: (.+)$", linux.read_text() if linux.exists() else "", re.MULTILINE)
    return found[1] if found else platform.machine()


def _redis() -> str:
    server = find_server()
    return f"{server.name} {'.'.join(map(str, server.version))}{' with mimalloc' if server.allocator else ''}"
