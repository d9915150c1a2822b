"""Commands on the history, against the application and a database."""

from __future__ import annotations

import json
from collections.abc import Iterator

import httpx
import pytest

from scheduler.cli.exits import Exit
from scheduler.history import Database
from tests.support.api import Api
from tests.support.cli import answered_by, answered_by_api, cli
from tests.support.clock import FakeClock
from tests.support.history import finished


@pytest.fixture(autouse=True)
def api(clock: FakeClock, database: Database, monkeypatch: pytest.MonkeyPatch) -> Api:
    api = Api(clock, history=database)
    answered_by_api(monkeypatch, api)
    database.write([finished(f"m{n:02}", n, status="dead" if n % 2 else "delivered") for n in range(6)])
    return api


def test_lists_filter() -> None:
    found = cli("history", "list", "--status", "dead", "--limit", "2", "--json").json()
    assert [message["id"] for message in found] == ["m05", "m03"]
    assert [line.split()[0] for line in cli("history", "list").out.splitlines()[2:]] == [
        f"m{n:02}" for n in range(5, -1, -1)
    ]
    assert cli("history", "list", "--channel", "webhook", "--destination", "x.example", "--json").json() == []


def test_one_and_its_attempts() -> None:
    assert cli("history", "get", "m01", "--json").json()["id"] == "m01"
    assert "m01" in cli("history", "get", "m01").out
    assert cli("history", "get", "nobody").code == Exit.NOT_FOUND


def test_exports() -> None:
    lines = cli("history", "export", "--status", "dead").out.splitlines()
    assert len(lines) == 4
    assert lines[0].startswith("id,")
    objects = [json.loads(line) for line in cli("history", "export", "--as", "ndjson", "--limit", "2").out.splitlines()]
    assert [each["id"] for each in objects] == ["m05", "m04"]
    assert "attempts" in objects[0]


def test_an_export_that_is_cut_off_is_no_success(monkeypatch: pytest.MonkeyPatch) -> None:
    def body() -> Iterator[bytes]:
        yield b"id,status\n"
        raise httpx.RemoteProtocolError("peer closed connection")

    table = {"Content-Type": "text/csv; charset=utf-8"}
    answered_by(monkeypatch, httpx.MockTransport(lambda _: httpx.Response(200, headers=table, content=body())))
    done = cli("history", "export")
    assert (done.code, done.out) == (Exit.UNREACHABLE, "id,status\n")
    assert "cut off" in done.err


def test_a_summary() -> None:
    (slot,) = cli("history", "summary", "--by", "day", "--until", "2027-01-16", "--json").json()["slots"]
    assert (slot["delivered"], slot["dead"]) == (3, 3)
    assert "echo" in cli("history", "summary").out


def test_what_ended_is_sent_again(api: Api) -> None:
    done = cli("history", "redrive", "m00", "nobody", "m01")
    assert done.code == Exit.NOT_FOUND
    new = [line.split()[-1] for line in done.out.splitlines()]
    assert [api.get(f"/v1/messages/{id}").json["redriven_from"] for id in new] == ["m00", "m01"]


def test_a_dead_letter_that_redis_has_no_more_is_redriven(api: Api) -> None:
    done = cli("redrive", "m01", "m00")
    assert done.code == Exit.REFUSED
    id, said, new = done.out.split(maxsplit=1)[0], done.out, done.out.split()[-1]
    assert said == f"{id}  sent again as {new}\n"
    assert (id, api.get(f"/v1/messages/{new}").json["redriven_from"]) == ("m01", "m01")
    assert "Message 'm00' is delivered" in done.err


def test_without_a_history_it_is_said(clock: FakeClock, monkeypatch: pytest.MonkeyPatch) -> None:
    answered_by_api(monkeypatch, Api(clock))
    done = cli("history", "list")
    assert (done.code, done.err) == (Exit.NOT_FOUND, "there is no history: History.Url names no database\n")
