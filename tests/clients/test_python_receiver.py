"""The receiver for users' tests: it records, and it misbehaves as it is told."""

from __future__ import annotations

import ssl
import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from message_scheduler_client.testing import Answer, Receiver

from tests.support.programs import need


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as receiver:
        yield receiver


def test_records_what_comes(receiver: Receiver) -> None:
    answer = httpx.post(receiver.url("/hook?a=1"), json={"order": 4711}, headers={"X-Shop": "berlin"})
    assert (answer.status_code, answer.content) == (200, b"")
    (received,) = receiver.wait_for(1)
    assert (received.method, received.path) == ("POST", "/hook?a=1")
    assert received.headers["x-shop"] == "berlin"
    assert received.json() == {"order": 4711}


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE"])
def test_every_method(receiver: Receiver, method: str) -> None:
    assert httpx.request(method, receiver.url()).status_code == 200
    assert receiver.requests[0].method == method


def test_answers_in_turn_and_then_as_always(receiver: Receiver) -> None:
    receiver.always(204)
    receiver.next(503, Answer(429, {"Retry-After": "7"}, b"later"), 200)
    with httpx.Client() as client:
        answers = [client.post(receiver.url()) for _ in range(5)]
    assert [answer.status_code for answer in answers] == [503, 429, 200, 204, 204]
    assert (answers[1].headers["Retry-After"], answers[1].text) == ("7", "later")


def test_a_late_answer(receiver: Receiver) -> None:
    receiver.next(Answer(delay=30))
    with pytest.raises(httpx.ReadTimeout):
        httpx.post(receiver.url(), timeout=httpx.Timeout(30, read=0.1))


@pytest.mark.parametrize("cut", ["reset", "silent", "within"])
def test_a_broken_connection(receiver: Receiver, cut: str) -> None:
    receiver.next(Answer(body=b"0123456789", cut=cut))  # type: ignore[arg-type]
    with pytest.raises((httpx.ReadError, httpx.RemoteProtocolError)):
        httpx.post(receiver.url())
    assert httpx.post(receiver.url()).status_code == 200


def test_what_does_not_come_is_said(receiver: Receiver) -> None:
    with pytest.raises(AssertionError, match="0 of 1 requests"):
        receiver.wait_for(1, timeout=0.01)


def test_a_closed_one_refuses() -> None:
    with Receiver() as receiver, httpx.Client() as client:
        client.post(receiver.url())
        receiver.close()
        with pytest.raises((httpx.ConnectError, httpx.ReadError, httpx.RemoteProtocolError)):
            client.post(receiver.url())


def test_a_certificate_that_nobody_trusts(tmp_path: Path) -> None:
    files = [str(tmp_path / name) for name in ("cert.pem", "key.pem")]
    command = [need("openssl"), "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=nobody"]
    subprocess.run([*command, "-out", files[0], "-keyout", files[1]], check=True, capture_output=True)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(*files)
    with Receiver(tls) as receiver:
        with pytest.raises(httpx.ConnectError, match="CERTIFICATE_VERIFY_FAILED"):
            httpx.post(receiver.url())
        assert httpx.post(receiver.url(), verify=False).status_code == 200
        assert len(receiver.requests) == 1
