"""The webhook channel against a real endpoint, over real sockets."""

from __future__ import annotations

import time
from collections.abc import Iterator
from email.utils import formatdate
from pathlib import Path
from urllib.parse import quote

import pytest
from standardwebhooks.webhooks import Webhook

from scheduler.channels.webhook import resolver
from scheduler.errors import ConfigError
from tests.support.endpoint import BlackHole, Endpoint
from tests.support.http2 import Http2Endpoint
from tests.support.waiting import free_port
from tests.support.webhooks import CLOCK, Channels, Outcomes, claim, deliver, resolves_to

OLD = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
NEW = "whsec_bmV3IHNlY3JldCBvZiB0aGlydHktdHdvIGJ5dGVzIQ=="


# ---------------------------------------------------------------------------------------------------- what is received
@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE"])
def test_every_method_arrives_with_its_body_or_without(make: Channels, endpoint: Endpoint, method: str) -> None:
    (outcome,) = deliver(make(), claim(endpoint.url("/x?y=%20z"), method=method, headers={"X-Own": "1", "X-Empty": ""}))
    assert outcome.kind == "ack"
    (request,) = endpoint.requests
    assert (request.method, request.path) == (method, "/x?y=%20z")
    assert request.headers["x-own"] == "1"
    assert request.headers["x-empty"] == ""
    if method in ("GET", "DELETE"):
        assert request.body == b""
        assert "content-type" not in request.headers
        assert request.headers.get("content-length", "0") == "0"
    else:
        assert request.body == b'{"a": 1}'
        assert request.headers["content-type"] == "application/json"


def test_every_outcome_names_its_destination(make: Channels, endpoint: Endpoint) -> None:
    gone = f"http://127.0.0.1:{free_port()}/"
    urls = [endpoint.url("/hello"), endpoint.url("/status/500"), gone, "http://10.0.0.1:81/"]
    outcomes = deliver(make(), *[claim(url, number) for number, url in enumerate(urls)])
    assert [outcome.destination for outcome in outcomes] == [url.split("/")[2] for url in urls]


def test_a_handle_that_is_used_again_carries_nothing_over(make: Channels, endpoint: Endpoint) -> None:
    channel = make()
    deliver(channel, claim(endpoint.url("/1"), 1, method="PUT", headers={"X-Own": "1"}, payload='"secret"'))
    deliver(channel, claim(endpoint.url("/2"), 2, method="GET"))
    deliver(channel, claim(endpoint.url("/status/500"), 3))
    (outcome,) = deliver(channel, claim(endpoint.url("/hello"), 4))
    _, second, _, fourth = endpoint.requests
    assert (second.method, second.body, second.headers.get("x-own")) == ("GET", b"", None)
    assert (fourth.method, fourth.body) == ("POST", b'{"a": 1}')
    assert outcome.evidence == {"status_code": 200, "response": "ok"}


def test_the_official_library_verifies_what_arrives_with_either_secret(make: Channels, endpoint: Endpoint) -> None:
    deliver(make(secrets=[NEW, OLD]), claim(endpoint.url(), payload='{"text": "h\u00e9llo"}'))
    (request,) = endpoint.requests
    for secret in (OLD, NEW):
        assert Webhook(secret).verify(request.body, request.headers) == {"text": "h\u00e9llo"}
    assert request.headers["webhook-id"] == "id1"
    assert request.headers["user-agent"].startswith("Message-Scheduling-Service/")


def test_the_id_stays_and_the_attempt_grows(make: Channels, endpoint: Endpoint) -> None:
    channel = make()
    first = deliver(channel, claim(endpoint.url("/flaky/1"), attempt=1))
    second = deliver(channel, claim(endpoint.url("/flaky/1"), attempt=2))
    assert [first[0].kind, second[0].kind] == ["retry", "ack"]
    assert [(r.headers["webhook-id"], r.headers["scheduler-attempt"]) for r in endpoint.requests] == [
        ("id1", "1"),
        ("id1", "2"),
    ]


def test_our_token_goes_out_only_when_the_setting_says_so(make: Channels, endpoint: Endpoint) -> None:
    deliver(make(api_token="ours"), claim(endpoint.url(), 1))
    deliver(make(api_token="ours", send_api_token=True), claim(endpoint.url(), 2))
    assert [request.headers.get("authorization") for request in endpoint.requests] == [None, "ours"]


def test_a_large_body_is_sent_without_asking_for_leave(make: Channels, endpoint: Endpoint) -> None:
    payload = '"' + "x" * 1_100_000 + '"'
    (outcome,) = deliver(make(), claim(endpoint.url(), payload=payload))
    assert outcome.kind == "ack"
    assert endpoint.requests[0].body == payload.encode()
    assert "expect" not in endpoint.requests[0].headers


def test_connections_are_kept(make: Channels, endpoint: Endpoint) -> None:
    channel = make()
    for number in range(20):
        deliver(channel, claim(endpoint.url(), number))
    assert endpoint.connections == 1


# --------------------------------------------------------------------------------------------------- what it leads to
@pytest.mark.parametrize(
    ("path", "kind", "delay_ms", "error"),
    [
        ("/status/200", "ack", None, None),
        ("/status/204", "ack", None, None),
        ("/status/200?Scheduler-No-Retry=true", "ack", None, None),
        ("/status/301?Location=https://u:p@other.example/secret", "retry", None, "redirects are not followed"),
        ("/status/400", "retry", None, "HTTP 400"),
        ("/status/404?Retry-After=5", "retry", 5000, "HTTP 404"),
        ("/status/410", "dead", None, "gone"),
        ("/status/410?Retry-After=5", "dead", None, "gone"),
        ("/status/429", "retry", None, "HTTP 429"),
        ("/status/429?Retry-After=7", "retry", 7000, "HTTP 429"),
        ("/status/503?retry-after=%20120%20", "retry", 120_000, "HTTP 503"),
        ("/status/503?Retry-After=999999", "retry", 3_600_000, "HTTP 503"),
        ("/status/503?Retry-After=" + "9" * 1500, "retry", 3_600_000, "HTTP 503"),
        ("/status/429?Retry-After=0.65", "retry", 650, "HTTP 429"),
        ("/status/304", "retry", None, "HTTP 304"),
        ("/status/503?Retry-After=-5", "retry", None, "HTTP 503"),
        ("/status/503?Retry-After=0", "retry", None, "HTTP 503"),
        ("/status/503?Retry-After=soon", "retry", None, "HTTP 503"),
        ("/status/503?Retry-After=Wed,%2021%20Oct%202015%2007:28:00%20GMT", "retry", None, "HTTP 503"),
        ("/status/503?Retry-After=Fri,%2031%20Dec%209999%2023:59:59%20GMT", "retry", 3_600_000, "HTTP 503"),
        ("/status/500?Scheduler-No-Retry=true", "dead", None, "Scheduler-No-Retry"),
        ("/status/429?scheduler-no-retry=TRUE&Retry-After=5", "dead", None, "Scheduler-No-Retry"),
        ("/status/500?Scheduler-No-Retry=false", "retry", None, "HTTP 500"),
        ("/reset", "retry", None, ""),
        ("/garbage", "retry", None, ""),
        ("/cut", "retry", None, ""),
        ("/gone", "retry", None, ""),
        ("/raw/HTTP/1.1%20200%20OK%0D%0AContent-Le", "retry", None, "broke off in its headers"),
        ("/raw/HTTP/1.1%20200%20OK%0D%0AServer:%20x%0D%0A", "retry", None, "broke off in its headers"),
        ("/raw/HTTP/1.1%20200%20OK%0D%0A", "retry", None, "broke off in its headers"),
        ("/raw/HTTP/1.1%20200", "retry", None, ""),
        ("/raw/HTTP/1.1%20100%20Continue%0D%0A%0D%0AHTTP/1.1%20200%20OK%0D%0AX", "retry", None, "broke off"),
        ("/raw/HTTP/1.1%20100%20Continue%0D%0A%0D%0A", "retry", None, ""),
        ("/raw/HTTP/1.1%20200%20OK%0A%0Aok", "ack", None, None),
    ],
)
def test_what_an_answer_means(
    make: Channels, endpoint: Endpoint, path: str, kind: str, delay_ms: int | None, error: str | None
) -> None:
    (outcome,) = deliver(make(), claim(endpoint.url(path)))
    assert (outcome.kind, outcome.delay_ms) == (kind, delay_ms)
    assert outcome.error is None if error is None else error in str(outcome.error)
    assert "secret" not in f"{outcome.error} {outcome.evidence}"
    assert outcome.duration_ms > 0


def test_retry_after_as_a_date_counts_from_now(make: Channels, endpoint: Endpoint) -> None:
    moment = CLOCK.now_ms() // 1000 + 60
    (outcome,) = deliver(
        make(), claim(endpoint.url(f"/status/503?Retry-After={quote(formatdate(moment, usegmt=True))}"))
    )
    assert outcome.delay_ms is not None
    assert 50_000 < outcome.delay_ms <= 60_000


@pytest.fixture
def new_york(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """This machine's own zone, hours away from UTC."""
    monkeypatch.setenv("TZ", "America/New_York")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.usefixtures("new_york")
@pytest.mark.parametrize("form", ["%a, %d %b %Y %H:%M:%S GMT", "%a %b %e %H:%M:%S %Y", "%A, %d-%b-%y %H:%M:%S GMT"])
def test_a_date_in_retry_after_is_utc_in_each_of_http_s_three_forms_and_counts_from_redis_time(
    make: Channels, endpoint: Endpoint, form: str
) -> None:
    redis_ms = CLOCK.now_ms() + 10 * 60_000.5
    channel = make(now_ms=lambda: redis_ms)
    date = time.strftime(form, time.gmtime(redis_ms // 1000 + 60))
    (outcome,) = deliver(channel, claim(endpoint.url(f"/status/503?Retry-After={quote(date)}")))
    assert outcome.delay_ms is not None
    assert 59_000 <= outcome.delay_ms <= 60_000


def test_the_signed_timestamp_is_redis_s_time_whatever_this_server_s_clock_says(
    make: Channels, endpoint: Endpoint
) -> None:
    redis_ms = CLOCK.now_ms() - 3_600_000.5
    deliver(make(now_ms=lambda: redis_ms), claim(endpoint.url()))
    assert endpoint.requests[0].headers["webhook-timestamp"] == str(int(redis_ms // 1000))


@pytest.mark.parametrize(
    ("status", "kind"),
    [*((code, "dead") for code in (400, 404, 499)), *((code, "retry") for code in (408, 425, 429, 500))],
)
def test_client_errors_can_be_final(make: Channels, endpoint: Endpoint, status: int, kind: str) -> None:
    (outcome,) = deliver(make(client_errors_final=True), claim(endpoint.url(f"/status/{status}")))
    assert outcome.kind == kind


def test_redirects_are_not_followed(make: Channels, endpoint: Endpoint) -> None:
    (outcome,) = deliver(make(), claim(endpoint.url(f"/status/302?Location={endpoint.url('/inside')}")))
    assert (outcome.kind, outcome.error) == ("retry", "HTTP 302: redirects are not followed (to http://127.0.0.1)")
    assert [request.path.partition("?")[0] for request in endpoint.requests] == ["/status/302"]


def test_nobody_listening_is_a_failure_to_try_again(make: Channels) -> None:
    (outcome,) = deliver(make(), claim(f"http://127.0.0.1:{free_port()}/"))
    assert outcome.kind == "retry"
    assert "connect" in str(outcome.error)
    assert outcome.evidence is None


def test_the_attempt_after_one_that_reached_nobody_goes_where_the_name_has_moved_to(
    make: Channels, endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(resolver, "FAILED_SECONDS", 0.0)
    addresses = ["127.0.0.9"]
    channel = make(lookup=lambda *_args, **_options: resolves_to(*addresses)())
    url = f"http://moved.example:{endpoint.port}/"
    assert deliver(channel, claim(url))[0].kind == "retry"
    addresses[:] = ["127.0.0.1"]
    # Not always the very next one: the look-up may still be under way.
    assert "ack" in (deliver(channel, claim(url, number))[0].kind for number in range(100))


def test_an_answer_that_takes_too_long_is_a_failure_by_the_messages_own_timeout(
    make: Channels, endpoint: Endpoint
) -> None:
    (outcome,) = deliver(make(), claim(endpoint.url("/hang"), timeout=0.2))
    assert outcome.kind == "retry"
    assert "timed out" in str(outcome.error)
    assert 150 <= outcome.duration_ms < 5_000


def test_a_connection_that_takes_too_long_is_a_failure(make: Channels) -> None:
    with BlackHole() as hole:
        (outcome,) = deliver(make(connect_timeout_seconds=0.2), claim(hole.url()))
    assert outcome.kind == "retry"
    assert "timed out" in str(outcome.error).lower() or "Timeout" in str(outcome.error)


def test_evidence_is_the_first_kib_and_safe_to_show(make: Channels, endpoint: Endpoint) -> None:
    channel = make()
    (long,) = deliver(channel, claim(endpoint.url("/body/5000")))
    assert long.evidence == {"status_code": 200, "response": "x" * 1024}
    (odd,) = deliver(channel, claim(endpoint.url("/text/a%1b[31m%0Ab%00%ff%e2%80%ae"), 2))
    assert odd.evidence is not None
    assert odd.evidence["response"] == "a\\x1b[31m\nb\\x00\ufffd\\u202e"


def test_an_endless_body_is_cut_and_counts_by_its_status(make: Channels, endpoint: Endpoint) -> None:
    (outcome,) = deliver(make(), claim(endpoint.url("/stream/100000000")))
    assert outcome.kind == "ack"
    assert outcome.evidence is not None
    assert len(outcome.evidence["response"]) == 1024


def test_a_target_that_cannot_be_read_is_a_dead_letter(make: Channels) -> None:
    broken = claim("http://127.0.0.1/")._replace(target='{"url": 5}')
    (outcome,) = deliver(make(), broken)
    assert outcome.kind == "dead"
    assert "cannot be read" in str(outcome.error)


# ---------------------------------------------------------------------------------------------------------- addresses
@pytest.mark.parametrize("host", ["127.0.0.1", "2130706433", "0x7f.1", "[::1]", "[::ffff:127.0.0.1]", "localhost"])
def test_a_private_address_is_not_even_connected_to(make: Channels, endpoint: Endpoint, host: str) -> None:
    (outcome,) = deliver(make(allow_private_networks=False), claim(f"http://{host}:{endpoint.port}/"))
    assert outcome.kind == "retry"
    assert "not allowed (see Webhook.AllowPrivateNetworks" in str(outcome.error)
    assert endpoint.connections == 0


@pytest.mark.parametrize("address", ["127.0.0.1", "::1", "::ffff:127.0.0.1"])
def test_a_public_name_that_resolves_to_a_private_address_is_refused_when_it_is_connected_to(
    make: Channels, endpoint: Endpoint, address: str
) -> None:
    channel = make(allow_private_networks=False, lookup=resolves_to(address))
    (outcome,) = deliver(channel, claim(f"http://rebound.example.com:{endpoint.port}/"))
    assert outcome.kind == "retry"
    assert "a loopback address, which is not allowed" in str(outcome.error)
    assert endpoint.connections == 0


def test_an_allowed_name_is_reached_wherever_it_is(make: Channels, endpoint: Endpoint) -> None:
    channel = make(allow_private_networks=False, allowed_networks="hook.internal", lookup=resolves_to("127.0.0.1"))
    good, bad = deliver(
        channel,
        claim(f"http://hook.internal:{endpoint.port}/", 1),
        claim(f"http://other.internal:{endpoint.port}/", 2),
    )
    assert (good.kind, bad.kind) == ("ack", "retry")
    assert endpoint.requests[0].headers["host"] == f"hook.internal:{endpoint.port}"


def test_a_listed_address_is_reached(make: Channels, endpoint: Endpoint) -> None:
    (outcome,) = deliver(make(allow_private_networks=False, allowed_networks=["127.0.0.0/8"]), claim(endpoint.url()))
    assert outcome.kind == "ack"


def test_proxies_of_the_environment_are_not_for_webhooks(
    make: Channels, endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{free_port()}")
    assert deliver(make(), claim(endpoint.url()))[0].kind == "ack"


def test_settings_that_mean_nothing_stop_the_start(make: Channels) -> None:
    with pytest.raises(ConfigError, match=r"Webhook\.AllowedNetworks: '10\.0\.0\.0/33' is not"):
        make(allowed_networks="10.0.0.0/33")


# ---------------------------------------------------------------------------------------------------------------- TLS
def test_a_certificate_nobody_vouches_for_is_a_failure(make: Channels, certificate: tuple[Path, Path]) -> None:
    with Endpoint(certificate) as endpoint:
        (outcome,) = deliver(make(lookup=resolves_to("127.0.0.1")), claim(f"https://good.example:{endpoint.port}/"))
        assert endpoint.requests == []
    assert outcome.kind == "retry"
    assert "certificate" in str(outcome.error).lower()


def test_a_certificate_of_somebody_else_is_a_failure_and_the_right_one_is_not(
    make: Channels, certificate: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate[0]))
    with Endpoint(certificate) as endpoint:
        wrong, right = deliver(
            make(lookup=resolves_to("127.0.0.1")),
            claim(f"https://bad.example:{endpoint.port}/", 1),
            claim(f"https://good.example:{endpoint.port}/", 2),
        )
        assert [request.headers["webhook-id"] for request in endpoint.requests] == ["id2"]
    assert (wrong.kind, right.kind) == ("retry", "ack")
    assert "bad.example" in str(wrong.error)


def test_http2_where_it_is_offered_takes_one_connection(
    make: Channels, certificate: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate[0]))
    with Http2Endpoint(certificate) as endpoint:
        channel = make(lookup=resolves_to("127.0.0.1"))
        url = f"https://good.example:{endpoint.port}/"
        deliver(channel, claim(url, 100))
        endpoint.together = 20
        outcomes = deliver(channel, *(claim(url, number) for number in range(20)))
        assert {outcome.kind for outcome in outcomes} == {"ack"}
        assert len(endpoint.opened) == 1


def test_without_http2_messages_do_not_wait_for_each_other(
    make: Channels, certificate: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate[0]))
    with Endpoint(certificate) as endpoint:
        url = f"https://good.example:{endpoint.port}/hold"
        make(lookup=resolves_to("127.0.0.1")).deliver([claim(url, number) for number in range(20)], Outcomes())
        endpoint.wait_for(20)
        assert endpoint.connections == 20
