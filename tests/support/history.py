"""Rows of the history for tests."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from scheduler.history import Database, Finished, open_database
from tests.support.clock import START_MS


def finished(id: str, after_ms: int = 0, **more: Any) -> Finished:
    """A row that ended ``after_ms`` after the start of the tests."""
    at = START_MS + after_ms
    given: dict[str, Any] = {
        "status": "delivered",
        "channel": "echo",
        "priority": "normal",
        "created_at": at - 10,
        "scheduled_for": at - 5,
        "due_at": at - 5,
        "started_at": at - 4,
        "attempt": 1,
        "lateness_bucket": 0,
        "payload": f'"{id}"',
        "attempts": "[]",
    }
    absent: dict[str, Any] = dict.fromkeys(Finished._fields)
    return Finished(**{**absent, **given, "id": id, "finished_at": at, **more})


@contextmanager
def a_database(folder: Path) -> Iterator[Database]:
    """An empty one of SQLite."""
    with closing(open_database(f"sqlite:///{folder}/history.db", connections=4)) as database:
        database.prepare()
        yield database
