"""Make text safe to show: without secrets, and unable to forge a log line or control a terminal.  Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

MASK: Final = "***"

_SHORTEST_SECRET: Final = 4
"""Shorter secrets are not masked: they can be guessed anyway, and occur by chance in half of all lines."""

# C0 and C1 controls (newline, escape, DEL …), the line separators of Unicode, bidirectional controls, which reorder
# text on a screen, and lone surrogates, which UTF-8 cannot encode.
_UNSAFE = re.compile("[\x00-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
_SHORT: Final = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}

_WEBHOOK_SECRET = re.compile(r"whsec_[A-Za-z0-9+/=_-]+")
_AUTHORIZATION = re.compile(
    r"""(authorization\\?["']?\s*[:=]\s*\\?["']?)(?:[a-z][\w-]*\s+)?[^\s"',\\]+""", re.IGNORECASE
)
_URL_PASSWORD = re.compile(r"://([^\s/:@?#]*):[^\s/]*@")
_URL_QUERY_PASSWORD = re.compile(r"([?&](?:sentinel_)?password=)[^\s&]*", re.IGNORECASE)


def escape(text: str) -> str:
    """Return the text on one line, with control characters and the like written as ``\\n`` or ``\\x1b``."""
    # isprintable is a fast loop in C, and true for nearly every text that is logged.
    return text if text.isprintable() else _UNSAFE.sub(_written_out, text)


def mask(text: str) -> str:
    """Return the text with Authorization values, ``whsec_`` secrets and passwords in URLs masked."""
    # Substring searches first: they take a tenth of the time of the patterns.
    if "whsec_" in text:
        text = _WEBHOOK_SECRET.sub("whsec_" + MASK, text)
    if "://" in text:
        text = _URL_PASSWORD.sub(rf"://\1:{MASK}@", text)
        text = _URL_QUERY_PASSWORD.sub(rf"\1{MASK}", text)
    if "authorization" in text.lower():
        text = _AUTHORIZATION.sub(rf"\1{MASK}", text)
    return text


class Masker:
    """Masks the given secrets, and everything that ``mask`` does."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        known = {form for secret in secrets for form in (secret, escape(secret)) if len(secret) >= _SHORTEST_SECRET}
        # The longest first: one secret may be the beginning of another.
        self._secrets = sorted(known, key=len, reverse=True)

    def __call__(self, text: str) -> str:
        for secret in self._secrets:
            if secret in text:
                text = text.replace(secret, MASK)
        return mask(text)


def _written_out(match: re.Match[str]) -> str:
    character = match[0]
    code = ord(character)
    return _SHORT.get(character) or (f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}")
