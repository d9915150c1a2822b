"""The history: every finished message in a database, after Redis has deleted it.

The scripts that finish a message put it into the outbox in Redis; the archiver of any server writes it to the database
and only then takes it out.  ``open_database`` returns the database that ``History.Url`` names.
"""

from __future__ import annotations

import threading
from typing import Any, cast

from scheduler.errors import HistoryUnavailable
from scheduler.history.database import Database, Page, Query, on_one_line
from scheduler.history.finished import Finished

__all__ = ["Database", "Finished", "Page", "Query", "open_database"]


def open_database(url: str, *, connections: int = 1) -> Database:
    """Return the database at this address; nothing is connected yet.

    ``url``: as ``Settings.history_url``, not empty.  ``connections``: how many threads may use it at the same time.
    """
    return cast(Database, _Deferred(url, connections))


class _Deferred:
    """A database whose driver is loaded at its first use.

    Loading takes 0.25 s and 16 MiB, at the start of every process, and most API processes are never asked.
    """

    def __init__(self, url: str, connections: int) -> None:
        self._url = url
        self._connections = connections
        self._lock = threading.Lock()
        self._loaded: Database | None = None

    def __getattr__(self, name: str) -> Any:
        with self._lock:
            if self._loaded is None:
                try:
                    self._loaded = _load(self._url, self._connections)
                except Exception as error:  # each driver has its own ones for an address that it cannot use
                    raise HistoryUnavailable(f"History.Url cannot be used: {on_one_line(error)}") from error
        return getattr(self._loaded, name)

    def close(self) -> None:
        with self._lock:
            if self._loaded is not None:
                self._loaded.close()


def _load(url: str, connections: int) -> Database:
    if url.startswith("mongodb"):
        from scheduler.history.mongo import MongoDatabase

        return MongoDatabase(url, connections=connections)
    from scheduler.history.sql import SqlDatabase

    return SqlDatabase(url, connections=connections)
