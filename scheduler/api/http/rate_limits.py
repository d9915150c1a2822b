"""How many writing requests a client may send, and how many jobs a user: counted in the service's own Redis, so that
all API processes of all servers count together.

A window begins with its first request and ends so many seconds later (fixed window: one counter that expires).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from contextlib import suppress
from http import HTTPStatus
from typing import Any

from flask import Flask, Response, current_app, g, request
from flask_limiter import Limiter, RateLimitExceeded
from limits.errors import StorageError
from limits.storage import RedisStorage, Storage

from scheduler.api.http.auth import given_token
from scheduler.api.http.client_addresses import ClientAddresses
from scheduler.api.http.problems import error_response, from_service_error
from scheduler.api.http.services import Services
from scheduler.api.http.sites import READING
from scheduler.errors import StoreUnavailable
from scheduler.redis_server.refusals import FULL, reason_of
from scheduler.store.keys import RATES

EXCEEDED = "Rate limit exceeded"

_EXTENSION = "scheduler_job_limit"


class _ServiceRedis(RedisStorage):
    """limits' own storage, over the client that the store uses: whatever Redis that is, one node or a cluster."""

    STORAGE_SCHEME = ["scheduler"]  # noqa: RUF012 - so in the base class

    def __init__(self, uri: str, client: Any, **_: Any) -> None:
        # Not RedisStorage's own: it would open a connection pool of its own.
        Storage.__init__(self, uri, wrap_exceptions=True)
        self.key_prefix = RATES
        self.target_server = "redis"
        self.dependency = self.dependencies["redis"].module
        self.storage = client
        self.initialize_storage(uri)

    def incr(self, key: str, expiry: int, amount: int = 1) -> int:
        """Count a request.  A full Redis refuses to: the request passes, or nothing that frees memory could be asked
        for.  What needs memory is refused by the store.
        """
        try:
            return super().incr(key, expiry, amount)
        except StorageError as error:
            if reason_of(error.storage_error) != FULL:
                raise
            return 0

    def get_expiry(self, key: str) -> float:
        """Seconds until the window ends.  The base class adds this machine's clock, which nobody here wants."""
        return max(0.0, float(self.storage.ttl(self.prefixed_key(key))))


def register(app: Flask, services: Services) -> None:
    """Count requests where a limit is set; elsewhere this costs nothing."""
    settings = services.settings
    per_client, per_user = settings.api.rate_limit, settings.jobs.rate_limit_per_user
    if not per_client and not per_user:
        return
    limiter = Limiter(
        _user,
        # Not ours: its hooks run for every request and take as long as a small one, reading ones too.
        app=Flask("limits", static_folder=None),
        storage_uri="scheduler://",
        storage_options={"client": services.store.client},  # type: ignore[dict-item] # passed on as it is
        strategy="fixed-window",
        headers_enabled=False,
    )
    if per_client:
        client = _client(ClientAddresses(settings.api.trusted_proxies), with_token=bool(settings.api.tokens))
        limit = limiter.shared_limit(per_client.lower(), scope="writes", key_func=client)
        app.before_request(_when_writing(limit(_count_client)))
    if per_user:
        app.extensions[_EXTENSION] = limiter.shared_limit(per_user.lower(), scope="jobs")(_count_user)
    app.register_error_handler(RateLimitExceeded, _refuse)
    app.register_error_handler(StorageError, _unavailable)
    app.after_request(_headers(limiter))


def count_job(user_id: str) -> None:
    """Count a job that this user submits.  Raises ``RateLimitExceeded`` (429), ``StorageError`` (503)."""
    count: Callable[[], None] | None = current_app.extensions.get(_EXTENSION)
    if count is not None:
        g.counted, g.user_id = True, user_id
        count()


def _when_writing(count: Callable[[], None]) -> Callable[[], None]:
    def check() -> None:
        if request.method not in READING:
            g.counted = True
            count()

    return check


def _count_client() -> None:
    """What the limit per client is put around."""


def _count_user() -> None:
    """What the limit per user is put around."""


def _client(addresses: ClientAddresses, *, with_token: bool) -> Callable[[], str]:
    """A function that names the client of the request at hand: its address, and the token when tokens are asked for.

    Nothing that the client may spell in two ways is part of the name: it could choose a new name for each request.
    """

    def name() -> str:
        address = addresses.client(request.remote_addr or "", request.headers.get("X-Forwarded-For", ""))
        # Only a right token comes this far.  The key holds its digest: whoever may list keys must not learn it.
        return f"{_digest(given_token())} {address}" if with_token else address

    return name


def _user() -> str:
    return _digest(g.user_id.encode(errors="surrogatepass"))


def _digest(text: bytes) -> str:
    return hashlib.sha256(text).hexdigest()[:32]


def _refuse(_: RateLimitExceeded) -> Response:
    return error_response(HTTPStatus.TOO_MANY_REQUESTS, EXCEEDED)


def _unavailable(error: StorageError) -> Response:
    # What cannot be counted is not let through.
    return from_service_error(StoreUnavailable(f"Redis does not answer: {error.storage_error}"))


def _headers(limiter: Limiter) -> Callable[[Response], Response]:
    """The headers of draft-ietf-httpapi-ratelimit-headers (03), and Retry-After where the limit is passed."""

    def add(response: Response) -> Response:
        limit = limiter.current_limit if "counted" in g else None
        if limit is None:
            return response
        # The answer stands; what Redis cannot say any more is left out.
        with suppress(StorageError):
            seconds, remaining = limit.window
            reset = str(max(1, int(seconds)))
            response.headers["RateLimit-Limit"] = str(limit.limit.amount)
            response.headers["RateLimit-Remaining"] = str(remaining)
            response.headers["RateLimit-Reset"] = reset
            if response.status_code == HTTPStatus.TOO_MANY_REQUESTS:
                response.headers["Retry-After"] = reset
        return response

    return add
