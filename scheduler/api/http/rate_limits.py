"""Limit how many writing requests a client may send, and how many jobs a user may submit.

The counts lie in the service's own Redis, so that all API processes of all servers count together.  A window begins
with its first request and ends N seconds later (fixed window: one counter that expires).
"""

from __future__ import annotations

import hashlib
from contextlib import suppress
from functools import partial
from http import HTTPStatus
from typing import Any

from limits import RateLimitItem, parse
from limits.errors import StorageError
from limits.storage import RedisStorage, Storage
from werkzeug.exceptions import TooManyRequests

from scheduler.api.http.auth import given_token
from scheduler.api.http.client_addresses import ClientAddresses
from scheduler.api.http.exchange import Counted, Exchange
from scheduler.api.http.services import Services
from scheduler.api.http.sites import READING
from scheduler.errors import StoreUnavailable
from scheduler.redis_server.refusals import FULL, reason_of
from scheduler.store.keys import RATES

EXCEEDED = "Rate limit exceeded"

_WRITES = "writes"
_JOBS = "jobs"


class _ServiceRedis(RedisStorage):
    """The storage of ``limits`` over the store's client, which may speak to one node or to a cluster."""

    STORAGE_SCHEME = ["scheduler"]  # noqa: RUF012 - so in the base class

    def __init__(self, client: Any) -> None:
        # RedisStorage.__init__ is not called: it would open a connection pool of its own.
        uri = "scheduler://"
        Storage.__init__(self, uri, wrap_exceptions=True)
        self.key_prefix = RATES
        self.target_server = "redis"
        self.dependency = self.dependencies["redis"].module
        self.storage = client
        self.initialize_storage(uri)

    def incr(self, key: str, expiry: int, amount: int = 1) -> int:
        """Count a request and return the count; 0 when Redis is full and cannot count.

        The request passes then: it may be one that frees memory, and the store refuses those that need memory.
        """
        try:
            return super().incr(key, expiry, amount)
        except StorageError as error:
            if reason_of(error.storage_error) != FULL:
                raise
            return 0

    def get_expiry(self, key: str) -> float:
        """Return the seconds until the window ends.  The base class returns a moment by this machine's clock."""
        return max(1.0, float(self.storage.ttl(self.prefixed_key(key))))


class Limits:
    """Counts requests where a limit is set; elsewhere this costs nothing."""

    def __init__(self, services: Services) -> None:
        settings = services.settings
        self.per_client = _limit(settings.api.rate_limit)
        self._per_user = _limit(settings.jobs.rate_limit_per_user)
        self._addresses = ClientAddresses(settings.api.trusted_proxies)
        self._with_token = bool(settings.api.tokens)
        if self.per_client or self._per_user:
            self._storage = _ServiceRedis(services.store.client)

    async def count_client(self, x: Exchange) -> None:
        """Count a writing request.  Raises ``TooManyRequests``, ``StoreUnavailable``."""
        if self.per_client is not None and x.method not in READING:
            await self._count(x, self.per_client, self._client(x), _WRITES)

    async def count_user(self, x: Exchange, user_id: str) -> None:
        """Count a job that this user submits.  Raises ``TooManyRequests``, ``StoreUnavailable``."""
        if self._per_user is not None:
            await self._count(x, self._per_user, _digest(user_id.encode(errors="surrogatepass")), _JOBS)

    def _client(self, x: Exchange) -> str:
        """Return the name of the client: its address, and its token where tokens are needed.

        The name has no part that a client can spell in two ways: it could take a new name for each request.
        """
        address = self._addresses.client(x.address, x.headers.get("x-forwarded-for", ""))
        # Only a valid token comes this far.  The key has its digest: someone who may list keys must not learn it.
        return f"{_digest(given_token(x))} {address}" if self._with_token else address

    async def _count(self, x: Exchange, limit: RateLimitItem, who: str, scope: str) -> None:
        # The same keys as under Flask-Limiter, so that servers of two versions count together.
        key = limit.key_for(who, scope)
        try:
            count, seconds_left = await x.waits.call(partial(self._hit, key, limit.get_expiry()))
        except StorageError as error:
            raise StoreUnavailable(f"Redis does not answer: {error.storage_error}") from error
        if seconds_left is not None:
            x.counted = Counted(limit.amount, max(0, limit.amount - count), seconds_left)
        if count > limit.amount:
            raise TooManyRequests(EXCEEDED)

    def _hit(self, key: str, expiry: int) -> tuple[int, int | None]:
        """Count a request; return the count of the window and its seconds left, None when Redis cannot tell them."""
        count = self._storage.incr(key, expiry)
        with suppress(StorageError):
            return count, int(self._storage.get_expiry(key))
        return count, None


def _limit(text: str) -> RateLimitItem | None:
    return parse(text.lower()) if text else None


def _digest(text: bytes) -> str:
    return hashlib.sha256(text).hexdigest()[:32]


def header_fields(counted: Counted, status: int) -> dict[str, str]:
    """Return the headers of draft-ietf-httpapi-ratelimit-headers (03), and Retry-After beyond the limit."""
    reset = str(counted.reset_seconds)
    fields = {
        "RateLimit-Limit": str(counted.limit),
        "RateLimit-Remaining": str(counted.remaining),
        "RateLimit-Reset": reset,
    }
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        fields["Retry-After"] = reset
    return fields
