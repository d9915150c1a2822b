"""Make a Redis client from a connection string, and check that this Redis can serve."""

from __future__ import annotations

import threading
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Final, cast

import redis
from redis.backoff import NoBackoff
from redis.cluster import ClusterNode, RedisCluster
from redis.exceptions import RedisClusterException
from redis.retry import Retry

from scheduler.clock import Clock, SystemClock
from scheduler.config.connection_string import Target, parse
from scheduler.errors import ConfigError, RedisAway, StartCancelled, StartError
from scheduler.redis_server.loading import LoadingReport, info_of
from scheduler.redis_server.refusals import PASSING, reason_of
from scheduler.redis_server.sentinels import refused_by_sentinels, through_sentinels

OLDEST: Final = (6, 2)
_KEEP: Final = (
    "Run CONFIG SET appendonly yes, wait until INFO persistence says aof_rewrite_in_progress:0, then CONFIG REWRITE "
    "(or set appendonly yes in redis.conf). Not in redis.conf alone: the next restart would begin with an empty file."
)
LOADING_SECONDS: Final = 300.0
"""How long to wait for a Redis that reads its data from disk."""


def connect(target: Target | str, *, socket_timeout: float = 5.0, max_connections: int | None = None) -> redis.Redis:
    """Make a client with a pool of connections that reads and writes text.  Nothing is sent yet.

    ``socket_timeout`` (seconds) bounds every connect, read and write.  Threads may share the client.  Raises
    ``ConfigError`` for a string that ``parse`` refuses and for ``embedded``, which has no address before it is started.
    """
    if isinstance(target, str):
        target = parse(target)
    arguments: dict[str, Any] = {
        "db": target.db,
        "username": target.username,
        "password": target.password,
        "socket_timeout": socket_timeout,
        "decode_responses": True,
        "client_name": "message-scheduler",
        "max_connections": max_connections,
        # RESP2: with RESP3 the pool hands out connections that Redis has closed, without noticing.
        "protocol": 2,
        # No retry: a script that was sent may have run, and only the caller knows whether it may run twice.
        "retry": Retry(NoBackoff(), 0),
        "health_check_interval": 15,
    }
    if target.kind == "sentinel":
        return through_sentinels(target.hosts, target.service, credentials=target.of_sentinels, **arguments)
    if target.kind == "cluster":
        return _to_cluster(target, socket_timeout, arguments)
    if target.kind == "unix":
        return redis.Redis(unix_socket_path=target.path, **arguments)
    if target.kind in ("tcp", "tls"):
        return redis.Redis(
            target.host,
            target.port,
            socket_connect_timeout=socket_timeout,
            socket_keepalive=True,
            ssl=target.kind == "tls",
            **_tls_arguments(target),
            **arguments,
        )
    raise ConfigError([f"Redis.ConnectionString: {target} has no address to connect to"])


def cluster_of(client: object) -> RedisCluster | None:
    """Return the client if it is one of a cluster, where commands without a key need a target node; else None."""
    return client if isinstance(client, RedisCluster) else None


def _to_cluster(target: Target, socket_timeout: float, arguments: dict[str, Any]) -> redis.Redis:
    """Make a client that sends each command to the node of its key, and follows partitions that move."""
    unused = {"db", "client_name", "max_connections"}
    try:
        cluster = RedisCluster(
            startup_nodes=[ClusterNode(*address) for address in target.hosts],  # type: ignore[no-untyped-call]
            socket_connect_timeout=socket_timeout,
            socket_keepalive=True,
            # False: while one partition has no primary, the others are served.
            require_full_coverage=False,
            **{name: value for name, value in arguments.items() if name not in unused},
        )
    # This client connects while it is made, and its error may not be a RedisError.
    except (redis.RedisError, RedisClusterException) as error:
        raise _no_answer(error) from error
    except IndexError as error:  # redis-py takes the first of no primaries
        raise RedisAway(
            "No node of the Redis Cluster has slots yet. Make one of them (redis-cli --cluster create), or correct "
            "Redis.ConnectionString (env REDIS_URL)."
        ) from error
    # The service uses only methods that both classes have: execute_command, pubsub, close.
    return cast(redis.Redis, cluster)


def _tls_arguments(target: Target) -> dict[str, Any]:
    arguments: dict[str, Any] = dict(target.options)
    if "ssl_check_hostname" in arguments:
        arguments["ssl_check_hostname"] = arguments["ssl_check_hostname"].lower() not in ("0", "false", "no", "off")
    return arguments


@dataclass(frozen=True, slots=True)
class ServerReport:
    """The result of ``check_server``."""

    product: str
    """``Redis`` or ``Valkey``."""
    version: str
    persistence: str
    """``append-only file``, ``snapshots``, ``no persistence`` or ``persistence unknown``."""
    warnings: list[str] = field(default_factory=list)
    """Sentences about settings that can lose messages, each with its remedy."""
    notices: list[str] = field(default_factory=list)
    """Sentences about properties that could not be checked."""


def check_server(
    client: redis.Redis,
    *,
    clock: Clock | None = None,
    cancel: threading.Event | None = None,
    loading: LoadingReport | None = None,
) -> ServerReport:
    """Check that this Redis can serve, and report what its operator should know.

    Waits up to ``LOADING_SECONDS`` for a Redis that still loads its data, until ``cancel`` is set; ``loading`` hears
    how far it is.  Raises ``RedisAway`` when Redis does not answer, ``StartError`` when it refuses the password, is
    older than 6.2 or is a read-only replica, ``StartCancelled``.
    """
    try:
        info = _info_when_loaded(client, clock or SystemClock(), cancel or threading.Event(), loading)
    except redis.AuthenticationError as error:
        raise StartError(f"Redis refused the user or password ({error}): correct it in REDIS_URL.") from error
    except redis.ResponseError as error:  # for example: no such database, protected mode, no rights
        refused = RedisAway if reason_of(error) in PASSING else StartError
        raise refused(
            f"{reason_of(error)}: {error}. Correct that Redis, or Redis.ConnectionString (env REDIS_URL)."
        ) from error
    except (redis.RedisError, RedisClusterException) as error:
        raise refused_by_sentinels(error) or _no_answer(error) from error
    if info is None:
        return ServerReport(
            "Redis", "unknown", "persistence unknown", notices=[_hidden("INFO", "version and persistence")]
        )
    version = _require_usable(info)
    report = ServerReport(
        "Valkey" if info.get("server_name") == "valkey" else "Redis", version, _persistence(client, info)
    )
    policy = info.get("maxmemory_policy", "noeviction")
    if policy != "noeviction":
        report.warnings.append(
            f"Redis may throw messages away when its memory is full: maxmemory-policy is {policy}. "
            "Run CONFIG SET maxmemory-policy noeviction, then CONFIG REWRITE (or set it in redis.conf)."
        )
    if report.persistence == "no persistence":
        report.warnings.append(f"Redis keeps nothing on disk: its restart loses every message. {_KEEP}")
    elif report.persistence == "snapshots":
        report.warnings.append(f"Redis keeps snapshots only: a crash loses what came since the last one. {_KEEP}")
    elif report.persistence == "persistence unknown":
        report.notices.append(_hidden("CONFIG GET", "whether Redis keeps anything on disk"))
    return report


def _no_answer(error: Exception) -> RedisAway:
    return RedisAway(f"Redis does not answer ({error}). Start it, or correct Redis.ConnectionString (env REDIS_URL).")


def _hidden(command: str, what: str) -> str:
    return f"This Redis does not allow {command}: {what} could not be checked."


def _info_when_loaded(
    client: redis.Redis, clock: Clock, cancel: threading.Event, loading: LoadingReport | None
) -> dict[str, Any] | None:
    """Return INFO once Redis has loaded its data; None when this user may not ask for it."""
    deadline = clock.monotonic() + LOADING_SECONDS
    while True:
        with suppress(redis.BusyLoadingError):
            _ping(client)
            try:
                found = _every_info(client)
            except redis.ResponseError:  # the operator forbade, renamed or disabled INFO
                return None
            if not any(int(info.get("loading", 0)) for info in found):
                # In a cluster, the oldest node decides, and among those the least durable one.
                return min(found, key=lambda info: (_compatible(info), int(info.get("aof_enabled", 0))))
        if loading is not None and not cluster_of(client):
            with suppress(redis.RedisError):
                loading.note(info_of(client))
            loading.wait()
        if clock.monotonic() >= deadline:
            raise RedisAway(f"Redis has been loading its data for {LOADING_SECONDS:.0f} s: see its own log.")
        if clock.wait(cancel, 0.25):
            raise StartCancelled


def _ping(client: redis.Redis) -> None:
    """Raise the error of a user that cannot connect at all; else it would look like a missing right to INFO."""
    where: dict[str, Any] = {"target_nodes": RedisCluster.RANDOM} if cluster_of(client) else {}
    client.execute_command("PING", **where)  # type: ignore[no-untyped-call]


def _every_info(client: redis.Redis) -> list[dict[str, Any]]:
    """Return INFO of the server, or of each primary of a cluster."""
    if cluster := cluster_of(client):
        found: dict[str, dict[str, Any]] = cluster.info(target_nodes=RedisCluster.PRIMARIES)
        return list(found.values()) if all(isinstance(info, dict) for info in found.values()) else [found]
    return [client.info()]


def _compatible(info: dict[str, Any]) -> tuple[int, ...]:
    return tuple(int(part) for part in str(info.get("redis_version", "0")).split(".")[:2] if part.isdigit())


def _require_usable(info: dict[str, Any]) -> str:
    """Return the version.  Raises ``StartError`` when it is too old for the scripts, or Redis is a replica."""
    version = str(info.get("valkey_version") or info.get("redis_version", "0"))
    # Valkey has version numbers of its own; redis_version is the Redis that it is compatible with.
    if _compatible(info) < OLDEST:
        raise StartError(f"Redis {version} is too old: 6.2 or newer is needed. Upgrade it, or use another one.")
    if info.get("role") == "slave":
        primary = f"{info.get('master_host')}:{info.get('master_port')}"
        raise StartError(f"This Redis is a read-only replica of {primary}: connect to the primary instead.")
    return version


def _persistence(client: redis.Redis, info: dict[str, Any]) -> str:
    if int(info.get("aof_enabled", 0)):
        return "append-only file"
    try:
        where: dict[str, Any] = {"target_nodes": RedisCluster.RANDOM} if cluster_of(client) else {}
        save = client.config_get("save", **where).get("save")
    except redis.ResponseError:
        return "persistence unknown"
    if save is None:
        return "persistence unknown"
    return "snapshots" if save else "no persistence"
