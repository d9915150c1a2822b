"""Text that is safe to show: it cannot forge a log line or drive a terminal, and it holds no secrets.  Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

MASK: Final = "***"

_SHORTEST_SECRET: Final = 4
"""Masking anything shorter would blank out half of every line, and protects nothing that could not be guessed."""

# C0 and C1 controls (newline, escape, DEL …), the line separators of Unicode, what reorders text on a screen
# (bidirectional controls), and lone surrogates, which no UTF-8 file can hold.
_UNSAFE = re.compile("[\x00-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
_SHORT: Final = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}

_WEBHOOK_SECRET = re.compile(r"whsec_[A-Za-z0-9+/=_-]+")
_AUTHORIZATION = re.compile(
    r"""(authorization\\?["']?\s*[:=]\s*\\?["']?)(?:[a-z][\w-]*\s+)?[^\s"',\\]+""", re.IGNORECASE
)
_URL_PASSWORD = re.compile(r"://([^\s/:@?#]*):[^\s/]*@")
_URL_QUERY_PASSWORD = re.compile(r"([?&](?:sentinel_)?password=)[^\s&]*", re.IGNORECASE)


def escape(text: str) -> str:
    """The text on one line: control characters, line separators and direction marks written as ``\\n`` or ``\\x1b``."""
    # isprintable is one fast loop in C, and true for nearly everything that is ever logged.
    return text if text.isprintable() else _UNSAFE.sub(_written_out, text)


def mask(text: str) -> str:
    """The text without what looks like a secret: Authorization values, ``whsec_`` secrets, passwords in URLs."""
    # Plain substring searches first: they cost a tenth of what the patterns cost.
    if "whsec_" in text:
        text = _WEBHOOK_SECRET.sub("whsec_" + MASK, text)
    if "://" in text:
        text = _URL_PASSWORD.sub(rf"://\1:{MASK}@", text)
        text = _URL_QUERY_PASSWORD.sub(rf"\1{MASK}", text)
    if "authorization" in text.lower():
        text = _AUTHORIZATION.sub(rf"\1{MASK}", text)
    return text


class Masker:
    """``mask``, and besides it the very secrets of this service."""

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
