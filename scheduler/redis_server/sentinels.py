"""Redis behind sentinels: a client that finds the primary, and a check that it still is the primary."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry
from redis.sentinel import MasterNotFoundError, Sentinel, SentinelConnectionPool, SentinelManagedConnection

from scheduler.errors import StartError, StoreUnavailable
from scheduler.redis_server.refusals import NOT_LET_IN, reason_of

WATCH_SECONDS = 0.5


def through_sentinels(
    sentinels: Sequence[tuple[str, int]],
    service: str,
    socket_timeout: float,
    credentials: Mapping[str, str],
    **arguments: Any,
) -> redis.Redis:
    """Make a client that asks the sentinels for the primary at each connect, so that it follows a failover.

    ``socket_timeout``: seconds.  ``credentials``: ``username`` and ``password`` of the sentinels, or empty.
    ``arguments``: for the connections to Redis.
    """
    manager = Sentinel(  # type: ignore[no-untyped-call]
        sentinels,
        sentinel_kwargs={
            "socket_timeout": socket_timeout,
            "socket_connect_timeout": socket_timeout,
            # No retry: redis-py would spend seconds on a sentinel that is gone before it asks the next one.
            "retry": Retry(NoBackoff(), 0),
            # Never those of Redis: a sentinel without a password refuses a client that sends one.
            **credentials,
        },
    )
    client: redis.Redis = manager.master_for(  # type: ignore[no-untyped-call]
        service,
        connection_class=_ToPrimary,
        socket_timeout=socket_timeout,
        socket_connect_timeout=socket_timeout,
        socket_keepalive=True,
        **arguments,
    )
    return client


def refused_by_sentinels(error: Exception) -> StartError | None:
    """Return the error of a start when the sentinels refuse the password or the lack of one; else None."""
    if not isinstance(error, MasterNotFoundError) or reason_of(error) != NOT_LET_IN:
        return None
    return StartError(
        "The sentinels refuse the user or password: give theirs as ?sentinel_password=… (and sentinel_username=…) at "
        "the end of Redis.ConnectionString (env REDIS_URL). Those before the @ are for Redis only."
    )


class _ToPrimary(SentinelManagedConnection):
    """A connection that ends when its Redis has lost its replicas (``min-replicas-to-write``).

    The sentinels may have promoted another server by then, and they leave the old primary and its connections open for
    ten more seconds.
    """

    def read_response(self, *arguments: Any, **options: Any) -> Any:
        """Raises ``ConnectionError`` for ``NOREPLICAS``."""
        try:
            return super().read_response(*arguments, **options)
        except redis.ResponseError as error:
            if not str(error).startswith("NOREPLICAS "):
                raise
            self.disconnect()  # type: ignore[no-untyped-call]
            raise redis.ConnectionError(str(error)) from error


class PrimaryWatch:
    """Close connections to a server that is no longer the primary: a ``maintenance.Task``.

    Without it, an orderly failover leaves these connections open for ten seconds.  The old primary goes on to accept
    messages, and drops them when it becomes a replica: 4,770 of 5,884 messages in three failovers, and with this task
    869 of 5,716.

    It needs its own thread, so that a sentinel that does not answer cannot delay the renewal of locks.
    """

    name = "ask the sentinels"

    def __init__(self, pool: SentinelConnectionPool) -> None:
        self._pool = pool

    def tick(self) -> float:
        """Ask once; return the seconds until the next time.  Raises ``StoreUnavailable`` when no sentinel knows."""
        try:
            # The pool disconnects when the address changes; connections in use end when they are given back.
            self._pool.get_master_address()  # type: ignore[no-untyped-call]
        except MasterNotFoundError as error:
            raise StoreUnavailable(f"no sentinel names a primary: {error}") from error
        return WATCH_SECONDS


def watches_of(client: redis.Redis) -> list[PrimaryWatch]:
    """Return the tasks that watch this client's primary; empty unless it goes through sentinels."""
    pool = getattr(client, "connection_pool", None)
    return [PrimaryWatch(pool)] if isinstance(pool, SentinelConnectionPool) else []
