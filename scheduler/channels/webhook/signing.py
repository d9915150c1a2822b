"""Sign requests by Standard Webhooks 1.0, so that endpoints can verify where they come from."""

from __future__ import annotations

import base64
import binascii
import hmac
from collections.abc import Iterable

from scheduler.config.sections import WebhookSettings
from scheduler.errors import ConfigError

_PREFIX = "whsec_"
_MIN_BYTES, _MAX_BYTES = 24, 64


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


def _decode(secret: str, number: int) -> bytes:
    try:
        key = base64.b64decode(secret.removeprefix(_PREFIX), validate=True)
    except ValueError:
        key = b""
    if not secret.startswith(_PREFIX) or not _MIN_BYTES <= len(key) <= _MAX_BYTES:
        raise ValueError(f"secret {number} must be {_PREFIX} and the base64 of {_MIN_BYTES} to {_MAX_BYTES} bytes")
    return key
