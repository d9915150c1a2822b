"""Every kind of row of the benchmark can be measured, and its promises hold: nothing lost, repeated or early.

No figure is compared with a target here: that means something on a quiet machine only.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest

from bench.__main__ import page
from bench.profiling import summary
from bench.registry import figures
from bench.table import Row, markdown

# On a busy machine a row takes longer than other tests, and one that is cut off leaves its services behind.
pytestmark = pytest.mark.timeout(240)

ROOT = Path(__file__).parents[2]
SAME_CODE = {
    *("message-ingest", "kept-ingest", "guarded-ingest"),  # single-ingest
    "scale",  # scale-10m, which goes on after it
    "flow: drain",  # flow: ordered
    "idle with schedules",  # idle
}
"""Rows that measure as another one does, with other requests or more in Redis: each start of a service takes 2 s of a
processor, and only ``make bench`` runs these."""
FIGURES = [figure for figure in figures() if figure.name not in SAME_CODE]


@pytest.fixture(scope="module")
def measured() -> Iterator[dict[str, Future[Row]]]:
    """All rows in the quick form, side by side: they mostly wait for processes to start and to stop."""
    with ThreadPoolExecutor(4) as pool:
        yield {figure.name: pool.submit(figure.row, True) for figure in FIGURES}


def bench(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "bench", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=50, check=False)


@pytest.mark.parametrize("name", [figure.name for figure in FIGURES])
def test_every_row_has_a_figure_and_keeps_its_promises(name: str, measured: dict[str, Future[Row]]) -> None:
    row = measured[name].result()  # raises Broken where a promise did not hold
    assert any(character in "123456789" for character in row.measured), row
    assert row.ratio is None or row.ratio > 0
    assert row.target
    asks_no_redis = name.startswith("webhook") or name == "history-page"
    assert asks_no_redis or re.search(r" On (Redis|Valkey) \d+\.\d+.*\.$", row.note), row.note


def test_the_command_prints_one_table_and_writes_no_page() -> None:
    page = ROOT / "docs" / "benchmarks.md"
    before = page.read_bytes() if page.exists() else None
    shown = bench("--quick", "memory")
    assert shown.returncode == 0, shown.stderr
    assert shown.stdout.count("| reached |") == 1
    assert "\n| memory | " in shown.stdout
    assert before == (page.read_bytes() if page.exists() else None)


def test_an_unknown_row_is_refused_with_the_known_ones() -> None:
    shown = bench("speed")
    assert shown.returncode == 2
    assert "unknown: speed; known: drain" in shown.stderr


def test_the_table_says_what_was_not_reached() -> None:
    row = Row("3/s", "10/s", 0.3, ">= 5/s", False, "Why.")
    head, _, line, _, note = markdown([("figure", row)]).splitlines()
    assert [cell.strip() for cell in line.split("|")[1:-1]] == ["figure", "3/s", "10/s", "0.30", ">= 5/s", "NO"]
    assert len(line) == len(head)
    assert note == "- **figure**: Why."


def test_the_page_shows_where_the_time_went_in_what_was_not_reached() -> None:
    stacks = "run (a.py:1);send (b.py:7) 3\nrun (a.py:2) 1\n"
    report = summary(stacks).splitlines()
    assert report[1:] == [" 75.0%        75.0%  send (b.py)", " 25.0%       100.0%  run (a.py)"]
    written = page("- Machine: any", "| table |", {"drain": "scheduler\n" + "\n".join(report)})
    assert "| table |" in written
    assert "### drain\n\n```text\nscheduler\n" in written
    assert "Where the time goes" not in page("", "", {})
