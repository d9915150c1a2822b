"""The history as CSV and NDJSON: streamed page by page, so that a million rows take the memory of one page."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import orjson

from scheduler.api.v1.convert import finished_answer
from scheduler.config.reading import Settings
from scheduler.history import Finished
from scheduler.when import format_ms

CSV, NDJSON = "text/csv", "application/x-ndjson"

_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")
"""What makes a spreadsheet take a cell for a formula, which could send the sheet to anybody."""


def _text(value: str | None) -> str:
    if value is None:
        return ""
    return f"'{value}" if value.startswith(_FORMULA) else value


def _moment(ms: int | None) -> str:
    return format_ms(ms) if ms is not None else ""


_COLUMNS: dict[str, Callable[[Finished], Any]] = {
    "id": lambda row: _text(row.id),
    "status": lambda row: row.status,
    "channel": lambda row: row.channel,
    "type": lambda row: _text(row.type),
    "schedule": lambda row: _text(row.schedule_id),
    "flow_key": lambda row: _text(row.flow_key),
    "destination": lambda row: _text(row.destination),
    "priority": lambda row: row.priority,
    "created_at": lambda row: _moment(row.created_at),
    "scheduled_for": lambda row: _moment(row.scheduled_for),
    "due_at": lambda row: _moment(row.due_at),
    "started_at": lambda row: _moment(row.started_at),
    "finished_at": lambda row: _moment(row.finished_at),
    "attempt": lambda row: row.attempt,
    "last_error": lambda row: _text(row.last_error),
    "redriven_from": lambda row: _text(row.redriven_from),
    "message": lambda row: _text(row.payload),
    "message_sha256": lambda row: row.payload_sha256 or "",
}


def stream(kind: str, pages: Iterable[list[Finished]], limit: int | None, settings: Settings) -> Iterator[bytes]:
    """Yield the text of these pages, up to ``limit`` rows; ``kind``: ``CSV`` or ``NDJSON``."""
    if kind == CSV:
        yield _lines([[*_COLUMNS]])
    left = limit
    for page in pages:
        rows = page if left is None else page[:left]
        if rows:
            yield _csv(rows) if kind == CSV else _ndjson(rows, settings)
        if left is not None:
            left -= len(rows)
            if not left:
                return


def _csv(rows: Iterable[Finished]) -> bytes:
    return _lines([[value(row) for value in _COLUMNS.values()] for row in rows])


def _lines(cells: Iterable[list[Any]]) -> bytes:
    text = io.StringIO()
    csv.writer(text).writerows(cells)
    return text.getvalue().encode()


def _ndjson(rows: Iterable[Finished], settings: Settings) -> bytes:
    return b"".join(orjson.dumps(finished_answer(row, settings, attempts=True)) + b"\n" for row in rows)
