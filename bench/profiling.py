"""Where the time of a service's Python processes goes: py-spy's samples, for the figures that miss their target."""

from __future__ import annotations

import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import psutil

SAMPLES_PER_SECOND = 200
SHOWN = 20
WITHOUT = "py-spy is not installed: no profile."

_collectors: list[list[str]] = []


@contextmanager
def collect() -> Iterator[list[str]]:
    """Services that run inside of this block are profiled; the reports, as text, are in the list afterwards."""
    _collectors.append([])
    try:
        yield _collectors[-1]
    finally:
        _collectors.pop()


def attach(processes: Mapping[str, Sequence[psutil.Process]]) -> Profile | None:
    """Begin to sample these processes, by role, when ``collect`` asks for it."""
    if not _collectors:
        return None
    reports = _collectors[-1]
    program = shutil.which("py-spy", path=str(Path(sys.executable).parent)) or shutil.which("py-spy")
    if program is None:
        reports.append(WITHOUT)
        return None
    python = [(role, process) for role, members in processes.items() for process in members if role != "redis"]
    return Profile(program, python, reports)


class Profile:
    """py-spy on a few processes, until ``stop``."""

    def __init__(self, program: str, processes: Sequence[tuple[str, psutil.Process]], reports: list[str]) -> None:
        self._reports = reports
        self._folder = tempfile.TemporaryDirectory(prefix="ms-bench-")
        self._runs = [(role, *self._record(program, process)) for role, process in processes]

    def _record(self, program: str, process: psutil.Process) -> tuple[subprocess.Popen[bytes], Path]:
        output = Path(self._folder.name) / f"{process.pid}.txt"
        command = [program, "record", "--pid", str(process.pid), "--rate", str(SAMPLES_PER_SECOND), "--nonblocking"]
        # Only who holds the interpreter's lock: waiting for Redis costs nothing, and one process has one interpreter.
        command += ["--gil", "--format", "raw", "--duration", "600", "--output", str(output)]
        return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL), output

    def stop(self) -> None:
        """End the sampling while the processes are still there, and add the reports."""
        for _, recorder, _ in self._runs:
            recorder.send_signal(signal.SIGINT)
        for role, recorder, output in self._runs:
            recorder.wait(30)
            if output.exists() and (text := output.read_text()):
                self._reports.append(f"{role}\n{summary(text)}")
        self._folder.cleanup()


def summary(stacks: str) -> str:
    """py-spy's raw format (``outer;…;inner count`` per line) as the functions with the most samples.

    ``self``: the share of samples with the function on top; ``with callees``: anywhere on the stack.
    """
    own: Counter[str] = Counter()
    whole: Counter[str] = Counter()
    for line in stacks.splitlines():
        stack, _, count = line.rpartition(" ")
        frames = [re.sub(r":\d+\)$", ")", frame) for frame in stack.split(";")]
        own[frames[-1]] += int(count)
        for frame in set(frames):
            whole[frame] += int(count)
    total = sum(own.values())
    ranked = sorted(whole, key=lambda frame: (own[frame], whole[frame]), reverse=True)
    rows = [f"{own[f] / total:6.1%} {whole[f] / total:12.1%}  {f}" for f in ranked[:SHOWN]]
    return "\n".join(["  self  with callees", *rows])
