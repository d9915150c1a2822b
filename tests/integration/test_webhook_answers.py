"""Answers as odd as endpoints, proxies and attackers give them: each ends its attempt, and says why it failed."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.endpoint import Endpoint
from tests.support.http2 import Http2Endpoint, hang_up
from tests.support.webhooks import Channels, claim, deliver, resolves_to

EMPTY = b"Content-Length: 0\r\n\r\n"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
CHUNKED = b"Transfer-Encoding: chunked\r\n\r\n"
EARLY = b"HTTP/1.1 103 Early Hints\r\nRetry-After: 9\r\nScheduler-No-Retry: true\r\nLocation: /x\r\n\r\n"

ODD: dict[str, tuple[bytes, str, str | None]] = {
    # Interim answers are no answers.
    "three 102": (b"HTTP/1.1 102 Processing\r\n\r\n" * 3 + OK, "ack", None),
    "103, then 200": (EARLY + OK, "ack", None),
    "103, then 500": (EARLY + b"HTTP/1.1 500 X\r\n" + EMPTY, "retry", "HTTP 500"),
    "endless 100": (b"HTTP/1.1 100 Continue\r\n\r\n" * 100_000, "retry", "Too large response headers"),
    # Bodies where there is none, or with two lengths.
    "204 with a body": (b"HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\nhello", "ack", None),
    "204 with chunks": (b"HTTP/1.1 204 No Content\r\n" + CHUNKED + b"5\r\nhello\r\n0\r\n\r\n", "ack", None),
    "304 with a length": (b"HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n", "retry", "HTTP 304"),
    "chunks and a length": (
        b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n" + CHUNKED + b"2\r\nok\r\n0\r\n\r\n",
        "ack",
        None,
    ),
    "two lengths": (
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nok",
        "retry",
        "Invalid Content-Length",
    ),
    "a negative length": (b"HTTP/1.1 200 OK\r\nContent-Length: -2\r\n\r\nok", "retry", "Invalid Content-Length"),
    "a chunk without size": (b"HTTP/1.1 200 OK\r\n" + CHUNKED + b"ZZ\r\nok\r\n0\r\n\r\n", "retry", "not a hex digit"),
    "a chunk too large": (b"HTTP/1.1 200 OK\r\n" + CHUNKED + b"fffffffffffffffff\r\nok\r\n0\r\n\r\n", "retry", "chunk"),
    # A trailer says nothing about the answer.
    "trailers": (
        b"HTTP/1.1 503 X\r\n" + CHUNKED + b"2\r\nok\r\n0\r\nScheduler-No-Retry: true\r\nRetry-After: 9\r\n\r\n",
        "retry",
        "HTTP 503",
    ),
    # Bombs.
    "a header bomb": (
        b"HTTP/1.1 200 OK\r\nX: " + b"a" * 2_000_000 + b"\r\n" + EMPTY,
        "retry",
        "headers of the answer are too long",
    ),
    "many headers": (b"HTTP/1.1 200 OK\r\n" + b"X: a\r\n" * 100_000 + EMPTY, "retry", "Too many response headers"),
    "gzip": (b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\n\x1f\x8b\x08\x00", "ack", None),
    "a long body": (
        b"HTTP/1.1 200 OK\r\n" + CHUNKED + b"10000\r\n" + b"x" * 65_536 + b"\r\n" + b"1\r\nx\r\n" * 100,
        "ack",
        None,
    ),
    # Other protocols, or none.
    "HTTP/2 in clear": (b"HTTP/2 200 OK\r\n" + EMPTY, "retry", "Version mismatch"),
    "ICY": (b"ICY 200 OK\r\n" + EMPTY, "retry", "HTTP/0.9"),
    "SSH": (b"SSH-2.0-OpenSSH_9.2\r\n" * 10, "retry", "HTTP/0.9"),
    "status 000": (b"HTTP/1.1 000 X\r\n" + EMPTY, "retry", "response code"),
    "status 999": (b"HTTP/1.1 999 X\r\n" + EMPTY, "retry", "HTTP 999"),
    "a header without colon": (b"HTTP/1.1 200 OK\r\nno colon\r\n" + EMPTY, "retry", "Header without colon"),
}


@pytest.mark.parametrize("name", ODD)
def test_an_odd_answer_ends_the_attempt_and_the_next_message_is_not_touched_by_it(
    make: Channels, endpoint: Endpoint, name: str
) -> None:
    endpoint.canned["odd"], kind, error = ODD[name]
    channel = make()
    (outcome,) = deliver(channel, claim(endpoint.url("/canned/odd")))
    assert (outcome.kind, outcome.delay_ms) == (kind, None)
    assert outcome.error is None if error is None else error in str(outcome.error)
    (after,) = deliver(channel, claim(endpoint.url("/text/after"), 2))
    assert (after.kind, after.evidence) == ("ack", {"status_code": 200, "response": "after"})
    assert [request.headers["webhook-id"] for request in endpoint.requests] == ["id1", "id2"]


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\n" + CHUNKED + b"1\r\nx\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nx",
        b"HTTP/1.1 200 OK\r\nX: a\r\n",
        b"HTTP/1.1 200 OK\r\n\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
        b"HTTP/1.1 100 Continue\r\n\r\n",
    ],
)
def test_an_answer_that_never_ends_is_a_failure_when_its_time_is_over(
    make: Channels, endpoint: Endpoint, answer: bytes
) -> None:
    endpoint.canned["endless"] = answer
    (outcome,) = deliver(make(), claim(endpoint.url("/canned/endless"), timeout=0.2))
    assert outcome.kind == "retry"
    assert "timed out" in str(outcome.error)


def test_what_comes_after_an_answer_is_not_taken_for_the_next_one(make: Channels, endpoint: Endpoint) -> None:
    endpoint.canned["two"] = b"HTTP/1.1 500 X\r\n" + EMPTY + OK
    channel = make()
    deliver(channel, claim(endpoint.url("/canned/two"), 1))
    (outcome,) = deliver(channel, claim(endpoint.url("/status/503"), 2))
    assert outcome.error == "HTTP 503"
    assert len(endpoint.requests) == 2


def test_a_large_message_that_is_refused_before_it_was_read_says_with_what(make: Channels, endpoint: Endpoint) -> None:
    endpoint.canned["early"] = b"HTTP/1.1 413 Content Too Large\r\nConnection: close\r\n" + EMPTY
    (outcome,) = deliver(make(), claim(endpoint.url("/canned/early"), payload='"' + "x" * 900_000 + '"'))
    assert outcome.error == "HTTP 413"


def test_an_http2_connection_that_is_lost_says_so(
    make: Channels, certificate: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate[0]))
    with Http2Endpoint(certificate) as http2:
        http2.trouble = [hang_up]
        (outcome,) = deliver(make(lookup=resolves_to("127.0.0.1")), claim(f"https://good.example:{http2.port}/"))
    assert outcome.error == "the HTTP/2 connection was lost before the answer was complete"


# ---------------------------------------------------------------------------------------------------- the environment
def test_passwords_of_netrc_are_not_for_webhooks(
    make: Channels, endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login somebody password secret\n")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("NETRC", str(tmp_path / ".netrc"))
    assert deliver(make(), claim(endpoint.url()))[0].kind == "ack"
    assert "authorization" not in endpoint.requests[0].headers


def test_a_kept_connection_carries_nobody_else_s_credentials(make: Channels, endpoint: Endpoint) -> None:
    channel = make()
    for user in ("a:1", "b:2", ""):
        deliver(channel, claim(endpoint.url().replace("http://", f"http://{user}@" if user else "http://")))
    sent = [request.headers.get("authorization") for request in endpoint.requests]
    assert sent == ["Basic YTox", "Basic Yjoy", None]
    assert endpoint.connections == 1


def test_cookies_are_not_kept(make: Channels, endpoint: Endpoint) -> None:
    channel = make()
    deliver(channel, claim(endpoint.url("/status/200?Set-Cookie=a%3Db"), 1))
    deliver(channel, claim(endpoint.url(), 2))
    assert "cookie" not in endpoint.requests[1].headers


@pytest.mark.parametrize("addresses", [("127.0.0.9", "127.0.0.1"), ("::1", "127.0.0.1")])
def test_a_name_with_an_address_where_nobody_is_is_reached_at_its_other_one(
    make: Channels, endpoint: Endpoint, addresses: tuple[str, ...]
) -> None:
    (outcome,) = deliver(make(lookup=resolves_to(*addresses)), claim(f"http://two.example:{endpoint.port}/"))
    assert outcome.kind == "ack"


def test_an_ipv6_address_is_reached_and_named_in_brackets(make: Channels) -> None:
    with Endpoint(host="::1") as endpoint:
        assert deliver(make(), claim(endpoint.url()))[0].kind == "ack"
        assert endpoint.requests[0].headers["host"] == f"[::1]:{endpoint.port}"
