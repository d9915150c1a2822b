"""What a command prints: a picture for people, or JSON for programs."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from scheduler.masking import escape

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.table import Table

_WIDE = 100_000
"""Columns where nothing is a terminal: no line is cut for the program that reads it."""


@dataclass(frozen=True, slots=True)
class Answer:
    """The result of a command."""

    data: Any
    """For ``--json``."""
    picture: Callable[[], RenderableType]
    """For people; called only when it is shown, as rich takes a while to load."""


def show(answer: Answer, *, as_json: bool, compact: bool = False) -> None:
    """Print it on stdout; ``compact``: JSON on one line, where more follows."""
    if as_json:
        sys.stdout.write(to_json(answer.data, indent=None if compact else 2) + "\n")
    else:
        console().print(answer.picture())
    sys.stdout.flush()


def to_json(data: Any, *, indent: int | None = 2) -> str:
    """Return the data as JSON, in the characters of its texts."""
    return json.dumps(data, ensure_ascii=False, indent=indent)


def console() -> Console:
    """Return a console on stdout that reads no markup in what it prints."""
    from rich.console import Console

    return Console(
        width=None if sys.stdout.isatty() else _WIDE, markup=False, highlight=False, emoji=False, soft_wrap=False
    )


def line(text: str) -> Callable[[], RenderableType]:
    """Return a picture of one line."""

    def picture() -> RenderableType:
        from rich.text import Text

        return Text(escape(text))

    return picture


def table(columns: Sequence[str], rows: Iterable[Sequence[Any]], *, title: str | None = None) -> Table:
    """Return a table.  The last column is cut where the terminal ends, the others are shown as a whole."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    found = Table(box=box.SIMPLE_HEAD, pad_edge=False, title=title, title_justify="left", show_edge=False)
    for name in columns[:-1]:
        found.add_column(name, no_wrap=True, overflow="fold")
    found.add_column(columns[-1], no_wrap=True, overflow="ellipsis")
    for row in rows:
        found.add_row(*(Text(text_of(value)) for value in row))
    return found


def facts(pairs: Iterable[tuple[str, Any]]) -> Table:
    """Return names and values below each other; those without a value are left out."""
    from rich.table import Table
    from rich.text import Text

    found = Table(box=None, show_header=False, pad_edge=False)
    found.add_column(no_wrap=True, style="bold")
    found.add_column(overflow="fold")
    for name, value in pairs:
        if value is not None:
            found.add_row(Text(name), Text(text_of(value)))
    return found


def text_of(value: Any) -> str:
    """Return a value as one line of safe text: nothing in a message may control the terminal."""
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, str):
        return escape(value)
    return escape(to_json(value, indent=None)) if isinstance(value, dict | list) else str(value)
