"""Tries at the start what this service will do in Redis, so that a missing right is named before anything is stored."""

from __future__ import annotations

from typing import Any, Final

import redis
from redis.cluster import RedisCluster
from redis.exceptions import MovedError

from scheduler.errors import StartError
from scheduler.redis_server.connections import cluster_of
from scheduler.redis_server.refusals import LACKS_RIGHT, reason_of
from scheduler.store.keys import META, PREFIX, RATES, SERVERS, WAKE

ACL_RULES: Final = (
    f"~{PREFIX}:* resetchannels &{WAKE} +@read +@write +@scripting +@pubsub +@connection -@dangerous +client|setname "
    "+info +config|get +time +wait +select"
)
"""What ``ACL SETUSER`` must give the service's user, on Redis 6.2, 7 and Valkey."""

_ONE_NODE: Final = (
    "This Redis is one node of a cluster, and other nodes have a part of the keys: give Redis.ConnectionString "
    "(env REDIS_URL) as cluster://host:port."
)

_KEY: Final = f"{PREFIX}:{{0}}:rights"
"""A key for trying commands on.  It is deleted at the end; if the user may not delete it, it expires in a second."""

_CALLS: Final = (
    ("HGET", _KEY, "f"), ("HMGET", _KEY, "f"), ("HGETALL", _KEY), ("HSTRLEN", _KEY, "f"), ("EXISTS", _KEY),
    ("HSET", _KEY, "f", "1"), ("HSETNX", _KEY, "f", "1"), ("HINCRBY", _KEY, "f", "1"), ("HDEL", _KEY, "f"),
    ("HEXISTS", _KEY, "f"),
    ("PERSIST", _KEY), ("COPY", _KEY, _KEY + ":copy", "REPLACE"), ("RENAME", _KEY, _KEY + ":copy"),
    ("UNLINK", _KEY), ("UNLINK", _KEY + ":copy"),
    ("ZADD", _KEY, "1", "m"), ("ZCARD", _KEY), ("ZCOUNT", _KEY, "0", "1"), ("ZSCORE", _KEY, "m"),
    ("ZRANGE", _KEY, "0", "0"), ("ZREVRANGE", _KEY, "0", "0"),
    ("ZRANGEBYSCORE", _KEY, "0", "1", "LIMIT", "0", "1"), ("ZREM", _KEY, "m"), ("ZPOPMIN", _KEY, "1"),
    ("ZRANGEBYLEX", _KEY, "-", "+", "LIMIT", "0", "1"),
    ("MSET", _KEY, "1"),
    ("SET", _KEY, "1", "PX", "1000"), ("GET", _KEY), ("INCRBY", _KEY, "1"), ("EXPIRE", _KEY, "1"), ("TTL", _KEY),
    ("PEXPIRE", _KEY, "1000"), ("MGET", _KEY),
    ("UNLINK", _KEY),
    ("LPUSH", _KEY, "1"), ("LTRIM", _KEY, "0", "0"), ("LRANGE", _KEY, "0", "0"), ("UNLINK", _KEY),
    ("XADD", _KEY, "NOMKSTREAM", "*", "f", "1"), ("XRANGE", _KEY, "-", "+", "COUNT", "1"), ("XINFO", "STREAM", _KEY),
    ("XREAD", "COUNT", "1", "STREAMS", _KEY, "0"),
    ("EVAL", "return 1", "1", _KEY), ("EVALSHA", "0" * 40, "1", _KEY),
    # The other keys of the layout: rules may name keys one by one.
    ("HDEL", META, "rights"), ("HDEL", SERVERS, "rights"), ("UNLINK", f"{RATES}:rights"),
)  # fmt: skip
_ANYWHERE: Final = (("TIME",), ("PUBLISH", WAKE, ""), ("SCRIPT", "EXISTS", "0" * 40))


def check_rights(client: redis.Redis) -> None:
    """Raise ``StartError`` naming the commands that this user may not run, and the rule that allows them.

    Without this check, a missing right would show in the middle of a script, after its first write; Redis does not roll
    back.  Raises it as well for a node of a cluster that is not addressed as one.
    """
    missing = [_named(call) for call in _CALLS if _refused(client, call)]
    where: dict[str, Any] = {"target_nodes": RedisCluster.RANDOM} if cluster_of(client) else {}
    missing += [_named(call) for call in _ANYWHERE if _refused(client, call, **where)]
    if _may_not_listen(client):
        missing.append(f"SUBSCRIBE {WAKE}")
    if missing:
        raise StartError(
            f"{LACKS_RIGHT}: it may not {', '.join(dict.fromkeys(missing))}. "
            f"Allow it: ACL SETUSER <user> {ACL_RULES} (docs/runbook.md, Rights in Redis)."
        )


def _named(call: tuple[str, ...]) -> str:
    """Return the command, and the key or channel that it was tried with."""
    known = [word for word in call[1:] if word.startswith(f"{PREFIX}:")]
    return " ".join((call[0], *known))


def _refused(client: redis.Redis, call: tuple[str, ...], **where: Any) -> bool:
    try:
        client.execute_command(*call, **where)  # type: ignore[no-untyped-call]
    except MovedError as error:  # a client of a cluster follows it
        raise StartError(_ONE_NODE) from error
    except redis.ResponseError as error:
        # With any other error (full, no such script), the right is there.
        return reason_of(error) == LACKS_RIGHT
    return False


def _may_not_listen(client: redis.Redis) -> bool:
    with client.pubsub() as subscription:  # type: ignore[no-untyped-call]
        try:
            subscription.subscribe(WAKE)
            subscription.get_message(timeout=5)
        except redis.ResponseError as error:
            return reason_of(error) == LACKS_RIGHT
    return False
