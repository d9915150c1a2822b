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
from scheduler.api.front.pace import POLITE
from scheduler.api.http.rules import Rules
from scheduler.errors import HistoryUnavailable
from scheduler.history import Database, open_database
from tests.support.api import Api
from tests.support.clock import FakeClock
from tests.support.front import Ask
from tests.support.history import finished

ROWS, PAGE = 40, 10


@pytest.fixture
def database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Database]:
    monkeypatch.setattr("scheduler.api.v1.history.EXPORT_PAGE", PAGE)
    opened = open_database(f"sqlite:///{tmp_path}/history.db", connections=4)
    opened.prepare()
    opened.write([finished(f"m{n:02}", n) for n in range(ROWS)])
    yield opened
    opened.close()


@pytest.fixture
def api(clock: FakeClock, database: Database) -> Api:
    return Api(clock, history=database)


def export(
    api: Api, kind: str = "text/csv", *, query: str = "", leaves_after: int | None = None
) -> list[dict[str, Any]]:
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

        await front(Ask(f"/v1/history{query}", method="GET", headers=(("accept", kind),)).scope(), receive, send)
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


@pytest.mark.parametrize("kind", ["text/csv", "application/x-ndjson"])
def test_while_messages_are_delivered_each_page_is_followed_by_a_pause(
    api: Api, database: Database, clock: FakeClock, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    page, pauses = database.page, []

    def slow(*question: Any) -> Any:
        clock.advance(0.005)
        return page(*question)

    async def pause(_: asyncio.Future[None], seconds: float) -> None:
        pauses.append(seconds)

    monkeypatch.setattr(database, "page", slow)
    monkeypatch.setattr("scheduler.api.front.application._pause", pause)
    export(api, kind)
    assert pauses
    assert not any(pauses), "nothing is due"
    pauses.clear()
    api.message(delay=1)
    export(api, kind)
    # The first page is read before the answer begins, and is no piece by itself.
    assert [seconds for seconds in pauses if seconds] == [pytest.approx(POLITE * 0.005)] * (ROWS // PAGE - 1)


@pytest.mark.parametrize("kind", ["text/csv", "application/x-ndjson"])
def test_a_search_that_finds_nothing_pauses_too(api: Api, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    monkeypatch.setattr("scheduler.history.sql.database.SCAN", PAGE)
    paused: list[float] = []

    def counted(_: Any, worked: float) -> float:
        paused.append(worked)
        return 0.0

    monkeypatch.setattr("scheduler.api.front.pace.Pace.pause_after", counted)
    told = export(api, kind, query="?text=nowhere")
    assert len(paused) > ROWS // PAGE
    assert lines(told) == (kind == "text/csv")
    assert all(message["body"] for message in told[1:-1]), "an empty piece is not sent: to HTTP it would be the end"


def test_a_client_that_leaves_ends_the_pause(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("scheduler.api.front.pace.Pace.pause_after", lambda *_: 3600.0)
    assert lines(export(api, leaves_after=2)) == 1


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
