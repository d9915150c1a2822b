"""Where a task of ``/schedule`` is redirected to: 307 and 308 are followed, and nothing else is."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import quote

import pytest

from scheduler.channels.webhook.onward import MAX_REDIRECTS
from tests.support.endpoint import Endpoint
from tests.support.webhooks import Channels, claim, deliver, resolves_to, task


def to(location: str, status: int = 307) -> str:
    return f"/status/{status}?Location={quote(location)}"


@pytest.mark.parametrize("status", [307, 308])
@pytest.mark.parametrize("method", ["POST", "PUT", "GET"])
def test_307_and_308_are_followed_with_method_and_body(
    make: Channels, endpoint: Endpoint, other: Endpoint, status: int, method: str
) -> None:
    made = task(endpoint.url(to(other.url("/new?a=%2F"), status)), method=method, headers={"X-Shop": "berlin"})
    (outcome,) = deliver(make(), made)
    assert (outcome.kind, outcome.evidence) == ("ack", {"status_code": 200, "response": "ok"})
    (first,), (second,) = endpoint.requests, other.requests
    assert (second.method, second.path) == (method, "/new?a=%2F")
    assert second.body == first.body == (b"" if method == "GET" else b'{"a": 1}')
    for name in ("webhook-id", "scheduler-attempt", "x-shop", "user-agent"):
        assert second.headers[name] == first.headers[name]
    assert second.headers["host"] == f"127.0.0.1:{other.port}"


@pytest.mark.parametrize("status", [301, 302, 303])
def test_any_other_redirect_is_a_failure_that_says_so(make: Channels, endpoint: Endpoint, status: int) -> None:
    (outcome,) = deliver(make(), task(endpoint.url(to(endpoint.url("/new?token=geheim"), status))))
    assert outcome.kind == "retry"
    assert outcome.error == (f"HTTP {status}: of redirects only 307 and 308 are followed (to http://127.0.0.1)")
    assert len(endpoint.requests) == 1


def test_a_message_that_is_no_task_is_not_redirected(make: Channels, endpoint: Endpoint) -> None:
    (outcome,) = deliver(make(), claim(endpoint.url(to("/new"))))
    assert (outcome.kind, outcome.error) == ("retry", "HTTP 307: redirects are not followed")
    assert len(endpoint.requests) == 1


@pytest.mark.parametrize(
    "location", ["/new", "../new", "//127.0.0.1:{port}/new", "http://127.1:{port}/new", "/new#part"]
)
def test_within_an_origin_secrets_go_on(make: Channels, endpoint: Endpoint, location: str) -> None:
    location = location.format(port=endpoint.port)
    url = endpoint.url("/status" + to(location).removeprefix("/status")).replace("http://", "http://user:pw@")
    (outcome,) = deliver(make(), task(url, headers={"X-Api-Key": "geheim"}))
    assert outcome.kind == "ack"
    _, second = endpoint.requests
    assert second.path.endswith("/new")
    assert second.headers["authorization"] == "Basic dXNlcjpwdw=="
    assert second.headers["x-api-key"] == "geheim"


def test_to_another_origin_no_secret_goes_on(make: Channels, endpoint: Endpoint, other: Endpoint) -> None:
    headers = {"X-Api-Key": "geheim", "Cookie": "a=b", "Authorization": "Bearer x", "Content-Type": "application/x-a"}
    channel = make(api_token="ours", send_api_token=True)
    for made in (task(endpoint.url(to(other.url("/1"))), headers=headers), task(endpoint.url(to(other.url("/2"))))):
        assert deliver(channel, made)[0].kind == "ack"
    assert [request.headers.get("authorization") for request in endpoint.requests] == ["Bearer x", "ours"]
    with_headers, with_token = other.requests
    for name in ("x-api-key", "cookie", "authorization"):
        assert name not in with_headers.headers
    assert "authorization" not in with_token.headers
    assert with_headers.headers["content-type"] == "application/x-a"


def test_user_and_password_of_the_new_url_are_sent_and_shown_to_nobody(
    make: Channels, endpoint: Endpoint, other: Endpoint
) -> None:
    location = other.url("/text/geheim").replace("http://", "http://user:geheim@")
    (outcome,) = deliver(make(), task(endpoint.url(to(location))))
    assert other.requests[0].headers["authorization"] == "Basic dXNlcjpnZWhlaW0="
    assert outcome.evidence == {"status_code": 200, "response": "***"}


def test_an_endless_redirect_is_a_failure(make: Channels, endpoint: Endpoint) -> None:
    # A relative reference to nothing but a query is the same path again.
    (outcome,) = deliver(make(), task(endpoint.url("/status/308?Location=%3FLocation%3D/status/308")))
    assert outcome.kind == "retry"
    assert len(endpoint.requests) <= MAX_REDIRECTS + 1


def test_so_many_redirects_are_followed_and_one_more_is_a_failure(make: Channels, endpoint: Endpoint) -> None:
    location = "/end"
    for _ in range(MAX_REDIRECTS):
        location = to(location)
    channel = make()
    assert deliver(channel, task(endpoint.url(location)))[0].kind == "ack"
    assert [request.path for request in endpoint.requests][-1] == "/end"
    (outcome,) = deliver(channel, task(endpoint.url(to(location))))
    assert outcome.kind == "retry"
    assert outcome.error == "HTTP 307: the redirect was not followed: more than 3 redirects"
    assert len(endpoint.requests) == 2 * (MAX_REDIRECTS + 1)


@pytest.mark.parametrize(
    ("location", "reason"),
    [
        ("", "it has no Location"),
        ("ftp://example.com/", "Location: must begin with http:// or https://"),
        ("http://[::1/", "Location: Invalid IPv6 URL"),
        ("http://exa mple/", "white space"),
        ("http://localhost/", "localhost is a name for private networks, which is not allowed"),
        ("http://127.0.0.1:1/", "127.0.0.1 is a loopback address, which is not allowed"),
        ("http://169.254.169.254/latest/", "a link-local or metadata address, which is not allowed"),
    ],
)
def test_a_location_that_cannot_be_followed_says_why(
    make: Channels, endpoint: Endpoint, location: str, reason: str
) -> None:
    channel = make(allow_private_networks=False, allowed_networks="hook.example", lookup=resolves_to("127.0.0.1"))
    (outcome,) = deliver(channel, task(f"http://hook.example:{endpoint.port}{to(location)}"))
    assert outcome.kind == "retry"
    assert str(outcome.error).startswith("HTTP 307: the redirect was not followed: ")
    assert reason in str(outcome.error)
    assert outcome.evidence == {"status_code": 307, "response": "ok"}


def test_a_redirect_to_a_name_that_resolves_to_an_inner_address_is_not_connected_to(
    make: Channels, endpoint: Endpoint, other: Endpoint
) -> None:
    channel = make(allow_private_networks=False, allowed_networks="hook.example", lookup=resolves_to("127.0.0.1"))
    location = f"http://rebound.example.com:{other.port}/"
    (outcome,) = deliver(channel, task(f"http://hook.example:{endpoint.port}{to(location)}"))
    assert outcome.kind == "retry"
    assert "a loopback address, which is not allowed" in str(outcome.error)
    assert other.connections == 0


def test_from_https_to_http_is_not_followed(
    make: Channels, endpoint: Endpoint, certificate: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate[0]))
    with Endpoint(certificate) as secure:
        channel = make(lookup=resolves_to("127.0.0.1"))
        (outcome,) = deliver(channel, task(f"https://good.example:{secure.port}{to(endpoint.url())}"))
    assert "leads from https to http" in str(outcome.error)
    assert endpoint.requests == []


def test_the_attempt_s_time_is_for_all_of_its_redirects(make: Channels, endpoint: Endpoint) -> None:
    (outcome,) = deliver(make(), task(endpoint.url(to(to(to("/hang")))), timeout=0.5))
    assert "timed out" in str(outcome.error)
    assert 450 <= outcome.duration_ms < 1000
