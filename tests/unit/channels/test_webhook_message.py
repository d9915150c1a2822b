"""What a webhook may say, and the request that is made of it."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from standardwebhooks.webhooks import Webhook

from scheduler.channels.webhook import AddressPolicy, WebhookTarget
from scheduler.channels.webhook.request import RequestBuilder, WebhookRequest
from scheduler.channels.webhook.signing import Signer
from scheduler.config.sections.webhook import WebhookSettings
from scheduler.errors import ConfigError
from scheduler.message import Claim, Priority
from tests.support.clock import START_MS, FakeClock

OLD = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
NEW = "whsec_bmV3IHNlY3JldCBvZiB0aGlydHktdHdvIGJ5dGVzIQ=="


def request_for(
    webhook: dict[str, object],
    payload: str = '{"a": 1}',
    secrets: tuple[str, ...] = (),
    token: str = "",
    message_id: str = "id1",
    run: str | None = None,
    trace: str | None = None,
) -> tuple[dict[str, str], bytes | None]:
    """The request's headers (names in lower case) and body."""
    builder = RequestBuilder(
        signer=Signer(secrets), policy=AddressPolicy(), user_agent="UA/1", api_token=token, now_ms=FakeClock().now_ms
    )
    target = WebhookTarget.model_validate({"url": "https://example.com/", **webhook}).encode()
    claim = Claim(
        message_id,
        "t",
        3,
        START_MS + 7,
        "webhook",
        payload,
        target,
        None,
        None,
        Priority.NORMAL,
        0,
        0,
        run=run,
        trace=trace,
    )
    request: WebhookRequest = builder.build(claim, builder.prepare(target))
    pairs = [line.partition(":") for line in request.headers]
    return {name.lower(): value.strip() for name, _, value in pairs}, request.body


@pytest.mark.parametrize(
    ("webhook", "where"),
    [
        ({}, "url"),
        ({"url": "nonsense"}, "url"),
        ({"url": 5}, "url"),
        ({"method": "HEAD"}, "method"),
        ({"method": "post"}, "method"),
        ({"timeout": 0}, "timeout"),
        ({"timeout": 3601}, "timeout"),
        ({"timeout": float("nan")}, "timeout"),
        ({"timeout": "5"}, "timeout"),
        ({"proxy": "http://x"}, "proxy"),
        ({"headers": {"A": 1}}, "headers"),
        ({"headers": {"": "x"}}, "headers"),
        ({"headers": {"A b": "x"}}, "headers"),
        ({"headers": {"A:": "x"}}, "headers"),
        ({"headers": {"A\r\nB": "x"}}, "headers"),
        ({"headers": {"A": "x\r\nB: y"}}, "headers"),
        ({"headers": {"A": "x\ny"}}, "headers"),
        ({"headers": {"A": "x\x00"}}, "headers"),
        ({"headers": {"A": " x"}}, "headers"),
        ({"headers": {"A": "ü"}}, "headers"),
        ({"headers": {"A": "1", "a": "2"}}, "headers"),
        ({"headers": {"Host": "internal"}}, "headers"),
        ({"headers": {"content-length": "0"}}, "headers"),
        ({"headers": {"Transfer-Encoding": "chunked"}}, "headers"),
        ({"headers": {"Connection": "close"}}, "headers"),
        ({"headers": {"Proxy-Authorization": "x"}}, "headers"),
        ({"headers": {"User-Agent": "x"}}, "headers"),
        ({"headers": {"Webhook-Signature": "v1,x"}}, "headers"),
        ({"headers": {"webhook-id": "x"}}, "headers"),
        ({"headers": {"Scheduler-Attempt": "9"}}, "headers"),
        ({"headers": {f"H{n}": "x" for n in range(51)}}, "headers"),
        ({"headers": {"A": "x" * 8193}}, "headers"),
    ],
)
def test_a_webhook_that_cannot_be_sent_is_refused_and_the_field_named(webhook: dict[str, object], where: str) -> None:
    base = {} if not webhook else {"url": "https://example.com/"}
    with pytest.raises(ValidationError) as caught:
        WebhookTarget.model_validate({**base, **webhook})
    assert [str(error["loc"][0]) for error in caught.value.errors()] == [where]


def test_a_target_is_stored_without_defaults_and_read_again() -> None:
    target = WebhookTarget(url="https://example.com/", headers={"A": "b"}, timeout=5)
    assert json.loads(target.encode()) == {"url": "https://example.com/", "headers": {"A": "b"}, "timeout": 5.0}
    assert WebhookTarget.decode(target.encode()) == target


def test_secrets_do_not_come_back_in_an_answer() -> None:
    shown = WebhookTarget(
        url="https://u:pw@example.com/", headers={"Authorization": "s1", "X-Api-Key": "s2", "X-Plain": "seen"}
    ).masked()
    assert shown["url"] == "https://***@example.com/"
    assert shown["headers"] == {"Authorization": "***", "X-Api-Key": "***", "X-Plain": "seen"}


def test_the_body_is_the_message_as_json() -> None:
    headers, body = request_for({}, payload='{"a":  1}')
    assert body == b'{"a":  1}'
    assert headers["content-type"] == "application/json"


def test_a_string_is_json_unless_the_target_names_a_content_type() -> None:
    assert request_for({}, payload='"h\\u00e9"')[1] == b'"h\\u00e9"'
    headers, body = request_for({"headers": {"content-type": "text/plain"}}, payload='"h\\u00e9"')
    assert body == "hé".encode()
    assert headers["content-type"] == "text/plain"


def test_a_message_that_is_no_string_stays_json_under_any_content_type() -> None:
    headers, body = request_for({"headers": {"Content-Type": "application/cloudevents+json"}}, payload="[1]")
    assert body == b"[1]"
    assert headers["content-type"] == "application/cloudevents+json"


@pytest.mark.parametrize("method", ["GET", "DELETE"])
def test_get_and_delete_carry_no_body(method: str) -> None:
    headers, body = request_for({"method": method}, secrets=(OLD,))
    assert body is None
    assert "content-type" not in headers
    assert headers["webhook-signature"] == Webhook(OLD).sign("id1", _moment(), "")


def test_the_identity_of_a_request() -> None:
    headers, _ = request_for({})
    assert headers["webhook-id"] == "id1"
    assert headers["webhook-timestamp"] == str(START_MS // 1000)
    assert headers["scheduler-attempt"] == "3"
    assert headers["scheduler-due-at"] == "2027-01-15T08:00:00.007Z"
    assert headers["user-agent"] == "UA/1"
    assert "webhook-signature" not in headers


@pytest.mark.parametrize(
    ("message_id", "run", "moment"),
    [
        (f"nightly:{START_MS}.3", "17", "2027-01-15T08:00:00.000Z"),
        (f"nightly:{START_MS}", "17 catch_up", "2027-01-15T08:00:00.000Z"),
        ("nightly:L1vGcVbIzkYkUBWp.2", "17 run", "2027-01-15T08:00:00.007Z"),
    ],
    ids=["plan", "catch_up", "run"],
)
def test_a_schedules_message_says_which_and_for_when(message_id: str, run: str, moment: str) -> None:
    headers, _ = request_for({}, message_id=message_id, run=run)
    assert headers["scheduler-schedule-id"] == "nightly"
    assert headers["scheduler-scheduled-for"] == moment
    assert "scheduler-schedule-id" not in request_for({})[0]


def test_the_trace_of_the_sender_goes_on_unless_the_webhook_names_one() -> None:
    assert request_for({}, trace="00-a-b-01")[0]["traceparent"] == "00-a-b-01"
    assert "traceparent" not in request_for({})[0]
    own: dict[str, object] = {"headers": {"Traceparent": "00-c-d-01"}}
    assert request_for(own, trace="00-a-b-01")[0]["traceparent"] == "00-c-d-01"


def test_an_id_cannot_break_out_of_its_header() -> None:
    headers, _ = request_for({}, message_id="a\r\nX: ü")
    assert headers["webhook-id"] == "a%0D%0AX%3A%20%C3%BC"


def test_credentials_in_the_url_are_sent_as_basic_authorization() -> None:
    headers, _ = request_for({"url": "https://us%40er:p%3Aw@example.com/"}, token="ours")
    assert headers["authorization"] == "Basic dXNAZXI6cDp3"


def test_our_token_is_sent_only_when_it_is_given_and_never_over_the_targets_own() -> None:
    assert "authorization" not in request_for({})[0]
    assert request_for({}, token="ours")[0]["authorization"] == "ours"
    assert request_for({"headers": {"authorization": "theirs"}}, token="ours")[0]["authorization"] == "theirs"


@given(st.text(max_size=200), st.text(max_size=500))
def test_the_official_library_signs_the_same(message_id: str, body: str) -> None:
    signature = Signer([OLD]).sign(message_id, START_MS // 1000, body.encode())
    assert signature == Webhook(OLD).sign(message_id, _moment(), body)


def test_while_a_secret_is_rotated_both_old_and_new_verify() -> None:
    signature = Signer([NEW, OLD]).sign("id1", START_MS // 1000, b"{}")
    assert signature is not None
    new, old = signature.split(" ")
    assert new == Webhook(NEW).sign("id1", _moment(), "{}")
    assert old == Webhook(OLD).sign("id1", _moment(), "{}")


@pytest.mark.parametrize("secret", ["whsec_" + "A" * 33, "whsec_" + "A" * 35 + "=="])
def test_a_secret_that_is_none_is_refused_and_not_repeated(secret: str) -> None:
    settings = WebhookSettings(secrets=f"{OLD}, {secret}")
    with pytest.raises(ConfigError, match=r"Webhook\.Secrets: secret 2 must be whsec_") as caught:
        Signer.from_settings(settings)
    assert secret not in str(caught.value)


@pytest.mark.parametrize("secrets", [[OLD, NEW], f"{OLD}, {NEW}", f" {OLD} {NEW} "])
def test_several_secrets_are_a_list_or_a_text(secrets: object) -> None:
    settings = WebhookSettings.model_validate({"secrets": secrets})
    signature = Signer.from_settings(settings).sign("id1", 1, b"")
    assert signature is not None
    assert len(signature.split(" ")) == 2


def _moment() -> datetime:
    return datetime.fromtimestamp(START_MS // 1000, UTC)
