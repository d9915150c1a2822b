"""What is made piece by piece is sent piece by piece, no further than somebody takes it, and its end tells that it is
whole.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from scheduler.api.front.application import Front
from scheduler.api.http.rules import Rules
from scheduler.errors import HistoryUnavailable
from scheduler.history import Database, open_database
from tests.support.api import Api
from tests.support.clock import FakeClock
from tests.support.front import Ask
from tests.support.history import finished

EXPORT = Ask("/v1/history", method="GET", headers=(("accept", "text/csv"),))
ROWS, PAGE = 40, 10


@pytest.fixture
def database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Database]:
    monkeypatch.setattr("scheduler.api.v1.history.MAX_HISTORY_PAGE", PAGE)
    opened = open_database(f"sqlite:///{tmp_path}/history.db", connections=4)
    opened.prepare()
    opened.write([finished(f"m{n:02}", n) for n in range(ROWS)])
    yield opened
    opened.close()


@pytest.fixture
def api(clock: FakeClock, database: Database) -> Api:
    return Api(clock, history=database)


def export(api: Api, *, leaves_after: int | None = None) -> list[dict[str, Any]]:
    """What the server is told; ``leaves_after``: the client closes its connection after so many messages."""

    async def exchange() -> list[dict[str, Any]]:
        front = Front(api.app.wsgi_app, Rules(api.services), 4)
        told: list[dict[str, Any]] = []
        gone = asyncio.Event()
        requests = [{"type": "http.request", "body": b"", "more_body": False}]

        async def receive() -> dict[str, Any]:
            if requests:
                return requests.pop()
            await gone.wait()
            return {"type": "http.disconnect"}

        async def send(message: dict[str, Any]) -> None:
            told.append(message)
            if len(told) == leaves_after:
                gone.set()
            await asyncio.sleep(0)

        await front(EXPORT.scope(), receive, send)
        front.close()
        return told

    return asyncio.run(exchange())


def lines(told: list[dict[str, Any]]) -> int:
    return b"".join(message["body"] for message in told[1:]).count(b"\r\n")


def test_each_page_is_a_message_and_the_last_one_says_that_it_is_whole(api: Api) -> None:
    told = export(api)
    assert told[0]["status"] == 200
    assert len(told) == 1 + 1 + ROWS // PAGE + 1
    assert lines(told) == 1 + ROWS
    assert told[-1] == {"type": "http.response.body", "body": b""}


def test_for_a_client_that_is_gone_nothing_more_is_read(api: Api) -> None:
    told = export(api, leaves_after=3)
    assert lines(told) < 1 + 4 * PAGE


def test_an_answer_that_is_cut_off_does_not_look_whole(
    api: Api, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = database.page
    asked: list[Any] = []

    def fails(*question: Any) -> Any:
        asked.append(question)
        if len(asked) == 3:
            raise HistoryUnavailable("the server closed the connection")
        return page(*question)

    monkeypatch.setattr(database, "page", fails)
    told = export(api)
    assert lines(told) == 1 + 2 * PAGE
    assert told[-1]["more_body"] is True
    assert "an answer was cut off: the server closed the connection" in api.log.errors[0]
