"""What a command prints: a picture for people, or JSON for programs."""

from __future__ import annotations

import io
import json
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from scheduler.cli.exits import Exit, Failure
from scheduler.masking import escape

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.table import Table

_GAP: Final = 2
"""Columns between those of a table."""
_LEAST: Final = 20
"""Columns of the last one, also where the terminal ends before."""
_WIDE: Final = 100_000
"""Columns where nothing is a terminal: no line is cut for the program that reads it."""


@dataclass(frozen=True, slots=True)
class Answer:
    """The result of a command."""

    data: Any
    """For ``--json``."""
    picture: Callable[[], RenderableType]
    """For people; called only when it is shown, as rich takes a while to load."""


def prepare() -> None:
    """Make the standard streams fit for any text: on terminals that are not UTF-8, and where a stream is closed."""
    for name, mode in {"stdin": "r", "stdout": "w", "stderr": "w"}.items():
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, Path(os.devnull).open(mode))  # noqa: SIM115 - open until the end
        elif mode == "w" and isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def show(answer: Answer, *, as_json: bool, compact: bool = False) -> None:
    """Print it on stdout; ``compact``: JSON on one line, where more follows."""
    with written():
        if as_json:
            sys.stdout.write(to_json(answer.data, indent=None if compact else 2) + "\n")
        else:
            console().print(answer.picture(), crop=False)
        sys.stdout.flush()


@contextmanager
def written() -> Iterator[None]:
    """Raise ``Failure`` when stdout cannot take what is written, as a file on a full disk.  A reader that has enough
    (``| head``) ends the command without a word.
    """
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        # What is left in the buffer would fail again at the end, with a traceback.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        raise Failure(Exit.FAILED, f"The output cannot be written: {error.strerror}") from None


def to_json(data: Any, *, indent: int | None = 2) -> str:
    """Return the data as JSON, in the characters of its texts where stdout can take them."""
    utf_8 = (sys.stdout.encoding or "").lower().replace("-", "") == "utf8"
    return json.dumps(data, ensure_ascii=not utf_8, indent=indent)


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


def table(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> Table:
    """Return a table.  The last column is cut where the terminal ends, the others are always shown as a whole."""
    from rich import box
    from rich.cells import cell_len
    from rich.table import Table
    from rich.text import Text

    texts = [[text_of(value) for value in row] for row in rows]
    widths = [max(map(cell_len, column)) for column in zip(columns, *texts, strict=True)]
    room = console().width - sum(widths[:-1]) - _GAP * len(widths[:-1])
    widths[-1] = min(widths[-1], max(room, _LEAST))
    # A width of its own: a table that does not fit would be made to, and rich takes columns away for that.
    width = sum(widths) + _GAP * len(widths[:-1])
    found = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False, show_edge=False, width=width)
    for name in columns:
        found.add_column(name, no_wrap=True)
    for row in texts:
        last = Text(row[-1])
        last.truncate(widths[-1], overflow="ellipsis")
        found.add_row(*map(Text, row[:-1]), last)
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
