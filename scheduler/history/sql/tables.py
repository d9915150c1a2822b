"""The table of the history, its indexes, and the numbered migrations that made it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Index,
    Integer,
    MetaData,
    PrimaryKeyConstraint,
    String,
    Table,
    Text,
)
from sqlalchemy.dialects import mysql


def _word(length: int) -> Any:
    """A short text that is compared byte by byte: ids that differ in case are different ids, in every database."""
    return (
        String(length)
        .with_variant(String(length, collation="C"), "postgresql")
        .with_variant(mysql.VARCHAR(length, charset="utf8mb4", collation="utf8mb4_bin"), "mysql", "mariadb")
    )


_TEXT: Any = Text().with_variant(mysql.LONGTEXT(charset="utf8mb4"), "mysql", "mariadb")

METADATA = MetaData()

HISTORY = Table(
    "history",
    METADATA,
    Column("id", _word(128), nullable=False),
    Column("finished_at", BigInteger, nullable=False),
    Column("status", _word(16), nullable=False),
    Column("channel", _word(32), nullable=False),
    Column("type", _word(128)),
    Column("owner", _TEXT),
    Column("priority", _word(8), nullable=False),
    Column("schedule_id", _word(128)),
    Column("run", _TEXT),
    Column("flow_key", _word(255)),
    Column("destination", _word(255)),
    Column("created_at", BigInteger, nullable=False),
    Column("scheduled_for", BigInteger, nullable=False),
    Column("due_at", BigInteger, nullable=False),
    Column("started_at", BigInteger),
    Column("attempt", BigInteger, nullable=False),
    Column("lateness_bucket", Integer),
    Column("retry", _TEXT),
    Column("target", _TEXT),
    Column("redriven_from", _word(128)),
    Column("payload", _TEXT),
    Column("payload_sha256", _word(64)),
    Column("last_error", _TEXT),
    Column("result", _TEXT),
    Column("attempts", _TEXT, nullable=False),
    PrimaryKeyConstraint("id", "finished_at"),
)


def _index(name: str, *columns: str, sparse: bool = False) -> Index:
    """``sparse``: most rows have no value in the first column, and need no entry."""
    present = HISTORY.c[columns[0]].is_not(None) if sparse else None
    return Index(
        f"history_{name}", *(HISTORY.c[column] for column in columns), sqlite_where=present, postgresql_where=present
    )


INDEXES = (
    _index("finish", "finished_at", "id"),
    _index("due", "due_at", "id", "finished_at"),
    _index("status", "status", "finished_at", "id"),
    # With what the summary counts, so that it reads this index alone.
    _index("channel", "channel", "finished_at", "id", "status", "lateness_bucket"),
    _index("type", "type", "finished_at", "id", sparse=True),
    _index("schedule", "schedule_id", "finished_at", "id", sparse=True),
    _index("flow", "flow_key", "finished_at", "id", sparse=True),
    _index("destination", "destination", "finished_at", "id", sparse=True),
)

VERSION = Table("history_version", METADATA, Column("version", Integer, nullable=False))


def _first(connection: Connection) -> None:
    HISTORY.create(connection, checkfirst=True)
    for index in INDEXES:
        index.create(connection, checkfirst=True)


MIGRATIONS: tuple[Callable[[Connection], None], ...] = (_first,)
"""The first leads from version 0 to 1, and so on.  Never change one that was released: add another."""
