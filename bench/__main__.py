"""``python -m bench [names…] [--quick]``: measures, and prints one table.

A whole run in the long form writes docs/benchmarks.md as well.  Exit code 1 when a promise broke (a message lost, early
or repeated); a target that is not reached is no failure, it stands in the table.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from bench import machine, profiling
from bench.registry import figures
from bench.table import Broken, Figure, Row, markdown

METHOD = """\
Written by `make bench`; do not edit.

Every row runs the real service (`python app.py`) with its default settings in an empty folder, its private Redis with
append-only file included, and checks what it counts: each message once, none early, none lost. Baselines are measured
in the same run. What is not reached stands here as it was measured."""

PAGE = Path(__file__).parents[1] / "docs" / "benchmarks.md"


def main() -> int:
    """Measure what was asked for."""
    known = figures()
    parser = argparse.ArgumentParser(prog="python -m bench", description="Measures the service and prints one table.")
    parser.add_argument("names", nargs="*", metavar="name", help=f"rows to measure: {', '.join(f.name for f in known)}")
    parser.add_argument("--quick", action="store_true", help="seconds instead of minutes; its figures mean little")
    options = parser.parse_args()
    strange = set(options.names) - {figure.name for figure in known}
    if strange:
        parser.error(f"unknown: {', '.join(sorted(strange))}; known: {', '.join(figure.name for figure in known)}")
    chosen = [f for f in known if f.name in options.names or (not options.names and not f.on_request)]
    about = machine.describe()
    rows = [(figure.name, _measure(figure, options.quick)) for figure in chosen]
    table = markdown(rows)
    print(f"{about}\n\n{table}")
    if not options.names and not options.quick:
        profiles = {
            figure.name: _profile(figure) for figure, (_, row) in zip(chosen, rows, strict=True) if not row.reached
        }
        PAGE.write_text(page(about, table, profiles))
    return int(any(row.measured == "BROKEN" for _, row in rows))


def _measure(figure: Figure, quick: bool) -> Row:
    print(f"measuring: {figure.name}", file=sys.stderr, flush=True)
    try:
        return figure.row(quick)
    except Broken as error:
        return Row("BROKEN", "", None, "", False, str(error))


def _profile(figure: Figure) -> str:
    """Where the time goes: the figure once more, under a profiler that slows it down."""
    print(f"profiling: {figure.name}", file=sys.stderr, flush=True)
    with profiling.collect() as reports:
        try:
            figure.measure(False)
        except Broken as error:
            reports.append(f"BROKEN: {error}")
    return "\n\n".join(reports)


def page(about: str, table: str, profiles: dict[str, str]) -> str:
    """docs/benchmarks.md."""
    parts = ["# Benchmarks", METHOD, about, table]
    if profiles:
        parts += [
            "## Where the time goes in what was not reached",
            "Samples of the threads that hold the interpreter, in a run of their own; `self`: on top of the stack.",
            *(f"### {name}\n\n```text\n{report}\n```" for name, report in profiles.items()),
        ]
    return "\n\n".join(parts) + "\n"


if __name__ == "__main__":
    sys.exit(main())
