"""The history over each of its databases."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import mongomock
import psycopg
import pymysql
import pytest
from sqlalchemy.engine import make_url

from scheduler.history import Database, open_database
from scheduler.history.mongo import MongoDatabase
from tests.support import databases

_NUMBERS = itertools.count()
"""Of the databases of one server: it drops none."""


@pytest.fixture(scope="session")
def postgresql() -> Iterator[str]:
    with databases.postgresql() as url:
        yield url


@pytest.fixture(scope="session")
def mongodb() -> Iterator[str]:
    with databases.mongodb() as url:
        yield url


@pytest.fixture(scope="session")
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
