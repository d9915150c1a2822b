"""Commands on messages, against the application: what they store, print, and end with."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from scheduler.cli import remote
from scheduler.cli.exits import Exit
from scheduler.jobs import REGISTRY, handler
from scheduler.message import Outcome
from tests.support.api import Api
from tests.support.cli import Done, answered_by, answered_by_api, cli
from tests.support.clock import FakeClock
from tests.support.store import take


@pytest.fixture
def api(clock: FakeClock, monkeypatch: pytest.MonkeyPatch) -> Api:
    api = Api(clock)
    api.requests = answered_by_api(monkeypatch, api)  # type: ignore[attr-defined]
    return api


def stored(api: Api, done: Done) -> Any:
    """The message that ``send --json`` has just made."""
    assert done.code == 0, done
    return api.get(f"/v1/messages/{done.json()['id']}").json


def dead_letters(api: Api, count: int) -> list[str]:
    ids = [api.message(delay=0) for _ in range(count)]
    api.store.settle([Outcome(claim, "dead", error="why") for claim in take(api.store, count, 60_000).claims])
    return ids


# ----------------------------------------------------------------------------------------------------------------- send
@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["hello"], {"message": "hello", "channel": "echo"}),
        (["5"], {"message": "5"}),
        (["--data", '{"order": 1}'], {"message": {"order": 1}}),
        (["--data", "null"], {"message": None}),
        (["a", "--at", "2099-01-01T09:00", "--timezone", "Europe/Berlin"], {"due_at": "2099-01-01T08:00:00.000Z"}),
        (["a", "--in", "1h30m"], {"due_at": "2027-01-15T09:30:00.000Z"}),
        (["a", "--id", "mine", "--priority", "high"], {"id": "mine", "priority": "high"}),
        (["a", "--attempts", "3", "--backoff", "2", "--no-jitter"], {"max_attempts": 3}),
    ],
)
def test_send(api: Api, arguments: list[str], expected: dict[str, Any]) -> None:
    message = stored(api, cli("send", *arguments, "--json"))
    assert {name: message[name] for name in expected} == expected


def test_send_to_a_webhook(api: Api) -> None:
    options = [
        "--webhook",
        "https://example.com/hook",
        "--method",
        "PUT",
        "--header",
        "X-Shop: berlin",
        "--timeout",
        "3",
    ]
    message = stored(api, cli("send", "a", *options, "--json"))
    assert message["webhook"] == {
        "url": "https://example.com/hook",
        "method": "PUT",
        "headers": {"X-Shop": "berlin"},
        "timeout": 3.0,
    }


def test_send_to_a_job(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(REGISTRY, "_types", {})
    handler("greet")(lambda *_: None)
    assert stored(api, cli("send", "a", "--job", "greet", "--json"))["job"] == {"type": "greet"}


def test_send_reads_files_and_stdin(api: Api, tmp_path: Path) -> None:
    file = tmp_path / "body.json"
    file.write_text('{"from": "a file"}')
    assert stored(api, cli("send", "--data", f"@{file}", "--json"))["message"] == {"from": "a file"}
    assert stored(api, cli("send", "--data", "@-", "--json", stdin="[1]"))["message"] == [1]
    assert stored(api, cli("send", "-", "--json", stdin="two\nlines"))["message"] == "two\nlines"


def test_a_batch_of_lines(api: Api) -> None:
    lines = "\n".join(json.dumps({"message": number, "delay": 60}) for number in range(1100))
    done = cli("send", "--batch", "-", stdin=f"{lines}\n\n")
    assert done.out.splitlines() == [
        "1000 messages accepted (1000 of 1100)",
        "100 messages accepted (1100 of 1100)",
    ]
    assert api.get("/v1/stats").json["scheduled"]["total"] == 1100


def test_people_read_the_id_and_the_moment(api: Api) -> None:
    done = cli("send", "hello", "--in", "5s")
    (id,) = (message["id"] for message in api.get("/v1/messages").json["messages"])
    assert done.out == f"{id}  echo, due 2027-01-15T08:00:05.000Z\n"


def test_a_command_that_is_sent_twice_with_one_key_stores_once(api: Api) -> None:
    first, second = (cli("send", "hello", "--key", "k", "--json") for _ in range(2))
    assert first.json()["id"] == second.json()["id"]
    assert cli("send", "other", "--key", "k").code == Exit.REFUSED


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["send"], "There is no message"),
        (["send", "a", "--data", "1"], "exclude each other"),
        (["send", "--data", "{"], "--data: no JSON"),
        (["send", "--data", "@nowhere.json"], "nowhere.json: cannot be read"),
        (["send", "a", "--method", "PUT"], "--webhook, which is missing"),
        (["send", "a", "--webhook", "https://example.com", "--header", "X"], "accepted: NAME:VALUE"),
        (["send", "a", "--batch", "-"], "--batch"),
        (["send", "a", "--in", "soon"], "delay:"),
        (["send", "a", "--priority", "urgent"], "urgent"),
        (["edit", "x"], "Nothing to change"),
        (["redrive"], "or --all"),
        (["redrive", "x", "--dry-run"], "belong to --all"),
        (["list", "--since", "yesterday"], "since:"),
        (["get"], "ID"),
    ],
)
def test_what_is_wrong_is_a_sentence_and_exit_code_2(api: Api, arguments: list[str], sentence: str) -> None:
    done = cli(*arguments, stdin="")
    assert done.code == Exit.USAGE
    assert sentence in done.err
    assert "Traceback" not in done.err
    assert done.out == ""


# ------------------------------------------------------------------------------------------------------ one, and lists
def test_get_shows_the_evidence(api: Api) -> None:
    (id,) = dead_letters(api, 1)
    said = cli("get", id).out
    assert "dead" in said
    assert "why" in said
    assert cli("get", id, "--json").json()["attempts"][0]["error"] == "why"


def test_a_message_cannot_control_the_terminal(api: Api) -> None:
    id = api.message(message="\x1b[2J[bold]x")
    for arguments in (["get", id], ["list"]):
        said = cli(*arguments).out
        assert "\x1b" not in said
        assert r"\x1b[2J[bold]x" in said


def test_list_filters_and_follows_pages(api: Api) -> None:
    bodies = [{"message": number, "delay": 60, "priority": "low" if number % 2 else "high"} for number in range(600)]
    assert api.post("/v1/messages/batch", {"messages": bodies}).status_code == 201
    assert len(cli("list", "--json").json()) == 50
    found = cli("list", "--priority", "low", "--limit", "0", "--json").json()
    assert [message["message"] for message in found] == list(range(1, 600, 2))
    assert len(cli("list", "--limit", "550", "--json").json()) == 550
    assert cli("list", "--status", "dead", "--json").json() == []


def test_edit(api: Api) -> None:
    id = api.message()
    done = cli("edit", id, "bye", "--in", "2h", "--priority", "low")
    assert (done.code, done.out) == (0, f"{id}  changed, due 2027-01-15T10:00:00.000Z\n")
    assert api.get(f"/v1/messages/{id}").json["message"] == "bye"


def test_cancel_and_run_take_several_and_say_which_failed(api: Api) -> None:
    ids = [api.message() for _ in range(3)]
    assert cli("run", ids[0]).out == f"{ids[0]}  due now\n"
    done = cli("cancel", ids[1], "nobody", ids[2])
    assert done.code == Exit.NOT_FOUND
    assert done.out == f"{ids[1]}  cancelled\n{ids[2]}  cancelled\n"
    assert "'nobody'" in done.err
    assert cli("cancel", ids[1]).code == Exit.REFUSED


def test_redrive_one_many_and_a_dry_run_first(api: Api) -> None:
    ids = dead_letters(api, 4)
    assert cli("redrive", ids[0]).code == 0
    assert cli("redrive", "--all", "--dry-run", "--json").json() == {"would_redrive": 3}
    refused = cli("redrive", "--all")
    assert refused.code == Exit.USAGE
    assert "Schedule 3 dead letters again?" in refused.err
    assert cli("redrive", "--all", "--yes", "--limit", "1").out == "1 dead letter is scheduled again.\n"
    assert cli("redrive", "--all", "--yes", "--json").json() == {"redriven": 2}
    assert cli("redrive", "--all", "--json").json() == {"redriven": 0}


def test_more_dead_letters_than_one_request_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    left = 25_000

    def answer(request: httpx.Request) -> httpx.Response:
        nonlocal left
        asked = json.loads(request.content)
        count = min(left, asked["limit"])
        if asked["dry_run"]:
            return httpx.Response(200, json={"would_redrive": count})
        left -= count
        return httpx.Response(200, json={"redriven": count})

    answered_by(monkeypatch, httpx.MockTransport(answer))
    assert "10000 or more" in cli("redrive", "--all", "--dry-run").out
    assert cli("redrive", "--all", "--yes", "--limit", "12000", "--json").json() == {"redriven": 12_000}
    assert cli("redrive", "--all", "--yes", "--json").json() == {"redriven": 13_000}


def test_pause_resume_and_stats(api: Api) -> None:
    api.message()
    assert cli("pause").code == 0
    assert cli("stats", "--json").json()["paused"] is True
    assert cli("resume").code == 0
    said = cli("stats").out
    assert "echo" in said
    assert "2027-01-15T09:00:00.000Z" in said


# ------------------------------------------------------------------------------------------------------- exit codes
@pytest.mark.parametrize(
    ("status", "code"),
    [(400, 2), (401, 6), (403, 6), (404, 3), (409, 4), (413, 2), (422, 2), (429, 5), (500, 1), (503, 5), (418, 1)],
)
def test_what_the_service_answers_decides_the_exit_code(
    monkeypatch: pytest.MonkeyPatch, status: int, code: int
) -> None:
    problem = {"status": status, "detail": "So it is.", "errors": [{"field": "time", "message": "no"}]}
    answered_by(monkeypatch, httpx.MockTransport(lambda _: httpx.Response(status, json=problem)))
    done = cli("cancel", "x")
    assert done.code == code
    assert done.err.startswith("So it is.")
    told = json.loads(cli("cancel", "x", "--json").err)
    assert told["exit_code"] == code
    assert told["errors"] == problem["errors"]


def test_nobody_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    tries = []

    def refuse(request: httpx.Request) -> httpx.Response:
        tries.append(request.headers.get("Idempotency-Key"))
        raise httpx.ConnectError("refused")

    answered_by(monkeypatch, httpx.MockTransport(refuse))
    monkeypatch.setattr(remote, "LONGEST_PAUSE_SECONDS", 0)
    done = cli("send", "hello", "--url", "http://nowhere:1")
    assert done.code == Exit.UNREACHABLE
    assert done.err.startswith("http://nowhere:1 does not answer (refused).")
    assert len(tries) == remote.TRIES
    assert len(set(tries)) == 1
    assert tries[0], "a repeat without a key would store the message twice"
    tries.clear()
    assert cli("send", "hello", "--id", "mine").code == Exit.UNREACHABLE
    assert len(tries) == 1


def test_a_redis_that_comes_back_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = [httpx.Response(503, headers={"Retry-After": "0"}, json={}), httpx.Response(200, json={"paused": True})]
    answered_by(monkeypatch, httpx.MockTransport(lambda _: answers.pop(0)))
    assert cli("stats", "--json").json() == {"paused": True}


def test_ctrl_c_ends_a_command_as_shells_expect(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(_: httpx.Request) -> httpx.Response:
        raise KeyboardInterrupt

    answered_by(monkeypatch, httpx.MockTransport(interrupted))
    assert cli("stats").code == 130


def test_address_and_token_come_from_the_environment_or_the_options(api: Api) -> None:
    environment = {"MESSAGE_SCHEDULER_URL": "http://localhost:3000", "MESSAGE_SCHEDULER_TOKEN": "geheim"}
    cli("stats", env=environment)
    cli("stats", "--url", "http://127.0.0.1:3000/", "--token", "other", env=environment)
    first, second = api.requests  # type: ignore[attr-defined]
    assert (first.url, first.headers["Authorization"]) == ("http://localhost:3000/v1/stats", "Bearer geheim")
    assert (second.url, second.headers["Authorization"]) == ("http://127.0.0.1:3000/v1/stats", "Bearer other")


@pytest.mark.parametrize(
    ("url", "verified"), [("https://scheduler.example", True), ("http://scheduler.example", False)]
)
def test_certificates_are_verified(monkeypatch: pytest.MonkeyPatch, url: str, verified: bool) -> None:
    made: dict[str, Any] = {}
    monkeypatch.setattr(httpx, "Client", lambda **options: made.update(options))
    remote.client(url, None)
    assert made["verify"] is verified
    assert "follow_redirects" not in made, "an http address could lead to one that is not verified"


def test_a_missing_token_is_asked_for(clock: FakeClock, monkeypatch: pytest.MonkeyPatch) -> None:
    answered_by_api(monkeypatch, Api(clock, {"api": {"auth_token": "geheim"}}))
    done = cli("stats")
    assert done.code == Exit.NOT_ALLOWED
    assert "MESSAGE_SCHEDULER_TOKEN" in done.err
    assert cli("stats", "--token", "geheim").code == 0
