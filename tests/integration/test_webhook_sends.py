"""What one attempt sends: the request once, again where the endpoint refused to begin with it, on where a task is
redirected to."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from scheduler.channels.webhook.onward import MAX_REFUSALS
from scheduler.message import Claim, Outcome
from tests.support.endpoint import Endpoint
from tests.support.http2 import HTTP_1_1_REQUIRED, REFUSED_STREAM, Http2Endpoint, go_away, hang_up, reset
from tests.support.nginx import nginx
from tests.support.waiting import free_port
from tests.support.webhooks import Channels, Outcomes, claim, deliver, resolves_to


# ------------------------------------------------------------------------------------------- kept connections that die
@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
@pytest.mark.parametrize("path", ["/gone", "/reset"])
def test_a_request_is_sent_once_when_its_kept_connection_dies(
    make: Channels, endpoint: Endpoint, method: str, path: str
) -> None:
    channel = make()
    deliver(channel, claim(endpoint.url(), 1))
    (outcome,) = deliver(channel, claim(endpoint.url(path), 2, method=method))
    assert [request.path for request in endpoint.requests] == ["/", path]
    assert (outcome.kind, outcome.evidence) == ("retry", None)
    assert outcome.error == "the endpoint closed a kept connection before it answered"
    assert deliver(channel, claim(endpoint.url(), 3))[0].kind == "ack", "and the next message is sent"


def test_a_request_whose_connection_died_is_not_sent_on_another_one_that_was_kept(
    make: Channels, endpoint: Endpoint
) -> None:
    channel = make()
    deliver(channel, *(claim(endpoint.url("/slow/50"), number) for number in range(20)))
    (outcome,) = deliver(channel, claim(endpoint.url("/gone"), 100))
    assert outcome.kind == "retry"
    assert [request.path for request in endpoint.requests].count("/gone") == 1


def test_each_request_of_a_burst_on_connections_that_die_is_counted(make: Channels, endpoint: Endpoint) -> None:
    channel = make()
    held = Outcomes()
    channel.deliver([claim(endpoint.url("/hold"), number) for number in range(20)], held)
    endpoint.wait_for(20)
    endpoint.let_go()
    held.wait_for(20)
    assert endpoint.connections == 20
    outcomes = deliver(channel, *(claim(endpoint.url("/gone"), number) for number in range(50)))
    sent = Counter(request.headers["webhook-id"] for request in endpoint.requests if request.path == "/gone")
    assert sent == Counter({f"id{number}": 1 for number in range(50)})
    assert {outcome.kind for outcome in outcomes} == {"retry"}


# ------------------------------------------------------------------------------------------------------------- HTTP/2
@pytest.fixture
def http2(certificate: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch) -> Iterator[Http2Endpoint]:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate[0]))
    with Http2Endpoint(certificate) as server:
        yield server


def to(port: int, number: int = 1) -> Claim:
    return claim(f"https://good.example:{port}/", number)


_HTTP2 = """
server {{
    listen 127.0.0.1:8443 ssl http2;
    ssl_certificate {certificate};
    ssl_certificate_key {key};
    location / {{ return 200 ok; }}
}}
"""


@pytest.mark.parametrize("known", [False, True], ids=["first", "kept"])
@pytest.mark.parametrize("trouble", [reset(REFUSED_STREAM), go_away], ids=["refused", "goaway"])
def test_a_request_that_http2_says_was_not_worked_on_is_sent_again_within_the_attempt(
    make: Channels, http2: Http2Endpoint, known: bool, trouble: Any
) -> None:
    channel = make(lookup=resolves_to("127.0.0.1"))
    if known:
        deliver(channel, to(http2.port))
    http2.trouble = [trouble] * MAX_REFUSALS
    connections = len(http2.opened)
    (outcome,) = deliver(channel, to(http2.port, 2))
    assert (outcome.kind, outcome.claim.attempt) == ("ack", 1)
    assert len(http2.opened) - connections == (MAX_REFUSALS if known else MAX_REFUSALS + 1), "each on a new connection"


def test_an_endpoint_that_only_refuses_is_a_failure_in_the_end(make: Channels, http2: Http2Endpoint) -> None:
    http2.trouble = [reset(REFUSED_STREAM)] * 100
    (outcome,) = deliver(make(lookup=resolves_to("127.0.0.1")), to(http2.port))
    assert outcome.kind == "retry"
    assert "refused" in str(outcome.error)
    assert http2.requests == MAX_REFUSALS + 1


def test_an_http2_connection_that_is_closed_without_a_word_is_a_failure_sent_once(
    make: Channels, http2: Http2Endpoint
) -> None:
    channel = make(lookup=resolves_to("127.0.0.1"))
    deliver(channel, to(http2.port))
    http2.trouble = [hang_up]
    (outcome,) = deliver(channel, to(http2.port, 2))
    assert outcome.kind == "retry"
    assert http2.requests == 2


def test_an_endpoint_that_asks_for_http_1_1_gets_it(make: Channels, http2: Http2Endpoint) -> None:
    http2.trouble = [reset(HTTP_1_1_REQUIRED)]
    (outcome,) = deliver(make(lookup=resolves_to("127.0.0.1")), to(http2.port))
    # This endpoint speaks nothing but HTTP/2, so that the second request ends there.
    assert "refused" not in str(outcome.error)
    assert len(http2.opened) == 2


def test_no_attempt_is_charged_for_what_a_reload_of_nginx_refused(
    make: Channels, certificate: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate[0]))
    port = free_port()
    block = _HTTP2.format(certificate=certificate[0], key=certificate[1])
    with nginx(tmp_path, block, {8443: port}) as running:
        channel = make(lookup=resolves_to("127.0.0.1"))
        outcomes: list[Outcome] = []
        for batch in range(4):
            outcomes += deliver(channel, *(to(port, 60 * batch + number) for number in range(60)))
            running.reload()
    assert Counter(outcome.error for outcome in outcomes) == {None: 240}
