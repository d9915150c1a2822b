"""Log files in tests: their entries without stamps, and their archives."""

from __future__ import annotations

import os
import re
import zipfile
from collections.abc import Callable
from pathlib import Path

from scheduler.logs.sinks import ServiceLogger
from tests.support.clock import START_MS

STAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}[+-]\d\d:\d\d (INFO   |WARNING|ERROR  ) ")


SECRET = "hunter2-and-more"


Start = Callable[..., ServiceLogger]


def texts(path: Path) -> list[str]:
    """The entries of a log file without their stamps; an AssertionError for a line that is none."""
    entries = []
    for line in path.read_text("utf-8").split("\n")[:-1]:
        stamp = STAMP.match(line)
        assert stamp, line
        entries.append(line[stamp.end() :])
    return entries


def of_today(path: Path) -> None:
    """Last written to on the day on which the tests' clock starts."""
    os.utime(path, (START_MS / 1000, START_MS / 1000))


def archives(folder: Path, name: str = "scheduler") -> list[Path]:
    """In the order in which they were made: day, then number within the day."""
    named = [(re.fullmatch(rf"{name}\.(\d{{4}}-\d\d-\d\d)(?:\.(\d+))?\.log\.zip", p.name), p) for p in folder.iterdir()]
    return [path for _, _, path in sorted((m[1], int(m[2] or 1), p) for m, p in named if m)]


def unzipped(path: Path) -> str:
    with zipfile.ZipFile(path) as zipped:
        assert zipped.testzip() is None
        assert zipped.namelist() == [path.name.removesuffix(".zip")]
        return zipped.read(zipped.namelist()[0]).decode()
