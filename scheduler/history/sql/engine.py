"""Connections to a database by SQL, and which of its errors mean what."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, exc
from sqlalchemy.engine import make_url

from scheduler.errors import HistoryUnavailable
from scheduler.history.database import CALL_SECONDS, CONNECT_SECONDS, RowRefused, on_one_line

_DRIVERS = {"sqlite": "sqlite+pysqlite", "postgresql": "postgresql+psycopg", "mysql": "mysql+pymysql"}


def engine_for(url: str, connections: int) -> Engine:
    """Return the engine of this database; nothing is connected yet."""
    address = make_url(url)
    kind = address.get_backend_name()
    engine = create_engine(
        address.set(drivername=_DRIVERS[kind]),
        pool_size=connections,
        max_overflow=0,
        pool_timeout=CONNECT_SECONDS,
        # By position, as rows are written; psycopg's own names would need a mapping for each row.
        paramstyle="qmark" if kind == "sqlite" else "format",
        pool_pre_ping=kind != "sqlite",
        connect_args=_connect_args(kind),
    )
    if kind == "sqlite":
        _of_sqlite(engine, address.database or "")
    if kind == "postgresql":
        # For the transaction: PgBouncer refuses it as an option of the connection, and would share it with others.
        event.listen(engine, "begin", _limit_statements)
    return engine


def _limit_statements(connection: Connection) -> None:
    connection.exec_driver_sql(f"SET LOCAL statement_timeout = '{CALL_SECONDS}s'")


def _connect_args(kind: str) -> dict[str, Any]:
    if kind == "sqlite":
        return {"timeout": CONNECT_SECONDS, "check_same_thread": False}
    if kind == "postgresql":
        return {
            "connect_timeout": CONNECT_SECONDS,
            # A server that vanished without closing its connections is noticed too.
            "tcp_user_timeout": CALL_SECONDS * 1000,
            "application_name": "message-scheduler",
            # PgBouncer gives each transaction another connection, and older ones know no statement of another one.
            "prepare_threshold": None,
        }
    return {
        "connect_timeout": CONNECT_SECONDS,
        "read_timeout": CALL_SECONDS,
        "write_timeout": CALL_SECONDS,
        "charset": "utf8mb4",
    }


def _of_sqlite(engine: Engine, database: str) -> None:
    file = Path(database)

    def create(*_: Any) -> None:
        # Only the service's own user may read payloads.  SQLite gives the files beside it the same rights.
        with suppress(FileExistsError, OSError):
            file.parent.mkdir(parents=True, exist_ok=True)
            os.close(os.open(file, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))

    def set_up(connection: Any, record: Any) -> None:
        record.info["file"] = _identity(file)
        # WAL: readers and the writer do not wait for each other.  FULL: what is committed survives a power cut, because
        # after the commit Redis has it no more; with batches of 500 it costs nothing that can be measured.
        for setting in ("journal_mode=WAL", "synchronous=FULL"):
            for last in (False, False, True):
                try:
                    connection.execute(f"PRAGMA {setting}").close()
                    break
                except sqlite3.OperationalError:
                    # The change to WAL fails at once while another server that starts makes it too.  A read waits for
                    # that server; the next try finds the file in WAL.
                    if last:
                        raise
                    connection.execute("SELECT count(*) FROM sqlite_master").close()

    def is_there(_: Any, record: Any, __: Any) -> None:
        # SQLite would go on writing into a file that was deleted or replaced, and nobody would find the rows again.
        if record.info["file"] != _identity(file):
            raise exc.DisconnectionError("the file was deleted or replaced")

    event.listen(engine, "do_connect", create)
    event.listen(engine, "connect", set_up)
    event.listen(engine, "checkout", is_there)


def _identity(file: Path) -> tuple[int, int] | None:
    try:
        found = file.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


@contextmanager
def translated() -> Iterator[None]:
    """Raise the database's errors as ``RowRefused`` when a value is at fault, else as ``HistoryUnavailable``.

    Everything that is not surely the fault of a value counts as an outage, because messages wait through an outage and
    a refused value is given up.
    """
    try:
        yield
    except exc.DataError as error:
        raise RowRefused(_words(error)) from error
    except (OverflowError, UnicodeError) as error:
        raise RowRefused(f"{type(error).__name__}: {error}") from error
    except exc.StatementError as error:
        if isinstance(error.orig, OverflowError | UnicodeError):
            raise RowRefused(_words(error)) from error
        raise HistoryUnavailable(_words(error)) from error
    except exc.SQLAlchemyError as error:
        raise HistoryUnavailable(_words(error)) from error
    except (TypeError, OSError) as error:
        # A driver that is given an option that it does not know, or a file that is not there.
        raise HistoryUnavailable(f"History.Url cannot be used: {on_one_line(error)}") from error


def _words(error: exc.SQLAlchemyError) -> str:
    """Return the driver's own words, without the statement and its values."""
    return on_one_line(getattr(error, "orig", None) or error)
