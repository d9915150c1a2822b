"""What the figures were measured on."""

from __future__ import annotations

import os
import platform
import re
import subprocess
from importlib.metadata import version
from pathlib import Path

import psutil

from scheduler.embedded import find_binary

PACKAGES = ("redis", "hiredis", "flask", "granian", "pydantic", "loguru")


def describe() -> str:
    """Machine, versions and load, as a list in Markdown."""
    load, memory = os.getloadavg()[0], psutil.virtual_memory().total / 2**30
    packages = ", ".join(f"{name} {version(name)}" for name in PACKAGES)
    busy = " (BUSY: the figures are too low)" if load > 0.5 else ""
    return (
        f"- Machine: {os.cpu_count()} cores of {_cpu()}, {memory:.0f} GiB, {platform.system()} {platform.release()}\n"
        f"- Versions: Python {platform.python_version()}, {_redis()}, {packages}\n"
        f"- Load when the run began: {load:.1f}{busy}"
    )


def _cpu() -> str:
    found = re.search(r"^model name\s*: (.+)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    return found[1] if found else platform.machine()


def _redis() -> str:
    shown = subprocess.run([find_binary(), "--version"], capture_output=True, text=True, timeout=10, check=True).stdout
    found = re.search(r"^(\w+).* v=([\d.]+)", shown)
    return f"{found[1]} {found[2]}" if found else shown.strip()
