"""The words of the benchmark: a figure is measured, and comes out as one row of one table."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Callable, Mapping, Sequence
from contextvars import ContextVar
from typing import Any, NamedTuple


class Row(NamedTuple):
    """What one figure came to."""

    measured: str
    baseline: str
    """The raw figure of the same run that it is held against; empty for none."""
    ratio: float | None
    """measured / baseline; None where that means nothing."""
    target: str
    reached: bool
    note: str
    """Method and conditions in a sentence or two, and the CPU time, which a busy machine distorts least."""


SERVERS: ContextVar[set[str]] = ContextVar("SERVERS")
"""Which Redis and Valkey the row at hand runs on, by name and version."""


class Figure(NamedTuple):
    """One row of the table, not yet measured.  A module with figures lists them in ``FIGURES``."""

    name: str
    measure: Callable[[bool], Row]
    """Takes True for the quick form: a few seconds, to show that the figure can be measured.  Raises ``Broken``."""
    on_request: bool = False
    """Not part of a whole run."""

    def row(self, quick: bool) -> Row:
        """Measure it.  The note says which servers it ran on."""
        used: set[str] = set()
        token = SERVERS.set(used)
        try:
            row = self.measure(quick)
        finally:
            SERVERS.reset(token)
        return row._replace(note=f"{row.note} On {', '.join(sorted(used))}.") if used else row


def note_server(info: Mapping[str, Any]) -> None:
    """Remember which server a row uses, from its INFO."""
    version = info.get("valkey_version")
    SERVERS.get(set()).add(
        f"Valkey {version}" if version else f"Redis {info.get('redis_version', 'of unknown version')}"
    )


class Broken(Exception):
    """A promise did not hold under load: something was lost, early, or delivered twice."""


def check(promise: bool, otherwise: str) -> None:
    """Raises ``Broken`` with these words when the promise does not hold."""
    if not promise:
        raise Broken(otherwise)


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest value that at least this share of the values does not exceed (nearest rank)."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


HEAD = ("", "measured", "baseline", "ratio", "to reach", "reached")


def markdown(rows: Sequence[tuple[str, Row]]) -> str:
    """The table, and under it the note of each row."""
    cells = [HEAD, *((name, *_cells(row)) for name, row in rows)]
    widths = [max(len(line[column]) for line in cells) for column in range(len(HEAD))]
    lines = [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) + " |" for line in cells
    ]
    lines.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    notes = [
        textwrap.fill(f"- **{name}**: {row.note}", 120, subsequent_indent="  ", break_on_hyphens=False)
        for name, row in rows
        if row.note
    ]
    return "\n".join([*lines, "", *notes])


def _cells(row: Row) -> tuple[str, ...]:
    ratio = "" if row.ratio is None else f"{row.ratio:.2f}"
    return row.measured, row.baseline, ratio, row.target, "yes" if row.reached else "NO"
