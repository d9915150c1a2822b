"""Commands on destinations of webhooks, against the application."""

from __future__ import annotations

import pytest

from scheduler.cli.exits import Exit
from tests.support.api import Api
from tests.support.cli import answered_by_api, cli
from tests.support.clock import FakeClock

_HOST = "https:api.example.com:443"


@pytest.fixture(autouse=True)
def api(clock: FakeClock, monkeypatch: pytest.MonkeyPatch) -> Api:
    api = Api(clock)
    answered_by_api(monkeypatch, api)
    return api


def test_open_and_close() -> None:
    assert cli("destinations", "open", _HOST, "--note", "they move").out == (
        f"{_HOST}  left alone until message-scheduler destinations close\n"
    )
    shown = cli("destinations", "get", _HOST, "--json").json()
    assert (shown["state"], shown["by_hand"], shown["note"]) == ("open", True, "they move")
    assert cli("destinations", "close", _HOST).out == f"{_HOST}  used again\n"
    assert cli("destinations", "get", _HOST, "--json").json()["state"] == "closed"


def test_lists_by_state() -> None:
    cli("destinations", "open", _HOST)
    assert [each["id"] for each in cli("destinations", "list", "--state", "open", "--json").json()] == [_HOST]
    assert cli("destinations", "list", "--state", "half_open", "--json").json() == []
    assert _HOST in cli("destinations", "list").out


def test_a_url_is_as_good_as_the_name() -> None:
    assert cli("destinations", "open", "https://API.example.com/hook?key=1").out.startswith(_HOST)
    assert cli("destinations", "get", "https://api.example.com:443", "--json").json()["id"] == _HOST
    assert cli("destinations", "open", "http://[::1]:8000/x").out.startswith("http:::1:8000 ")


@pytest.mark.parametrize(
    "wrong", ["api.example.com", "api.example.com/hook", "ftp://a/b", "https://a:b/c", "https://[x/"]
)
def test_a_name_of_another_form_is_explained(wrong: str) -> None:
    done = cli("destinations", "open", wrong)
    assert done.code == Exit.USAGE
    assert "https:api.example.com:443" in done.err


def test_an_unknown_one_is_not_found() -> None:
    assert cli("destinations", "get", _HOST).code == Exit.NOT_FOUND
