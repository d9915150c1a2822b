"""The history as CSV and NDJSON: streamed page by page, so that a million rows take the memory of one page."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator

import orjson

from scheduler.api.v1.convert import finished_answer
from scheduler.config.reading import Settings
from scheduler.history import Finished
from scheduler.when import format_ms

CSV, NDJSON = "text/csv", "application/x-ndjson"

_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")
"""What makes a spreadsheet take a cell for a formula, which could send the sheet to anybody."""


def _text(value: str | None) -> str | None:
    if value is None:
        return None
    return f"'{value}" if value.startswith(_FORMULA) else value


def _moment(ms: int | None) -> str | None:
    return format_ms(ms) if ms is not None else None


_HEAD = (
    *("id", "status", "channel", "type", "schedule", "flow_key", "destination", "priority"),
    *("created_at", "scheduled_for", "due_at", "started_at", "finished_at"),
    *("attempt", "last_error", "redriven_from", "message", "message_sha256"),
)


def _cells(row: Finished) -> tuple[str | int | None, ...]:
    """Return the cells of a row, in the order of ``_HEAD``; None is an empty one."""
    return (
        _text(row.id),
        row.status,
        row.channel,
        _text(row.type),
        _text(row.schedule_id),
        _text(row.flow_key),
        _text(row.destination),
        row.priority,
        _moment(row.created_at),
        _moment(row.scheduled_for),
        _moment(row.due_at),
        _moment(row.started_at),
        _moment(row.finished_at),
        row.attempt,
        _text(row.last_error),
        _text(row.redriven_from),
        _text(row.payload),
        row.payload_sha256,
    )


def stream(kind: str, pages: Iterable[list[Finished]], limit: int | None, settings: Settings) -> Iterator[bytes]:
    """Yield the text of each page, up to ``limit`` rows; ``kind``: ``CSV`` or ``NDJSON``.

    A page without rows is yielded too: a search that finds nothing takes as much work as one that finds something.
    """
    if kind == CSV:
        yield _lines([_HEAD])
    left = limit
    for page in pages:
        rows = page if left is None else page[:left]
        yield _csv(rows) if kind == CSV else _ndjson(rows, settings)
        if left is not None:
            left -= len(rows)
            if not left:
                return


def _csv(rows: Iterable[Finished]) -> bytes:
    return _lines(map(_cells, rows))


def _lines(rows: Iterable[tuple[str | int | None, ...]]) -> bytes:
    text = io.StringIO()
    csv.writer(text).writerows(rows)
    return text.getvalue().encode()


def _ndjson(rows: Iterable[Finished], settings: Settings) -> bytes:
    return b"".join(orjson.dumps(finished_answer(row, settings, attempts=True)) + b"\n" for row in rows)
