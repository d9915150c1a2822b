"""For receivers of webhooks: is this request the service's, and what does it bring?"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from message_scheduler_client.errors import SignatureError

_PREFIX = "whsec_"


@dataclass(frozen=True)
class Delivery:
    """A webhook whose signature was checked."""

    id: str
    """The message's id, the same for all attempts: remember it, to do nothing twice."""
    timestamp: int
    """When it was sent, seconds since the epoch."""
    attempt: int | None
    """1 for the first one."""
    due_at: str | None
    """The moment this attempt was due, ISO 8601."""
    body: bytes

    def json(self) -> Any:
        """Return the message; raises ``ValueError`` when it is no JSON."""
        return json.loads(self.body)


def verify(
    headers: Mapping[str, str],
    body: bytes | str,
    secrets: str | Sequence[str],
    tolerance: float = 300,
    *,
    now: float | None = None,
) -> Delivery:
    """Return what a request brings, or raise ``SignatureError`` when it was not signed with one of the secrets.

    ``body``: the bytes as they came.  ``secrets``: ``whsec_…``; several while one is replaced.  ``tolerance``: seconds
    that the request may be older or newer than ``now`` (seconds since the epoch; None: this machine's clock), so that
    nobody can send an old one again.
    """
    if not isinstance(body, bytes | bytearray | memoryview | str):
        raise TypeError("body is to be the bytes or the text as they came, not what was parsed from them")
    found = {name.lower(): value for name, value in headers.items()}
    id, timestamp, signatures = (_header(found, f"webhook-{name}") for name in ("id", "timestamp", "signature"))
    if not (timestamp.isascii() and timestamp.isdigit()):
        raise SignatureError(f"webhook-timestamp is {timestamp[:40]!r}, not seconds since the epoch")
    raw = body.encode() if isinstance(body, str) else bytes(body)
    signed = b".".join((id.encode(), timestamp.encode(), raw))
    given = [signature.removeprefix("v1,") for signature in signatures.split(" ") if signature.startswith("v1,")]
    keys = [_key(secret) for secret in ([secrets] if isinstance(secrets, str) else secrets)]
    if not any(hmac.compare_digest(_signature(key, signed), one.encode()) for key in keys for one in given):
        raise SignatureError("no signature of webhook-signature is by one of these secrets")
    off = int(timestamp) - (time.time() if now is None else now)
    if abs(off) > tolerance:
        raise SignatureError(f"webhook-timestamp is {abs(off):.0f} s off; {tolerance:.0f} s are tolerated")
    attempt = found.get("scheduler-attempt", "")
    return Delivery(
        id,
        int(timestamp),
        int(attempt) if re.fullmatch("[0-9]{1,9}", attempt) else None,
        found.get("scheduler-due-at"),
        raw,
    )


def _header(headers: Mapping[str, str], name: str) -> str:
    if not headers.get(name):
        raise SignatureError(f"the header {name} is missing")
    return headers[name]


def _key(secret: str) -> bytes:
    try:
        key = base64.b64decode(secret.removeprefix(_PREFIX), validate=True)
    except binascii.Error:
        key = b""
    if not key:
        raise ValueError("a secret is whsec_ and base64")
    return key


def _signature(key: bytes, signed: bytes) -> bytes:
    return base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest())
