"""The history: every finished message in a database, after Redis has deleted it.

The scripts that finish a message put it into the outbox in Redis; the archiver of any server writes it to the database
and only then takes it out.  ``open_database`` returns the database that ``History.Url`` names.
"""

from scheduler.history.database import Database, Page, Query
from scheduler.history.finished import Finished

__all__ = ["Database", "Finished", "Page", "Query", "open_database"]


def open_database(url: str, *, connections: int = 1) -> Database:
    """Return the database at this address; nothing is connected yet.

    ``url``: as ``Settings.history_url``, not empty.  ``connections``: how many threads may use it at the same time.
    """
    # The drivers are imported late: a service without a history needs none of them, and each takes 0.1 s to load.
    if url.startswith("mongodb"):
        from scheduler.history.mongo import MongoDatabase

        return MongoDatabase(url, connections=connections)
    from scheduler.history.sql import SqlDatabase

    return SqlDatabase(url, connections=connections)
