"""Wait until replicas have a write, so that a failover loses no message that was accepted."""

from __future__ import annotations

from typing import Any

from redis import Redis, exceptions

from scheduler.errors import StoreUnavailable
from scheduler.redis_server.connections import cluster_of


class Replicated:
    """A client whose commands return when N replicas have what was written.

    The script and ``WAIT`` go over the same connection, because WAIT covers the writes of its own connection only.
    """

    def __init__(self, client: Redis, replicas: int, timeout_ms: int) -> None:
        self._client = client
        self._replicas = replicas
        self._timeout_ms = timeout_ms

    def execute_command(self, *command: Any, **_: Any) -> Any:
        """Run ``EVALSHA`` or ``EVAL``.

        Raises ``StoreUnavailable`` when fewer replicas confirm in time.  The primary has the write all the same, so the
        caller must try again with the same id or Idempotency-Key.
        """
        try:
            reply, confirmed = self._send(command)
        except exceptions.MovedError:
            # The partition has moved to another node: read the cluster's layout again.
            if cluster := cluster_of(self._client):
                cluster.nodes_manager.initialize()
            reply, confirmed = self._send(command)
        if confirmed < self._replicas:
            raise StoreUnavailable(
                f"done, but only {confirmed} of {self._replicas} replicas confirmed it (Redis.WaitReplicas)",
                reason="Done, but too few replicas of Redis confirmed it",
            )
        return reply

    def _send(self, command: tuple[Any, ...]) -> tuple[Any, int]:
        with self._node(command).pipeline(transaction=False) as pipeline:
            pipeline.execute_command(*command)  # type: ignore[no-untyped-call]
            pipeline.execute_command("WAIT", self._replicas, self._timeout_ms)  # type: ignore[no-untyped-call]
            reply, confirmed = pipeline.execute(raise_on_error=False)
        for answer in (reply, confirmed):
            if isinstance(answer, Exception):
                raise answer
        return reply, int(confirmed)

    def _node(self, command: tuple[Any, ...]) -> Redis:
        """Return the client of the node that has the script's first key."""
        cluster = cluster_of(self._client)
        if cluster is None:
            return self._client
        node = cluster.get_node_from_key(command[3])  # type: ignore[no-untyped-call]
        if node is None:
            raise StoreUnavailable("no node of the cluster serves this partition")
        found: Redis = cluster.get_redis_connection(node)
        return found
