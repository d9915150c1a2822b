"""What every database of the history does alike; real servers, each started once for this file."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import mongomock
import psycopg
import pymysql
import pytest
from sqlalchemy import Connection, event, select
from sqlalchemy.engine import make_url

from scheduler.errors import InvalidInput
from scheduler.history import Database, Finished, Query, open_database
from scheduler.history import database as questions
from scheduler.history.database import HOUR_MS, HourCount, Position, every_page
from scheduler.history.mongo import MongoDatabase
from scheduler.history.sql.engine import engine_for
from scheduler.history.sql.migrating import migrate
from scheduler.history.sql.tables import MIGRATIONS, VERSION
from tests.support import databases
from tests.support.clock import START_MS
from tests.support.history import finished
from tests.support.store import at_once

FULL = finished(
    "whole",
    type="invoice",
    owner="u-1",
    schedule_id="daily",
    run="1 catch_up",
    flow_key="customer-7",
    destination="hooks.example.com",
    retry="5,1.0,2.0,300.0,1",
    target='{"url":"https://hooks.example.com/"}',
    redriven_from="older",
    payload='{"ä":"\\u0000","big":123456789012345678901234567890,"smile":"😀"}',
    payload_sha256="0" * 64,
    last_error="connection refused — “x”",
    result="[1, 2]",
    attempts='[{"attempt":1}]',
)


_NUMBERS = itertools.count()
"""Of the databases of one server: it drops none."""


@pytest.fixture(scope="module")
def postgresql() -> Iterator[str]:
    with databases.postgresql() as url:
        yield url


@pytest.fixture(scope="module")
def mongodb() -> Iterator[str]:
    with databases.mongodb() as url:
        yield url


@pytest.fixture(scope="module")
def mysql() -> Iterator[str]:
    with databases.mysql() as url:
        yield url


@pytest.fixture(params=["sqlite", "postgresql", "mysql", "mongodb", "mongomock"])
def backend(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture
def opened(backend: str, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Callable[[], Database]]:
    """Open an empty database, again and again if need be: as several servers do."""
    made: list[Database] = []
    mock: Any = mongomock.MongoClient("mongodb://mock/test")
    url = f"sqlite:///{tmp_path}/sub/history.db"
    if backend in ("postgresql", "mysql"):
        url = request.getfixturevalue(backend)
        _empty(url)
    elif backend == "mongodb":
        url = request.getfixturevalue(backend).replace("/test", f"/test{next(_NUMBERS)}")

    def open_one() -> Database:
        made.append(MongoDatabase("", client=mock) if backend == "mongomock" else open_database(url, connections=2))
        return made[-1]

    yield open_one
    for one in made:
        one.close()


@pytest.fixture
def database(opened: Callable[[], Database]) -> Database:
    database = opened()
    database.prepare()
    return database


def _empty(url: str) -> None:
    if url.startswith("mysql"):
        address = make_url(url)
        with pymysql.connect(host=address.host, port=address.port or 0, user="root") as connection:
            connection.cursor().execute("DROP DATABASE IF EXISTS history")
            connection.cursor().execute("CREATE DATABASE history")
        return
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("DROP SCHEMA public CASCADE; CREATE SCHEMA public")


def ids(rows: list[Finished]) -> list[str]:
    return [row.id for row in rows]


def listed(database: Database, limit: int = 100, **query: Any) -> list[str]:
    return [row.id for rows in every_page(database, Query(**query), limit) for row in rows]


def test_a_row_comes_back_as_it_was_written(database: Database) -> None:
    database.write([FULL])
    assert database.one("whole") == FULL
    assert database.page(Query(), 10).rows == [FULL]
    assert None not in FULL, "every column has a value here"


def test_a_row_may_have_nothing_but_what_every_message_has(database: Database) -> None:
    bare = finished("bare", started_at=None, lateness_bucket=None, payload=None)
    database.write([bare])
    assert database.one("bare") == bare


def test_a_batch_that_is_written_again_changes_nothing(database: Database) -> None:
    rows = [finished(f"m{n}", n) for n in range(10)]
    database.write(rows[:6])
    database.write(rows)
    database.write(rows)
    assert listed(database) == [f"m{n}" for n in reversed(range(10))]


def test_two_archivers_write_the_same_batch_at_once(opened: Callable[[], Database]) -> None:
    several = [opened(), opened()]
    several[0].prepare()
    rows = [finished(f"m{n:03}", n) for n in range(200)]
    at_once([lambda one=one: [one.write(rows[b : b + 20]) for b in range(0, 200, 20)] for one in several])  # type: ignore[misc]
    assert listed(several[1]) == ids(rows)[::-1]


def test_a_message_that_finished_twice_has_two_rows_and_its_last_one_is_shown(database: Database) -> None:
    database.write([finished("m", 0, status="dead"), finished("m", 5)])
    assert [(row.id, row.status) for row in database.page(Query(), 10).rows] == [("m", "delivered"), ("m", "dead")]
    last = database.one("m")
    assert last is not None
    assert last.status == "delivered"
    assert database.one("M") is None, "ids that differ in case are two ids"


def test_ids_that_differ_in_case_are_two_messages(database: Database) -> None:
    database.write([finished("abc"), finished("ABC")])
    assert sorted(listed(database)) == ["ABC", "abc"]


def test_pages_go_on_where_the_last_one_ended_whatever_is_written_meanwhile(database: Database) -> None:
    # Three in each millisecond: a page may end among equals.
    database.write([finished(f"m{n:02}", n // 3) for n in range(30)])
    first = database.page(Query(), 7)
    database.write([finished("new", 100)])
    found, after = ids(first.rows), first.after
    while after:
        page = database.page(Query(), 7, after)
        found, after = found + ids(page.rows), page.after
    assert found == [f"m{n:02}" for n in reversed(range(30))]


def test_a_page_that_is_exactly_full_is_the_last(database: Database) -> None:
    database.write([finished("a"), finished("b")])
    assert database.page(Query(), 2).after is None


FILTERS: list[tuple[dict[str, Any], str]] = [
    ({"status": "dead"}, "dcb"),
    ({"channel": "webhook"}, "ca"),
    ({"status": "dead", "channel": "webhook"}, "c"),
    ({"status": "delivered", "channel": "webhook"}, "a"),
    ({"type": "mail"}, "b"),
    ({"schedule_id": "daily"}, "db"),
    ({"schedule_id": "daily", "status": "dead", "type": "mail"}, "b"),
    ({"flow_key": "k"}, "d"),
    ({"destination": "hooks.example.com"}, "ca"),
    ({"destination": "hooks.example.com", "channel": "echo"}, ""),
    ({"since": START_MS + 1}, "dcb"),
    ({"until": START_MS + 1}, "ba"),
    ({"since": START_MS + 1, "until": START_MS + 2}, "cb"),
    ({"since": START_MS + 1, "until": START_MS + 2, "status": "dead", "channel": "echo"}, "b"),
    ({"by": "due"}, "abcd"),
    ({"by": "due", "since": START_MS - 20, "until": START_MS - 10}, "bc"),
    ({"by": "due", "status": "dead"}, "bcd"),
    ({"text": "INVOICE"}, "ca"),
    ({"text": "refused"}, "b"),
    ({"text": "50%"}, "c"),
    ({"text": "5_%"}, ""),
    ({"text": "invoice", "status": "dead", "channel": "webhook"}, "c"),
    ({"text": "(.*"}, "d"),
    ({"type": "nobody's"}, ""),
]


def test_filters(database: Database) -> None:
    web = {"channel": "webhook", "destination": "hooks.example.com"}
    database.write(
        [
            finished("a", 0, payload='"Invoice 7"', due_at=START_MS, **web),
            finished(
                "b", 1, status="dead", type="mail", schedule_id="daily", due_at=START_MS - 10, last_error="refused"
            ),
            finished("c", 2, status="dead", payload='"invoice 50% off"', due_at=START_MS - 20, **web),
            finished("d", 3, status="dead", schedule_id="daily", flow_key="k", due_at=START_MS - 30, payload='"(.*"'),
        ]
    )
    for query, found in FILTERS:
        assert "".join(listed(database, **query)) == found, query
        assert "".join(listed(database, 1, **query)) == found, query


def test_a_page_looks_at_so_many_rows_and_goes_on(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("scheduler.history.sql.database", "scheduler.history.mongo"):
        monkeypatch.setattr(f"{module}.SCAN", 10)
    database.write([finished(f"m{n:02}", n, payload='"needle"' if n in (3, 17) else "1") for n in range(25)])
    pages = list(every_page(database, Query(text="needle"), 5))
    assert [ids(rows) for rows in pages] == [["m17"], [], ["m03"]]


def test_hours_are_counted_by_channel_status_and_lateness(database: Database, backend: str) -> None:
    if backend == "mongodb":
        pytest.skip("this server groups by one field only; mongomock runs it")
    start = START_MS // HOUR_MS * HOUR_MS - START_MS
    database.write(
        [
            finished("a", start),
            finished("b", start + 1, status="dead", lateness_bucket=7),
            finished("c", start + HOUR_MS - 1, lateness_bucket=0),
            finished("d", start + HOUR_MS, lateness_bucket=None, status="cancelled", channel="webhook"),
            finished("e", start + 2 * HOUR_MS),
        ]
    )
    hour, begin = START_MS // HOUR_MS, START_MS + start
    counted = database.summary(begin, begin + 2 * HOUR_MS, None)
    assert sorted(counted, key=str) == sorted(
        [
            HourCount(hour, "echo", "delivered", 0, 2),
            HourCount(hour, "echo", "dead", 7, 1),
            HourCount(hour + 1, "webhook", "cancelled", None, 1),
        ],
        key=str,
    )
    assert database.summary(begin, begin + 2 * HOUR_MS, "webhook") == [
        HourCount(hour + 1, "webhook", "cancelled", None, 1)
    ]


def test_the_oldest_rows_are_deleted_in_small_batches(database: Database) -> None:
    database.write([finished(f"m{n:02}", n) for n in range(30)])
    assert database.delete_old(START_MS + 10, 0, 4) == 4
    assert database.delete_old(START_MS + 10, 0, 4) == 4
    assert database.delete_old(START_MS + 10, 0, 4) == 2
    assert database.delete_old(START_MS + 10, 0, 4) == 0
    assert listed(database)[-1] == "m10"


def test_rows_beyond_so_many_are_deleted(database: Database) -> None:
    database.write([finished(f"m{n:02}", n) for n in range(30)])
    while database.delete_old(0, 5, 10):
        pass
    assert listed(database) == ["m29", "m28", "m27", "m26", "m25"]
    assert database.delete_old(0, 100, 10) == 0


def test_servers_that_start_at_the_same_time_prepare_it_together(opened: Callable[[], Database]) -> None:
    several = [opened() for _ in range(4)]
    at_once([one.prepare for one in several])
    several[0].write([FULL])
    several[1].prepare()
    assert several[2].one("whole") == FULL


@pytest.mark.parametrize("backend", ["sqlite", "postgresql", "mysql"])
def test_a_later_migration_runs_once_however_many_servers_start(opened: Callable[[], Any]) -> None:
    def second(connection: Connection) -> None:
        connection.exec_driver_sql("ALTER TABLE history ADD COLUMN later VARCHAR(8)")

    first = opened()
    first.prepare()
    first.write([FULL])
    several = [open_database(first._url) for _ in range(4)]
    at_once([lambda one=one: migrate(one._engine, [*MIGRATIONS, second]) for one in several])  # type: ignore[misc]
    with first._engine.connect() as connection:
        assert connection.execute(select(VERSION.c.version)).scalar() == len(MIGRATIONS) + 1
        assert connection.exec_driver_sql("SELECT later FROM history").fetchall() == [(None,)]
    # A column that a version does not know is in nobody's way.
    first.write([FULL._replace(id="another")])
    assert first.one("another") == FULL._replace(id="another")
    for one in several:
        one.close()


@pytest.mark.parametrize("backend", ["mysql"])
def test_who_gets_the_lock_next_sees_what_was_migrated(opened: Callable[[], Any]) -> None:
    first, second = opened(), opened()
    seen = []

    @event.listens_for(first._engine, "after_cursor_execute")
    def look(_: Connection, __: object, statement: str, *___: object) -> None:
        if "RELEASE_LOCK" in statement:
            with second._engine.connect() as connection:
                seen.append(connection.execute(select(VERSION.c.version)).scalar())

    first.prepare()
    assert seen == [len(MIGRATIONS)]


@pytest.mark.parametrize("backend", ["sqlite", "postgresql", "mysql"])
def test_a_migration_that_fails_is_tried_again(opened: Callable[[], Any]) -> None:
    def broken(connection: Connection) -> None:
        raise OSError("killed")

    database = opened()
    with pytest.raises(OSError, match="killed"):
        migrate(database._engine, [*MIGRATIONS, broken])
    database.prepare()
    database.write([FULL])
    assert database.one("whole") == FULL


def test_a_long_payload(database: Database) -> None:
    long = FULL._replace(payload='"' + "x" * 2**21 + '"')
    database.write([long])
    assert database.one("whole") == long


def test_a_row_without_its_payload_has_nothing_that_a_database_refuses(database: Database) -> None:
    odd = finished("odd", payload='"\ud800"', last_error="a\x00b\ud800", result='"\udfff"', attempts='["\ud800"]')
    database.write([odd.without_payload()])
    kept = database.one("odd")
    assert kept is not None
    assert (kept.last_error, kept.payload, kept.attempts) == (r"a\x00b\ud800", None, "[]")


def test_a_pooler_of_connections_may_stand_in_front(postgresql: str) -> None:
    """PgBouncer refuses options of a connection, and gives each transaction another one: nothing may stay on it."""
    engine = engine_for(postgresql, connections=1)
    with engine.connect() as connection:
        for _ in range(20):
            assert connection.exec_driver_sql("SHOW statement_timeout").scalar() == f"{questions.CALL_SECONDS}s"
        assert connection.exec_driver_sql("SELECT count(*) FROM pg_prepared_statements").scalar() == 0
        connection.rollback()
        raw: Any = connection.connection.driver_connection
        assert raw.execute("SHOW statement_timeout").fetchone() == ("0",)
        assert "statement_timeout" not in raw.info.dsn
    engine.dispose()


def test_many_threads_read_at_the_same_time(database: Database) -> None:
    database.write([finished(f"m{n}", n) for n in range(50)])
    assert at_once([lambda: len(listed(database, 10)) for _ in range(8)]) == [50] * 8
    assert threading.active_count() < 100


@pytest.mark.parametrize(
    "cursor",
    ["", "x", "ZmluaXNo", "💥", Position(1, "a", 1).encode("due"), "a" * 2000, Position(1, "\0", 1).encode("finish")],
)
def test_what_is_no_cursor_of_this_list_is_refused(cursor: str) -> None:
    with pytest.raises(InvalidInput, match="cursor"):
        Position.decode(cursor, "finish")


def test_a_cursor_comes_back_as_it_was() -> None:
    for position in (Position(0, "", 0), Position(START_MS, "a b:c", START_MS - 5)):
        assert Position.decode(position.encode("finish"), "finish") == position
    assert questions.SCAN > 1000
