"""The handlers that ship: mail against a mail server of our own, and waiting."""

from __future__ import annotations

import email
import email.policy
import socket
import threading
from collections.abc import Iterator
from email.message import EmailMessage
from typing import Any

import pytest

from scheduler.jobs import Dead, JobContext, Retry
from scheduler.jobs.examples import send_email, wait

MAIL = {"to": ["a@example.org", "b@example.org"], "subject": "Grüße", "text": "hello\n.\nworld", "html": "<p>hello</p>"}
ORDINARY = {"DATA": "354 go", "QUIT": "221 bye"}


class MailServer:
    """Speaks as much SMTP as a client needs; ``answers`` replaces the answer to a command."""

    def __init__(self) -> None:
        self.answers: dict[str, str] = {}
        self.mails: list[EmailMessage] = []
        self.commands: list[str] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            with connection, connection.makefile("rwb") as stream:
                self._talk(stream)

    def _talk(self, stream: Any) -> None:
        self._say(stream, "220 ready")
        for line in stream:
            command = line.decode().strip()
            self.commands.append(command)
            verb = command.split(" ")[0].split(":")[0].upper()
            self._say(stream, self.answers.get(command, self.answers.get(verb, ORDINARY.get(verb, "250 ok"))))
            if verb == "DATA" and "DATA" not in self.answers:
                self._keep(stream)
            if verb == "QUIT":
                return

    def _keep(self, stream: Any) -> None:
        lines: list[bytes] = []
        while (line := stream.readline()) != b".\r\n":
            lines.append(line[1:] if line.startswith(b".") else line)
        self.mails.append(email.message_from_bytes(b"".join(lines), policy=email.policy.default))
        self._say(stream, "250 queued")

    def _say(self, stream: Any, text: str) -> None:
        stream.write(f"{text}\r\n".encode())
        stream.flush()

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(10)


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[MailServer]:
    server = MailServer()
    monkeypatch.setenv("SMTP_URL", f"smtp://127.0.0.1:{server.port}")
    monkeypatch.setenv("MAIL_FROM", "Service <service@example.com>")
    yield server
    server.close()


class TestSendEmail:
    def test_sends(self, server: MailServer) -> None:
        result = send_email(MAIL, JobContext("job1"))
        assert result == {"message_id": "<job1@example.com>", "refused": []}
        (mail,) = server.mails
        assert (mail["From"], mail["To"]) == ("Service <service@example.com>", "a@example.org, b@example.org")
        assert (mail["Subject"], mail["Message-ID"]) == ("Grüße", "<job1@example.com>")
        text, html = (part.get_content().replace("\r\n", "\n") for part in mail.iter_parts())
        assert (text, html) == ("hello\n.\nworld\n", "<p>hello</p>\n")

    def test_the_same_job_has_the_same_message_id_in_every_attempt(self, server: MailServer) -> None:
        for attempt in (1, 2):
            send_email(MAIL, JobContext("job1", attempt=attempt))
        first, second = server.mails
        assert first["Message-ID"] == second["Message-ID"]

    @pytest.mark.parametrize("answer", ["250 ok", "421 tired of you"])
    def test_a_goodbye_that_goes_wrong_sends_nothing_twice(self, server: MailServer, answer: str) -> None:
        server.answers["QUIT"] = answer
        assert send_email(MAIL, JobContext("job1"))["refused"] == []
        assert len(server.mails) == 1

    def test_recipients_that_are_refused_are_named(self, server: MailServer) -> None:
        server.answers["rcpt TO:<b@example.org>"] = "550 no such user"
        assert send_email(MAIL, JobContext("job1"))["refused"] == ["b@example.org"]

    @pytest.mark.parametrize("command", ["RCPT", "MAIL", "DATA"])
    def test_a_final_no_is_dead(self, server: MailServer, command: str) -> None:
        server.answers[command] = "550 never"
        with pytest.raises(Dead, match="550 never"):
            send_email(MAIL, JobContext("job1"))

    @pytest.mark.parametrize("command", ["RCPT", "MAIL", "DATA"])
    def test_a_not_now_is_tried_again(self, server: MailServer, command: str) -> None:
        server.answers[command] = "451 later"
        with pytest.raises(Retry, match="451 later") as caught:
            send_email(MAIL, JobContext("job1"))
        assert caught.value.after == 300

    def test_nothing_is_sent_without_the_lock(self, server: MailServer) -> None:
        with pytest.raises(Retry, match="lock was lost"):
            send_email(MAIL, JobContext("job1", renewed=lambda: False))
        assert server.mails == []

    def test_a_server_that_is_away_is_an_error_like_any_other(self, monkeypatch: pytest.MonkeyPatch) -> None:
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
        monkeypatch.setenv("SMTP_URL", f"smtp://127.0.0.1:{port}")
        monkeypatch.setenv("MAIL_FROM", "service@example.com")
        with pytest.raises(ConnectionRefusedError):
            send_email(MAIL, JobContext("job1"))

    def test_without_a_server_it_says_what_is_missing(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delenv("SMTP_URL", raising=False)
        monkeypatch.delenv("MAIL_FROM", raising=False)
        with pytest.raises(Dead, match="MAIL_FROM"):
            send_email(MAIL, JobContext("job1"))
        with pytest.raises(Dead, match="SMTP_URL must name a mail server"):
            send_email({**MAIL, "from": "x@example.com"}, JobContext("job1"))

    @pytest.mark.parametrize(
        ("change", "words"),
        [
            ({"to": None}, "to must be"),
            ({"to": []}, "to must be"),
            ({"to": [1]}, "to must be"),
            ({"subject": 1}, "subject and text"),
            ({"text": None}, "subject and text"),
            ({"subject": "x\nBcc: all@example.org"}, "makes no mail"),
            ({"html": 5}, "makes no mail"),
            ({"bcc": "x"}, "no fields but"),
        ],
    )
    def test_a_payload_that_is_no_mail(self, server: MailServer, change: dict[str, Any], words: str) -> None:
        with pytest.raises(Dead, match=words):
            send_email({**MAIL, **change}, JobContext("job1"))
        assert server.commands == []


class TestWait:
    def test_says_how_long_it_was(self) -> None:
        assert 0.05 <= wait({"seconds": 0.05}, JobContext("job1"))["waited"] < 10

    def test_gives_way(self) -> None:
        with pytest.raises(Retry, match="stopped with"):
            wait({"seconds": 3600}, JobContext("job1", cancelled=lambda: True))

    @pytest.mark.parametrize(
        "payload", [None, {}, {"seconds": "1"}, {"seconds": True}, {"seconds": -1}, {"seconds": 3601}]
    )
    def test_a_payload_that_is_none(self, payload: Any) -> None:
        with pytest.raises(Dead, match="a number from 0 to 3600"):
            wait(payload, JobContext("job1"))
