"""Commands on flow keys, and messages that have one, against the application."""

from __future__ import annotations

import pytest

from scheduler.cli.exits import Exit
from tests.support.api import Api
from tests.support.cli import answered_by_api, cli
from tests.support.clock import FakeClock


@pytest.fixture(autouse=True)
def api(clock: FakeClock, monkeypatch: pytest.MonkeyPatch) -> Api:
    api = Api(clock)
    answered_by_api(monkeypatch, api)
    return api


def test_a_message_and_a_schedule_bring_their_limits(api: Api) -> None:
    limits = ["--flow", "tenant-42", "--concurrency", "5", "--rate", "10", "--period", "1m", "--ordered"]
    id = cli("send", "hello", "--in", "1h", *limits, "--json").json()["id"]
    assert api.get(f"/v1/messages/{id}").json["flow"]["key"] == "tenant-42"
    found = api.get("/v1/flows/tenant-42").json
    assert found["limits"] == {"concurrency": 5, "rate": 10, "period_ms": 60_000, "ordered": True}
    assert cli("schedules", "put", "x", "hello", "--every", "1h", "--flow", "tenant-43").code == 0
    done = cli("send", "hello", "--rate", "5", "--period", "1m")
    assert done.code == Exit.USAGE
    assert "--flow" in done.err


def test_pin_pause_and_their_opposites() -> None:
    done = cli("flows", "pin", "tenant-42", "--concurrency", "3", "--rate", "100", "--period", "1m")
    assert done.out == "tenant-42  3 at once (pinned), 100 in 60 s (pinned); 0 wait, 0 in flight\n"
    assert "paused until" in cli("flows", "pause", "tenant-42", "--for", "10m").out
    assert cli("flows", "get", "tenant-42", "--json").json()["paused"] is True
    assert "paused" not in cli("flows", "resume", "tenant-42").out
    assert cli("flows", "reset", "tenant-42").code == 0
    assert cli("flows", "unpin", "tenant-42").code == 0
    assert cli("flows", "get", "tenant-42").code == Exit.NOT_FOUND


def test_lists() -> None:
    for number in range(3):
        cli("flows", "pin", f"key-{number}", "--concurrency", "1")
    assert [flow["key"] for flow in cli("flows", "list", "--limit", "2", "--json").json()] == ["key-0", "key-1"]
    assert "1 at once (pinned)" in cli("flows", "list").out
    assert "key-2" in cli("flows", "get", "key-2").out


def test_what_is_wrong_is_a_sentence() -> None:
    assert "Nothing to pin" in cli("flows", "pin", "key").err
    done = cli("flows", "pin", "key", "--rate", "5")
    assert done.code == Exit.USAGE
    assert "period" in done.err
