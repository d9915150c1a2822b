"""What surrounds a command: terminals that are not UTF-8, full disks, proxies, and servers that are another program."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from scheduler.cli import remote
from scheduler.cli.exits import Exit
from tests.support.api import Api
from tests.support.cli import Done, answered_by, answered_by_api, cli
from tests.support.clock import FakeClock

Answers = Callable[..., list[httpx.Request]]


@pytest.fixture
def answers(monkeypatch: pytest.MonkeyPatch) -> Answers:
    """Make everything be answered like this; what was asked is returned."""
    monkeypatch.setattr(remote, "LONGEST_PAUSE_SECONDS", 0)

    def answer(*arguments: int, **parts: object) -> list[httpx.Request]:
        transport = httpx.MockTransport(lambda _: httpx.Response(*arguments, **parts))  # type: ignore[arg-type]
        return answered_by(monkeypatch, transport)

    return answer


class TestAnotherProgram:
    """The address is wrong, or a proxy in front answers for the service."""

    @pytest.mark.parametrize(
        "command",
        [["stats"], ["get", "a"], ["list"], ["cancel", "a"], ["history", "list"], ["history", "export"]],
    )
    @pytest.mark.parametrize("text", ["<html>", "[1, 2]", "\xff"])
    def test_is_told_as_such(self, answers: Answers, command: list[str], text: str) -> None:
        answers(200, content=text.encode("latin-1"))
        done = cli(*command)
        assert done.code == Exit.FAILED
        assert "answers 200, and not as the service does" in done.err

    @pytest.mark.parametrize("command", [["stats"], ["get", "a"], ["list"], ["tail"], ["doctor"]])
    def test_an_answer_of_another_version_is_told_as_such(self, answers: Answers, command: list[str]) -> None:
        answers(200, json={})
        done = cli(*command)
        assert done.code == Exit.FAILED
        assert "is a service of version" in done.err

    def test_its_404_says_nothing_about_a_message(self, answers: Answers) -> None:
        answers(404, text="nginx")
        assert cli("get", "a").code == Exit.FAILED

    @pytest.mark.parametrize("status", [502, 503, 504])
    @pytest.mark.parametrize("retry_after", ["Wed, 21 Oct 2026 07:28:00 GMT", "soon", "0.5", ""])
    def test_what_passes_is_tried_again(self, answers: Answers, status: int, retry_after: str) -> None:
        asked = answers(status, headers={"Retry-After": retry_after}, text="<html>")
        assert cli("stats").code == Exit.UNREACHABLE
        assert len(asked) == remote.TRIES

    def test_a_redirect_names_the_address_there(self, answers: Answers) -> None:
        answers(301, headers={"Location": "https://scheduler.example/v1/stats"})
        assert "redirects to https://scheduler.example/v1/stats" in cli("stats").err

    def test_a_broken_encoding(self, answers: Answers) -> None:
        answers(200, stream=httpx.ByteStream(b"no gzip"), headers={"Content-Encoding": "gzip"})
        assert cli("stats").code == Exit.UNREACHABLE


class TestAddressAndToken:
    @pytest.mark.parametrize("url", ["127.0.0.1:3000", "", "ftp://localhost", "http://localhost:port"])
    def test_an_address_of_another_form(self, url: str) -> None:
        done = cli("stats", "--url", url)
        assert done.code == Exit.USAGE
        assert "accepted: http://host:port" in done.err

    def test_a_password_in_the_address_is_not_shown(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def refuse(_: httpx.Request) -> httpx.Response:
            raise httpx.ConnectError("refused")

        answered_by(monkeypatch, httpx.MockTransport(refuse))
        done = cli("stats", "--url", "http://me:geheim@scheduler.example")
        assert "http://me:***@scheduler.example does not answer" in done.err

    def test_a_token_from_a_file_may_end_with_its_line(self, answers: Answers) -> None:
        (asked,) = (answers(200, json={}), cli("pause", env={"MESSAGE_SCHEDULER_TOKEN": "geheim\r\n"}))[0]
        assert asked.headers["Authorization"] == "Bearer geheim"

    @pytest.mark.parametrize("token", ["gehäim", "ge\nheim"])
    def test_a_token_that_cannot_be_sent_is_not_shown(self, token: str) -> None:
        done = cli("stats", "--token", token)
        assert done.code == Exit.USAGE
        assert "heim" not in done.err

    def test_proxies_that_cannot_be_used(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("ALL_PROXY", "gopher://127.0.0.1:1")
        done = cli("stats", "--url", "http://scheduler.example")
        assert done.code == Exit.USAGE
        assert "NO_PROXY" in done.err
        monkeypatch.setattr(remote, "TRIES", 1)
        assert "does not answer" in cli("stats", "--url", "http://127.0.0.1:1").err, (
            "no proxy is asked for this machine"
        )


class TestWhatIsSent:
    @pytest.fixture(autouse=True)
    def api(self, clock: FakeClock, monkeypatch: pytest.MonkeyPatch) -> None:
        answered_by_api(monkeypatch, Api(clock))

    @pytest.mark.parametrize("data", ["NaN", '{"a": -Infinity}', "1e999", r'"\ud800"'])
    def test_what_json_cannot_say(self, data: str) -> None:
        done = cli("send", "--data", data)
        assert done.code == Exit.USAGE
        assert "JSON" in done.err

    def test_an_argument_that_is_no_utf_8(self) -> None:
        assert cli("send", os.fsdecode(b"\xff")).code == Exit.USAGE

    def test_a_file_of_windows(self, tmp_path: Path) -> None:
        file = tmp_path / "data.json"
        file.write_bytes(b'\xef\xbb\xbf{"a": 1}')
        assert cli("send", "--data", f"@{file}", "--json").json()["message"] == {"a": 1}
        assert cli("send", "--data", "@-", "--json", stdin='\ufeff{"a": 1}').json()["message"] == {"a": 1}


def _run(*arguments: str, env: dict[str, str] | None = None, stdin: bytes = b"", redirect: str = "") -> Done:
    command = f'exec "$0" -m scheduler.cli "$@" {redirect}'
    ended = subprocess.run(
        ["/bin/sh", "-c", command, sys.executable, *arguments],
        input=stdin,
        capture_output=True,
        env={**os.environ, **(env or {})},
        timeout=30,
        check=False,
    )
    return Done(ended.returncode, ended.stdout.decode(), ended.stderr.decode())


class TestStreams:
    """In a process of its own, as these are the process's streams."""

    def test_a_terminal_without_the_characters_gets_the_others(self, tmp_path: Path) -> None:
        settings = tmp_path / "appsettings.json"
        settings.write_text('{"Logs": {"Directory": "é"}}', "utf-8")
        ascii_only = {"PYTHONIOENCODING": "ascii", "LC_ALL": "C"}
        shown = _run("config", "show", "--config", str(settings), "--json", env=ascii_only)
        assert "\\u00e9" in shown.out
        assert json.loads(shown.out)
        assert _run("send", "--help", env=ascii_only).code == 0, "its help has an ellipsis"

    @pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
    @pytest.mark.parametrize("form", [[], ["--json"]])
    def test_a_full_disk_is_a_sentence(self, form: list[str]) -> None:
        done = _run("config", "show", *form, redirect=">/dev/full")
        assert done.code == Exit.FAILED
        assert "The output cannot be written: No space left on device" in done.err
        assert "Traceback" not in done.err

    def test_a_reader_that_has_enough_ends_it_without_a_word(self) -> None:
        assert _run("config", "show", redirect="| true").err == ""

    def test_closed_streams(self) -> None:
        done = _run("config", "show", redirect="<&- >&-")
        assert (done.code, done.err) == (0, "")

    def test_stdin_is_utf_8_in_any_locale(self) -> None:
        latin = {"PYTHONIOENCODING": "latin-1", "LC_ALL": "C"}
        nobody = ["--url", "http://127.0.0.1:1", "--id", "a"]
        assert _run("send", "-", *nobody, stdin="é".encode(), env=latin).code == Exit.UNREACHABLE
        done = _run("send", "-", *nobody, stdin="é".encode("latin-1"), env=latin)
        assert done.code == Exit.USAGE
        assert done.err.startswith("stdin: cannot be read")
