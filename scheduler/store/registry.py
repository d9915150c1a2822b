"""Heartbeats of the processes of all servers, and the figures of Redis itself."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from typing import Any, NamedTuple, TypeVar

from redis import exceptions
from redis.cluster import RedisCluster

from scheduler.redis_server import refusals
from scheduler.redis_server.connections import cluster_of
from scheduler.redis_server.loading import info_of, progress_of
from scheduler.store.base import Base, unavailable
from scheduler.store.keys import HISTORY, SERVERS
from scheduler.store.scripts import load

T = TypeVar("T")

INFO = "INFO default"
"""As one word: of this command redis-py leaves the answer as it is.  To parse its 200 lines costs it 0.4 ms."""

_KEYS = {"servers": SERVERS, "history": HISTORY}


class _Entry(NamedTuple):
    name: str
    at: int
    value: Any


def _together(found: list[dict[str, Any]]) -> dict[str, Any]:
    """Merge INFO of a cluster's primaries: add up memory and clients, take the rest from the first one."""
    if not found:
        return {}
    added = {
        name: sum(int(info.get(name, 0)) for info in found)
        for name in ("used_memory", "maxmemory", "connected_clients")
    }
    return {**found[0], **added, "aof_enabled": min(int(info.get("aof_enabled", 0)) for info in found)}


def _number(info: dict[str, Any], name: str) -> int | None:
    return int(info[name]) if name in info else None


def _is_full(memory: dict[str, Any]) -> bool:
    limit = int(memory.get("maxmemory", 0))
    # Redis compares without the buffers of replicas and of the append-only file.
    used = int(memory.get("used_memory", 0)) - int(memory.get("mem_not_counted_for_evict", 0))
    # A request takes memory while Redis reads it, so Redis refuses writes slightly below the limit.
    return limit > 0 and used > limit - min(2**20, limit // 100)


class ServerRegistry(Base):
    """Verbs: beat, servers, history; and Redis's own figures."""

    def beat(self, process: str, snapshot: dict[str, Any], history: list[Any] | None = None) -> int:
        """Report that this process is alive, with its figures; return Redis's time (ms).

        ``history``: only when it has changed since the last beat.
        """
        now: int = self.call(
            load("beat"),
            _KEYS,
            0,
            process=process,
            snapshot=json.dumps(snapshot, separators=(",", ":")),
            slots="" if history is None else json.dumps(history, separators=(",", ":")),
            # Not by a clock that tests move: after a move of an hour every process would look dead.
            now=self.fixed_now(),
        )
        return now

    def leave(self, process: str) -> None:
        """Remove this process from those alive, at a clean stop."""
        self.plain("HDEL", SERVERS, process)

    def servers(self) -> dict[str, dict[str, Any]]:
        """Return the last heartbeat of each process by name, with ``age_ms`` since then."""
        return servers_of(self._all_of(SERVERS), self.own_ms())

    def last_beat(self, process: str) -> dict[str, Any] | None:
        """Return what was last reported under this name; None when nothing was."""
        text = self.plain("HGET", SERVERS, process)
        return next(_entries({process: text})).value if text is not None else None

    def history(self) -> dict[str, list[Any]]:
        """Return the last 15 minutes of each process, also of ended ones; slots: see ``scheduler/telemetry``."""
        return history_of(self.history_reports())

    def history_reports(self) -> dict[str, str]:
        """Return what ``history`` is read from, as Redis has it."""
        return self._all_of(HISTORY)

    def delete_old_servers(self, age_ms: int) -> None:
        """Delete heartbeats and histories of processes that were last seen more than ``age_ms`` ago."""
        now = self.own_ms()
        for key in (SERVERS, HISTORY):
            for entry in _entries(self._all_of(key)):
                if now - entry.at > age_ms:
                    self.plain("HDEL", key, entry.name)

    def redis_info(self) -> dict[str, Any]:
        """Return figures of Redis; those it does not give are None, or ``unknown`` for a word.

        ``version, used_memory, maxmemory`` (bytes; 0: no limit), ``maxmemory_policy``, ``persistence`` (aof | rdb |
        none | unknown), ``clients, keys, full`` (see the verb).
        """
        return self.redis_figures(self._if_allowed(self._info) or [], int(self.plain("DBSIZE")))

    def redis_figures(self, infos: list[dict[str, Any]], keys: int) -> dict[str, Any]:
        """Return what ``redis_info`` does, from INFO of each node; none: Redis does not allow it."""
        info = _together(infos)
        return {
            "version": info.get("valkey_version") or info.get("redis_version", "unknown"),
            "used_memory": _number(info, "used_memory"),
            "maxmemory": _number(info, "maxmemory"),
            "maxmemory_policy": info.get("maxmemory_policy", "unknown"),
            "persistence": self._persistence(info),
            "clients": _number(info, "connected_clients"),
            "keys": keys,
            "full": any(map(_is_full, infos)),
        }

    def loading(self) -> str | None:
        """Return how far Redis is with loading its data, in words; None when it does not load, or does not tell."""
        if cluster_of(self.client):  # its nodes load at different times
            return None
        with suppress(*refusals.ERRORS):
            return progress_of(info_of(self.client))
        return None

    def full(self) -> bool:
        """Return whether Redis, or a node of the cluster, is at ``maxmemory``; False when it does not tell."""
        return any(map(_is_full, self._if_allowed(self._memory) or []))

    def _memory(self) -> list[dict[str, Any]]:
        if cluster := cluster_of(self.client):
            return self._of_primaries(cluster, "memory")
        return [self.client.info("memory")]

    def _of_primaries(self, cluster: RedisCluster, *sections: str) -> list[dict[str, Any]]:
        """Return INFO of the primaries that answer; raises when none does."""
        found: list[dict[str, Any]] = []
        error: Exception | None = None
        for node in cluster.get_primaries():  # type: ignore[no-untyped-call]
            if self.silence.node_is_silent(node.name):
                continue
            try:
                found.append(cluster.info(*sections, target_nodes=node))
            except exceptions.ConnectionError as away:
                error = away
            except exceptions.TimeoutError as away:
                error = away
                self.silence.node_failed(node.name)
        if not found and error:
            raise error
        return found

    def _info(self) -> list[dict[str, Any]]:
        if cluster := cluster_of(self.client):
            return self._of_primaries(cluster)
        return [info_of_text(self.client.execute_command(INFO))]  # type: ignore[no-untyped-call]

    def _persistence(self, info: dict[str, Any]) -> str:
        if "aof_enabled" not in info:
            return "unknown"
        if int(info["aof_enabled"]):
            return "aof"
        saved = self._if_allowed(self._save)
        return "unknown" if saved is None else "rdb" if saved else "none"

    def _save(self) -> str | None:
        where: dict[str, Any] = {"target_nodes": RedisCluster.RANDOM} if cluster_of(self.client) else {}
        saved: str | None = self.client.config_get("save", **where).get("save")
        return saved

    def _if_allowed(self, ask: Callable[[], T]) -> T | None:
        """Ask Redis; return None when it refuses the command.

        A managed Redis may not allow INFO or CONFIG, and the counts of messages are worth showing all the same.
        """
        with unavailable():
            try:
                return ask()
            except exceptions.ResponseError:
                return None

    def _all_of(self, key: str) -> dict[str, str]:
        reply = self.plain("HGETALL", key)
        return reply if isinstance(reply, dict) else dict(zip(reply[::2], reply[1::2], strict=True))


def info_of_text(text: str) -> dict[str, str]:
    """Return the fields of the answer to ``INFO``, as texts."""
    return dict(line.split(":", 1) for line in text.splitlines() if ":" in line)


def servers_of(reports: Mapping[str, str], now: int) -> dict[str, dict[str, Any]]:
    """Return what ``servers`` does, from all fields of the key; ``now``: ``own_ms``."""
    return {e.name: {**e.value, "age_ms": max(0, now - e.at)} for e in _entries(reports)}


def history_of(reports: Mapping[str, str]) -> dict[str, list[Any]]:
    """Return what ``history`` does, from ``history_reports``."""
    return {e.name: e.value for e in _entries(reports)}


def _entries(reports: Mapping[str, str]) -> Iterator[_Entry]:
    for name, text in reports.items():
        at, _, value = text.partition(" ")
        yield _Entry(name, int(at), json.loads(value))
