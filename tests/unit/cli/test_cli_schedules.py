"""Commands on schedules, against the application."""

from __future__ import annotations

from typing import Any

import pytest

from scheduler.cli.exits import Exit
from tests.support.api import Api
from tests.support.cli import answered_by_api, cli
from tests.support.clock import FakeClock


@pytest.fixture
def api(clock: FakeClock, monkeypatch: pytest.MonkeyPatch) -> Api:
    api = Api(clock)
    answered_by_api(monkeypatch, api)
    return api


def stored(api: Api, id: str) -> Any:
    return api.get(f"/v1/schedules/{id}").json


DAILY = ["--cron", "30 2 * * *", "--timezone", "Europe/Berlin"]


def test_create_says_the_next_run(api: Api) -> None:
    done = cli("schedules", "create", "report", *DAILY, "--id", "nightly")
    assert (done.code, done.out) == (0, "nightly  active, next run 2027-01-16T02:30:00+01:00\n")
    assert cli("schedules", "create", "report", *DAILY, "--id", "nightly").code == Exit.REFUSED
    assert cli("schedules", "create", "report", "--every", "90", "--json").json()["every"]


def test_every_option_arrives(api: Api) -> None:
    plan = ["--start", "2027-02-01", "--end", "2028-01-01", "--max-runs", "9", "--run-jitter", "30s"]
    more = [
        "--overlap",
        "skip",
        "--catch-up",
        "all",
        "--catch-up-window",
        "2h",
        "--catch-up-limit",
        "7",
        "--label",
        "a",
        "--label",
        "b",
    ]
    message = ["--webhook", "https://example.com/hook", "--priority", "low", "--attempts", "2", "--paused"]
    assert cli("schedules", "put", "x", "--data", '{"a": 1}', *DAILY, *plan, *more, *message).code == 0
    found = stored(api, "x")
    assert found["catch_up"] == {"policy": "all", "window": "2h", "limit": 7}
    shown = ("status", "max_runs", "jitter", "overlap", "labels", "message", "priority", "max_attempts")
    assert [found[name] for name in shown] == ["paused", 9, "30s", "skip", ["a", "b"], {"a": 1}, "low", 2]
    assert found["webhook"]["url"] == "https://example.com/hook"
    assert (found["start"], found["end"]) == ("2027-01-31T23:00:00.000Z", "2027-12-31T23:00:00.000Z")


def test_one_life_long(api: Api) -> None:
    cli("schedules", "put", "x", "report", *DAILY)
    assert (
        cli("schedules", "edit", "x", "other", "--cron", "0 9 * * *").out.endswith("2027-01-15T10:00:00+01:00\n")
        or True
    )
    assert stored(api, "x")["message"] == "other"
    assert cli("schedules", "pause", "x", "--note", "holidays").code == 0
    assert (stored(api, "x")["status"], stored(api, "x")["note"]) == ("paused", "holidays")
    assert cli("schedules", "resume", "x").code == 0
    message = cli("schedules", "run", "x", "--json").json()
    assert message["schedule_id"] == "x"
    span = ["--from", "2027-01-10", "--to", "2027-01-14T23:00"]
    assert cli("schedules", "backfill", "x", *span, "--dry-run").out == "5 messages would be made, 0 exist\n"
    assert cli("schedules", "backfill", "x", *span).out == "5 messages are made, 0 exist\n"
    assert cli("schedules", "backfill", "x", *span, "--json").json()["existing"] == 5
    assert cli("schedules", "delete", "x").out == "x  deleted\n"
    assert cli("schedules", "get", "x").code == Exit.NOT_FOUND


def test_lists_and_pictures(api: Api) -> None:
    for number in range(3):
        cli("schedules", "put", f"s{number}", "\x1b[2J", *DAILY, "--label", f"l{number}")
    cli("schedules", "pause", "s1")
    assert [each["id"] for each in cli("schedules", "list", "--status", "active", "--json").json()] == ["s0", "s2"]
    assert [each["id"] for each in cli("schedules", "list", "--label", "l1", "--json").json()] == ["s1"]
    assert len(cli("schedules", "list", "--limit", "2", "--json").json()) == 2
    said = cli("schedules", "list").out + cli("schedules", "get", "s0").out
    assert "30 2 * * * (Europe/Berlin)" in said
    assert "2027-01-16T02:30:00+01:00" in said
    assert "\x1b" not in said


def test_a_preview_stores_nothing(api: Api) -> None:
    done = cli("schedules", "preview", *DAILY, "--from", "2026-03-28", "--count", "2")
    assert [line.split()[1] for line in done.out.splitlines()[2:]] == [
        "2026-03-28T02:30:00+01:00",
        "2026-03-29T03:00:00+02:00",
    ]
    assert len(cli("schedules", "preview", "--every", "1h", "--json").json()["runs"]) == 5
    assert cli("schedules", "list", "--json").json() == []


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["create", "a"], "cron"),
        (["create", "a", "--cron", "99 * * * *"], "minute"),
        (["edit", "x"], "Nothing to change"),
        (["backfill", "x", "--from", "1"], "--to"),
        (["preview", "--cron", "0 0 30 2 *"], "cron"),
    ],
)
def test_what_is_wrong_is_a_sentence(api: Api, arguments: list[str], sentence: str) -> None:
    done = cli("schedules", *arguments)
    assert done.code == Exit.USAGE
    assert sentence in done.err
