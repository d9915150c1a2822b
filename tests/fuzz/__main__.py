"""``python -m tests.fuzz --seconds 300``: every target for its share of the time; docs/reliability.md gets the table.

With atheris, where it is installed, the inputs of the pure parsers are led by the code that they reach; otherwise, and
for the rest, Hypothesis draws them.  Exit code 1 when something was found.
"""

from __future__ import annotations

import argparse
import importlib.util
import re
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from typing import NamedTuple

from hypothesis import HealthCheck, settings

from tests.fuzz.targets import TARGETS
from tests.support.page import write_section
from tests.support.service import ROOT

ROUND = 1000
"""Examples of Hypothesis between two looks at the clock."""


class Run(NamedTuple):
    """What came of one target."""

    how: str
    inputs: int
    seconds: float
    finding: str
    """The input and the traceback; empty when nothing was found."""


def guided(name: str, seconds: float) -> Run:
    """By atheris, in a process and a folder of its own."""
    begun = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="ms-fuzz-") as folder:
        options = [folder, f"-max_total_time={seconds:.0f}", "-print_final_stats=1", "-max_len=4096",
                   "-len_control=0", "-timeout=30", f"-artifact_prefix={folder}/"]  # fmt: skip
        command = [sys.executable, "-m", "tests.fuzz.guided", name, *options]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, errors="replace", check=False)
    said = done.stdout + done.stderr
    executed = re.search(r"number_of_executed_units: +(\d+)", said)
    return Run(
        "atheris", int(executed[1]) if executed else 0, time.monotonic() - begun, said if done.returncode else ""
    )


def drawn(name: str, seconds: float) -> Run:
    """By Hypothesis, another seed each round."""
    begun = time.monotonic()
    inputs = 0
    rounds: Callable[[], None] = settings(
        max_examples=ROUND, deadline=None, database=None, suppress_health_check=[HealthCheck.too_slow]
    )(TARGETS[name].test)
    finding = ""
    while not finding and time.monotonic() - begun < seconds:
        inputs += ROUND
        try:
            rounds()
        except BaseException:  # noqa: BLE001 - whatever it is, it is what we are here for
            finding = traceback.format_exc()
    return Run("Hypothesis", inputs, time.monotonic() - begun, finding)


def table(runs: dict[str, Run]) -> str:
    """Markdown."""
    lines = [f"{time.strftime('%Y-%m-%d', time.gmtime())}.", ""]
    lines += ["| target | how | inputs | seconds | findings |", "|---|---|---|---|---|"]
    for name, run in runs.items():
        found = "**1**" if run.finding else "0"
        lines.append(f"| {TARGETS[name].what} | {run.how} | {run.inputs:,} | {run.seconds:.0f} | {found} |")
    return "\n".join(lines)


def main() -> int:
    """Run, print, write the page."""
    parser = argparse.ArgumentParser(prog="tests.fuzz", description=__doc__)
    parser.add_argument("--seconds", type=float, default=300, help="for all targets together")
    parser.add_argument("--no-page", action="store_true", help="leave docs/reliability.md as it is")
    options = parser.parse_args()
    led = importlib.util.find_spec("atheris") is not None
    runs = {
        name: (guided if led and target.arguments else drawn)(name, options.seconds / len(TARGETS))
        for name, target in TARGETS.items()
    }
    text = table(runs)
    sys.stdout.write(f"{text}\n")
    for name, run in runs.items():
        if run.finding:
            sys.stdout.write(f"\n{name}:\n{run.finding}\n")
    if not options.no_page:
        write_section("fuzz", text)
    return 1 if any(run.finding for run in runs.values()) else 0


if __name__ == "__main__":
    sys.exit(main())
