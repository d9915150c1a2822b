"""``Idempotency-Key``: a repeated request gets the answer of the first one, and stores nothing more."""

from __future__ import annotations

import hashlib
from typing import Any, NamedTuple

from scheduler.api.http.body import canonical
from scheduler.api.http.exchange import Exchange
from scheduler.errors import InvalidInput

HEADER = "Idempotency-Key"
LONGEST = 255

_NAME = HEADER.lower()


class Idempotency(NamedTuple):
    """The key and the content that make two requests the same one."""

    key: str | None
    fingerprint: str
    """Hex SHA-256 of method, path and body.  Empty without a key."""


NONE = Idempotency(None, "")


def of_request(request: Exchange, body: Any) -> Idempotency:
    """Return key and fingerprint of a request with this parsed body.  Raises ``InvalidInput`` for a malformed key."""
    if _NAME not in request.headers:
        return NONE
    key = request.headers.get(_NAME, "")
    if not 0 < len(key) <= LONGEST or not (key.isascii() and key.isprintable()):
        raise InvalidInput.of(HEADER, f"must be 1 to {LONGEST} printable ASCII characters")
    content = b"%s %s\n%s" % (request.method.encode(), request.path.encode(), canonical(body))
    return Idempotency(key, hashlib.sha256(content).hexdigest())


def refuse_own_id(idempotency: Idempotency, id: str | None, field: str) -> None:
    """Raise ``InvalidInput`` when both a key and an own ``id`` are given.

    The ids of such a request are derived from the key, so that all servers look in the same partition for it.
    """
    if idempotency.key is not None and id is not None:
        raise InvalidInput.of(field, f"cannot be given together with {HEADER}; each of them alone makes a repeat safe")
