"""Sign requests by Standard Webhooks 1.0, so that endpoints can verify where they come from."""

from __future__ import annotations

import base64
import binascii
import hmac
from collections.abc import Iterable, Mapping

from scheduler.config.sections.webhook import WebhookSettings
from scheduler.errors import ConfigError

_PREFIX = "whsec_"
_MIN_BYTES, _MAX_BYTES = 24, 64
_HEADERS = ("webhook-id", "webhook-timestamp", "webhook-signature")


class Signer:
    """Signs requests with every configured secret; there are two while a secret is rotated."""

    @classmethod
    def from_settings(cls, settings: WebhookSettings) -> Signer:
        """Raises ConfigError for an invalid secret."""
        try:
            return cls(filter(None, settings.secrets.split(",")))
        except ValueError as error:
            raise ConfigError([f"Webhook.Secrets: {error}"]) from None

    def __init__(self, secrets: Iterable[str]) -> None:
        """``secrets``: ``whsec_<base64 of 24 to 64 bytes>`` each.  Raises ValueError that does not repeat them."""
        self._keys = [_decode(secret, number) for number, secret in enumerate(secrets, 1)]

    def sign(self, message_id: str, timestamp: int, body: bytes) -> str | None:
        """Return the value of ``webhook-signature``: a ``v1,<base64>`` per secret, space separated; None without one.

        ``timestamp``: seconds since the epoch.  ``body``: exactly the bytes that are sent.
        """
        if not self._keys:
            return None
        content = f"{message_id}.{timestamp}.".encode() + body
        return " ".join(
            "v1," + binascii.b2a_base64(hmac.digest(key, content, "sha256"), newline=False).decode()
            for key in self._keys
        )

    def verify(self, headers: Mapping[str, str], body: bytes, now: float, tolerance: float = 300) -> str | None:
        """Return why these secrets did not sign a request, or not lately; None when they did.

        ``headers``: names in lower case.  ``body``: the bytes as they came.  ``now``: seconds since the epoch;
        ``tolerance``: seconds that the timestamp may differ from it.
        """
        missing = [name for name in _HEADERS if not headers.get(name)]
        if missing:
            return f"{missing[0]} is missing"
        id, timestamp, signatures = (headers[name] for name in _HEADERS)
        if not (timestamp.isascii() and timestamp.isdigit()):
            return "webhook-timestamp is no number of seconds"
        expected = (self.sign(id, int(timestamp), body) or "").split()
        given = [signature.encode() for signature in signatures.split()]
        if not any(hmac.compare_digest(one.encode(), other) for one in expected for other in given):
            return "it was signed with another secret, or changed on the way"
        off = abs(int(timestamp) - now)
        return None if off <= tolerance else f"webhook-timestamp is {off:.0f} s off; {tolerance:g} s are tolerated"


def _decode(secret: str, number: int) -> bytes:
    try:
        key = base64.b64decode(secret.removeprefix(_PREFIX), validate=True)
    except ValueError:
        key = b""
    if not secret.startswith(_PREFIX) or not _MIN_BYTES <= len(key) <= _MAX_BYTES:
        raise ValueError(f"secret {number} must be {_PREFIX} and the base64 of {_MIN_BYTES} to {_MAX_BYTES} bytes")
    return key
