"""The Python client's ``verify``: the service's requests pass, and no other."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from message_scheduler_client import SignatureError, verify
from standardwebhooks.webhooks import Webhook

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
OTHER = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oDAAAA"
NOW = 1_800_000_000
BODY = b'{"order": 4711}'


def headers(body: bytes = BODY, at: int = NOW, *secrets: str) -> dict[str, str]:
    """As the service sends them; signed by the library of Standard Webhooks."""
    moment = datetime.fromtimestamp(at, UTC)
    signatures = [Webhook(secret).sign("id-1", moment, body.decode()) for secret in secrets or (SECRET,)]
    return {
        "Webhook-Id": "id-1",
        "Webhook-Timestamp": str(at),
        "Webhook-Signature": " ".join(signatures),
        "Scheduler-Attempt": "2",
        "Scheduler-Due-At": "2027-01-15T08:00:00.000Z",
    }


def test_what_it_brings() -> None:
    delivery = verify(headers(), BODY, SECRET, now=NOW)
    assert (delivery.id, delivery.timestamp, delivery.attempt) == ("id-1", NOW, 2)
    assert delivery.due_at == "2027-01-15T08:00:00.000Z"
    assert delivery.json() == {"order": 4711}


@pytest.mark.parametrize("attempt", ["²", "9" * 5000, "-1", ""])
def test_an_attempt_that_is_no_number_is_none(attempt: str) -> None:
    """It is not signed, so anybody may have changed it."""
    assert verify({**headers(), "Scheduler-Attempt": attempt}, BODY, SECRET, now=NOW).attempt is None


@pytest.mark.parametrize("body", [{"order": 4711}, [], None, 3])
def test_a_body_that_was_parsed_already_is_said(body: Any) -> None:
    with pytest.raises(TypeError, match="not what was parsed"):
        verify(headers(), body, SECRET, now=NOW)


def test_text_and_bytes_are_one() -> None:
    assert verify(headers(), BODY.decode(), SECRET, now=NOW).body == BODY


@pytest.mark.parametrize("secrets", [[SECRET], [OTHER, SECRET], (SECRET, OTHER)])
def test_any_of_several_secrets(secrets: list[str]) -> None:
    verify(headers(), BODY, secrets, now=NOW)
    verify(headers(BODY, NOW, OTHER, SECRET), BODY, SECRET, now=NOW)


@pytest.mark.parametrize("off", [-300, 300])
def test_within_the_tolerance(off: int) -> None:
    verify(headers(), BODY, SECRET, now=NOW + off)


@pytest.mark.parametrize("off", [-301, 301])
def test_beyond_it(off: int) -> None:
    with pytest.raises(SignatureError, match="301 s off; 300 s are tolerated"):
        verify(headers(), BODY, SECRET, now=NOW + off)
    verify(headers(), BODY, SECRET, 400, now=NOW + off)


def test_this_machines_clock_counts_when_none_is_given() -> None:
    with pytest.raises(SignatureError, match="off"):
        verify(headers(at=1_000_000_000), BODY, SECRET)


@pytest.mark.parametrize("body", [b"", b'{"order": 4712}', BODY + b"\n"])
def test_another_body(body: bytes) -> None:
    with pytest.raises(SignatureError, match="by one of these"):
        verify(headers(), body, SECRET, now=NOW)


@pytest.mark.parametrize("name", ["Webhook-Id", "Webhook-Timestamp"])
def test_what_is_signed_cannot_be_changed(name: str) -> None:
    with pytest.raises(SignatureError, match="by one of these"):
        verify({**headers(), name: "1800000001"}, BODY, SECRET, now=NOW)


@pytest.mark.parametrize("name", ["Webhook-Id", "Webhook-Timestamp", "Webhook-Signature"])
def test_a_header_that_is_missing(name: str) -> None:
    found = headers()
    del found[name]
    with pytest.raises(SignatureError, match=f"the header {name.lower()} is missing"):
        verify(found, BODY, SECRET, now=NOW)


@pytest.mark.parametrize("timestamp", ["soon", "-1", "1e9", "\u0661"])
def test_a_timestamp_that_is_none(timestamp: str) -> None:
    with pytest.raises(SignatureError, match="not seconds"):
        verify({**headers(), "Webhook-Timestamp": timestamp}, BODY, SECRET, now=NOW)


@pytest.mark.parametrize("signature", ["v1,", "v2,AAAA", "v1a,AAAA", "AAAA", "v1,é"])
def test_a_signature_of_another_kind(signature: str) -> None:
    with pytest.raises(SignatureError, match="by one of these"):
        verify({**headers(), "Webhook-Signature": signature}, BODY, SECRET, now=NOW)


@pytest.mark.parametrize("secret", ["", "whsec_", "whsec_no base64"])
def test_a_secret_that_is_none(secret: str) -> None:
    with pytest.raises(ValueError, match="whsec_"):
        verify(headers(), BODY, secret, now=NOW)


def test_no_secret_verifies_nothing() -> None:
    with pytest.raises(SignatureError):
        verify(headers(), BODY, [], now=NOW)
