"""The verbs on the table of the history."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    Select,
    and_,
    delete,
    func,
    literal_column,
    or_,
    select,
    tuple_,
)
from sqlalchemy.dialects import mysql, postgresql, sqlite

from scheduler.channels.registry import CHANNELS
from scheduler.errors import HistoryUnavailable
from scheduler.history.database import HOUR_MS, SCAN, HourCount, Page, Position, Query
from scheduler.history.finished import Finished
from scheduler.history.sql.engine import engine_for, translated
from scheduler.history.sql.migrating import is_current, migrate
from scheduler.history.sql.tables import HISTORY

_C = HISTORY.c


class SqlDatabase:
    """See ``scheduler.history.database.Database``."""

    def __init__(self, url: str, *, connections: int = 1) -> None:
        """``url``: ``sqlite:///…``, ``postgresql://…`` or ``mysql://…``."""
        self._engine = engine_for(url, connections)
        # Its parameters in the order of the columns, which is that of the fields of a row.
        self._insert = str(self._insert_for(self._engine.dialect.name).compile(self._engine))
        self._current = False

    @staticmethod
    def _insert_for(dialect: str) -> Any:
        """An insert that leaves a row alone that is there already: an archiver may write a batch twice."""
        if dialect == "sqlite":
            return sqlite.insert(HISTORY).on_conflict_do_nothing()
        if dialect == "postgresql":
            return postgresql.insert(HISTORY).on_conflict_do_nothing()
        # Not INSERT IGNORE, which would also cut values that are too long.
        return mysql.insert(HISTORY).on_duplicate_key_update(id=_C.id)

    def prepare(self) -> None:
        """See ``Database``."""
        with translated():
            migrate(self._engine)
        self._current = True

    @contextmanager
    def _reading(self) -> Iterator[Connection]:
        """Raises ``HistoryUnavailable`` until a scheduler process has made the tables: an API process makes none."""
        with translated():
            if not self._current:
                self._current = is_current(self._engine)
            if not self._current:
                raise HistoryUnavailable("the tables of the history are not there, or of another version")
            with self._engine.connect() as connection:
                yield connection

    def write(self, rows: Sequence[Finished]) -> None:
        """See ``Database``."""
        with translated(), self._engine.begin() as connection:
            # Past SQLAlchemy's own handling of parameters, which takes a fifth of the time of a batch.
            connection.exec_driver_sql(self._insert, list(rows))

    def page(self, query: Query, limit: int, after: Position | None = None) -> Page:
        """See ``Database``."""
        lead, rest = query.filters()
        moment = _C[query.moment]
        order = (moment.desc(), _C.id.desc(), _C.finished_at.desc())
        conditions = [_C[name] == value for name, value in lead.items()]
        if query.since is not None:
            conditions.append(moment >= query.since)
        if query.until is not None:
            conditions.append(moment <= query.until)
        if after is not None:
            conditions.append(_behind(query, after))
        scanned = select(HISTORY).where(*conditions).order_by(*order)
        others = _others(rest, query.text)
        with self._reading() as connection:
            if not others:
                return _page(connection.execute(scanned.limit(limit + 1)), query, limit)
            # A short look first: with a filter that many rows pass it is enough.
            for scan in (min(SCAN, 4 * limit), SCAN):
                inner = scanned.limit(scan).subquery()
                chosen = select(inner).where(*[_on(inner.c, other) for other in others])
                outer = chosen.order_by(inner.c[query.moment].desc(), inner.c.id.desc(), inner.c.finished_at.desc())
                found = _page(connection.execute(outer.limit(limit + 1)), query, limit)
                if found.after is not None:
                    return found
            end = select(moment, _C.id, _C.finished_at).where(*conditions).order_by(*order).offset(SCAN - 1).limit(1)
            reached = connection.execute(end).first()
            return Page(found.rows, Position(*reached) if reached else None)

    def one(self, id: str) -> Finished | None:
        """See ``Database``."""
        newest = select(HISTORY).where(_C.id == id).order_by(_C.finished_at.desc()).limit(1)
        with self._reading() as connection:
            found = connection.execute(newest).first()
        return Finished(*found) if found else None

    def summary(self, since: int, until: int, channel: str | None) -> list[HourCount]:
        """See ``Database``."""
        # Written out: PostgreSQL does not see that two parameters are the same number.
        hour = _C.finished_at // literal_column(str(HOUR_MS), BigInteger)
        # By channel, as the index has it.
        which = _C.channel == channel if channel is not None else _C.channel.in_(list(CHANNELS))
        counted: Select[Any] = (
            select(hour, _C.channel, _C.status, _C.lateness_bucket, func.count())
            .where(which, _C.finished_at >= since, _C.finished_at < until)
            .group_by(hour, _C.channel, _C.status, _C.lateness_bucket)
        )
        with self._reading() as connection:
            return [HourCount(int(row[0]), *row[1:]) for row in connection.execute(counted)]

    def delete_old(self, before: int, max_rows: int, limit: int) -> int:
        """See ``Database``."""
        moment = _C.finished_at
        with translated(), self._engine.begin() as connection:
            if max_rows:
                beyond = select(moment).order_by(moment.desc()).offset(max_rows).limit(1)
                before = max(before, (connection.execute(beyond).scalar() or -1) + 1)
            batch = select(moment).where(moment < before).order_by(moment).offset(limit - 1).limit(1)
            last = connection.execute(batch).scalar()
            old = moment <= last if last is not None else moment < before
            return connection.execute(delete(HISTORY).where(old)).rowcount

    def close(self) -> None:
        """See ``Database``."""
        self._engine.dispose()


def _behind(query: Query, after: Position) -> ColumnElement[bool]:
    moment = _C[query.moment]
    # The first condition says the same less exactly: every planner begins an index with it, some not with the second.
    return and_(
        moment <= after.moment,
        tuple_(moment, _C.id, _C.finished_at) < tuple_(after.moment, after.id, after.finished_at),
    )


def _others(rest: dict[str, str], text: str | None) -> list[tuple[str, str]]:
    return [*rest.items(), *([("text", text)] if text else [])]


def _on(columns: Any, condition: tuple[str, str]) -> ColumnElement[bool]:
    name, value = condition
    if name != "text":
        return columns[name] == value  # type: ignore[no-any-return]
    return or_(columns.payload.icontains(value, autoescape=True), columns.last_error.icontains(value, autoescape=True))


def _page(result: Any, query: Query, limit: int) -> Page:
    return Page.cut([Finished(*row) for row in result], query, limit)
