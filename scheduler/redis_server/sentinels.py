"""Redis behind sentinels: a client that finds the primary, and a watch that keeps it there."""

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
    """A client that asks the sentinels for the primary whenever it connects, so that a failover heals by itself.

    ``socket_timeout`` in seconds; ``credentials``: ``username`` and ``password`` of the sentinels, or nothing;
    ``arguments``: of the connections to Redis.
    """
    manager = Sentinel(  # type: ignore[no-untyped-call]
        sentinels,
        sentinel_kwargs={
            "socket_timeout": socket_timeout,
            "socket_connect_timeout": socket_timeout,
            # One that is gone is not asked again: redis-py would wait for seconds, and the next one knows.
            "retry": Retry(NoBackoff(), 0),
            # Not those of Redis: a sentinel without a password refuses whoever shows one.
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
    """The error of a start when the sentinels ask for a password, or for another one."""
    if not isinstance(error, MasterNotFoundError) or reason_of(error) != NOT_LET_IN:
        return None
    return StartError(
        "The sentinels refuse the user or password: give theirs as ?sentinel_password=… (and sentinel_username=…) at "
        "the end of Redis.ConnectionString (env REDIS_URL). Those before the @ are for Redis only."
    )


class _ToPrimary(SentinelManagedConnection):
    """Ends when its Redis has lost its replicas (``min-replicas-to-write``): the sentinels may have promoted another
    one, and leave the old one, with its connections, as it is for ten seconds more.
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
    """Asks the sentinels who the primary is, and ends the connections to another one: a ``maintenance.Task``.

    After an orderly failover nothing else does so for ten seconds.  The old primary goes on to accept, and what it
    accepts is thrown away when it becomes a replica: 4,770 of 5,884 messages in three failovers, and with
    this 869 of 5,716.

    For a thread of its own: a sentinel that does not answer must not hold up the renewal of locks.
    """

    name = "ask the sentinels"

    def __init__(self, pool: SentinelConnectionPool) -> None:
        self._pool = pool

    def tick(self) -> float:
        """Ask once.  Seconds until the next time.  Raises ``StoreUnavailable`` when no sentinel knows."""
        try:
            # A connection in use ends when it is given back.
            self._pool.get_master_address()  # type: ignore[no-untyped-call]
        except MasterNotFoundError as error:
            raise StoreUnavailable(f"no sentinel names a primary: {error}") from error
        return WATCH_SECONDS


def watches_of(client: redis.Redis) -> list[PrimaryWatch]:
    """What watches this client's primary: nothing, unless it goes through sentinels."""
    pool = getattr(client, "connection_pool", None)
    return [PrimaryWatch(pool)] if isinstance(pool, SentinelConnectionPool) else []
