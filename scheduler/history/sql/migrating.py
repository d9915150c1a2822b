"""Bring the tables to this version of the service, once, however many servers start at the same time."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from sqlalchemy import Connection, Engine, insert, inspect, select, text, update

from scheduler.errors import HistoryUnavailable
from scheduler.history.sql.tables import MIGRATIONS, VERSION

_LOCK = 7_351_142_608_113
"""An arbitrary number that no other program uses for a lock in PostgreSQL."""


def migrate(engine: Engine, migrations: Sequence[Callable[[Connection], None]] = MIGRATIONS) -> None:
    """Run the migrations that this database lacks.  Raises ``HistoryUnavailable`` when it is of a newer version."""
    with _locked(engine) as connection:
        VERSION.create(connection, checkfirst=True)
        version = connection.execute(select(VERSION.c.version)).scalar()
        if version is None:
            connection.execute(insert(VERSION).values(version=0))
            version = 0
        if version > len(migrations):
            raise HistoryUnavailable(
                f"the database has version {version} of the history, and this service knows {len(migrations)}: "
                "use the version of the service that wrote it, or another database"
            )
        for number, migration in enumerate(migrations[version:], version + 1):
            migration(connection)
            connection.execute(update(VERSION).values(version=number))


def is_current(engine: Engine) -> bool:
    """Return whether the tables are there in this version."""
    with engine.connect() as connection:
        if not inspect(connection).has_table(VERSION.name):
            return False
        return connection.execute(select(VERSION.c.version)).scalar() == len(MIGRATIONS)


@contextmanager
def _locked(engine: Engine) -> Iterator[Connection]:
    """Yield a connection while no other one migrates."""
    if engine.dialect.name == "sqlite":
        # sqlite3 begins no transaction before it changes tables; the lock is the database's own, for one writer.
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.exec_driver_sql("BEGIN IMMEDIATE")
            try:
                yield connection
            except BaseException:
                connection.exec_driver_sql("ROLLBACK")
                raise
            connection.exec_driver_sql("COMMIT")
    elif engine.dialect.name == "postgresql":
        with engine.begin() as connection:
            connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
            yield connection
    else:
        # MySQL commits each change of a table by itself: a migration that was cut off begins again, over what exists.
        with engine.connect() as connection:
            if not connection.execute(text("SELECT GET_LOCK('message-scheduling-history', 20)")).scalar():
                raise HistoryUnavailable("another server still brings the tables to its version")
            try:
                yield connection
                # Before the lock is free: who gets it next would not see the version, and would migrate again.
                connection.commit()
            finally:
                connection.execute(text("SELECT RELEASE_LOCK('message-scheduling-history')"))
