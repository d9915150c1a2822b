"""Several real Redis servers that belong together: a primary watched by sentinels, and a cluster."""

from __future__ import annotations

import signal
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import redis

from tests.support.redis_server import start
from tests.support.waiting import free_port, wait_for

HOST = "127.0.0.1"
SERVICE = "messages"


class Node:
    """One redis-server on a TCP port, started at once; ``kill`` is ``kill -9``, after which it may be started again."""

    def __init__(self, folder: Path, port: int, *arguments: str) -> None:
        folder.mkdir(parents=True)
        self.port = port
        self._arguments = [
            *arguments, "--port", str(port), "--bind", HOST, "--dir", str(folder),
            "--logfile", str(folder / "redis.log"), "--protected-mode", "no",
        ]  # fmt: skip
        self.start()

    def start(self) -> None:
        """As it was started first: without persistence it comes back empty."""
        self._process = start(*self._arguments)
        wait_for(f"the server on {self.port} answers", self._answers)

    def client(self) -> redis.Redis:
        return redis.Redis(HOST, self.port, decode_responses=True, socket_timeout=5)

    def _answers(self) -> bool:
        assert self._process.poll() is None, f"the server on {self.port} ended"
        try:
            with self.client() as client:
                return bool(client.ping())
        except redis.RedisError:
            return False

    def kill(self) -> None:
        self._process.send_signal(signal.SIGCONT)
        self._process.kill()
        self._process.wait(10)

    def freeze(self) -> None:
        """SIGSTOP: it holds its connections, reads nothing and answers nobody."""
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """SIGCONT."""
        self._process.send_signal(signal.SIGCONT)


class Topology:
    """Nodes that are started together and ended together."""

    def __init__(self) -> None:
        self.nodes: list[Node] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for node in self.nodes:
            node.kill()


class Sentinels(Topology):
    """One primary with its replicas, and three sentinels."""

    def __init__(self, folder: Path, *options: str, replicas: int = 1, down_after_ms: int = 1500) -> None:
        """``options``: more of them for the primary and the replicas.  ``down_after_ms``: who is silent for so long is
        down.
        """
        super().__init__()
        self._down_after_ms = down_after_ms
        data = ("--save", "", "--appendonly", "no", "--repl-diskless-sync-delay", "0", *options)
        self.primary = self._add(Node(folder / "primary", free_port(), *data))
        self.replicas = [self._add(Node(folder / f"replica-{n}", free_port(), *data)) for n in range(replicas)]
        for replica in self.replicas:
            # Not an option of its own: a replica that was promoted and dies comes back as what it was last.
            with replica.client() as client:
                client.replicaof(HOST, self.primary.port)
            wait_for("the replica follows", lambda: self._follows(replica, self.primary.port))  # noqa: B023 - at once
        self.sentinels = [self._sentinel(folder / f"sentinel-{n}") for n in range(3)]
        for sentinel in self.sentinels:
            wait_for("the sentinels know each other", lambda: self._complete(sentinel))  # noqa: B023 - asked at once

    @property
    def replica(self) -> Node:
        return self.replicas[0]

    @property
    def url(self) -> str:
        return f"sentinel://{','.join(f'{HOST}:{node.port}' for node in self.sentinels)}/{SERVICE}"

    def current(self) -> int:
        """The port of the primary, as the sentinels see it."""
        return self._named(self.sentinels[0])

    def hurry(self) -> None:
        """An old primary is made a replica after some 2 s and not after the sentinels' own 10 s, from Redis 7.0 on."""
        for sentinel in self.sentinels:
            with sentinel.client() as client, suppress(redis.ResponseError):
                client.execute_command("SENTINEL", "DEBUG", "PUBLISH-PERIOD", 250, "INFO-PERIOD", 1000)

    def fail_over(self) -> None:
        """Ask for another primary while the one that is there answers.  Returns before it is promoted."""

        def begun() -> bool:
            with self.sentinels[0].client() as client:
                try:
                    return bool(client.execute_command("SENTINEL", "FAILOVER", SERVICE))
                except redis.ResponseError:  # it has not looked at the replicas yet, or the last one is not over
                    return False

        wait_for("the failover begins", begun, 30)

    def node(self, port: int) -> Node:
        """The one that listens there."""
        return next(node for node in self.nodes if node.port == port)

    def promoted(self, old: int) -> bool:
        """All sentinels name another primary than the one on this port."""
        return all(self._named(sentinel) != old for sentinel in self.sentinels)

    def whole(self) -> bool:
        """The sentinels agree on a primary, and all others follow it."""
        port = self.current()
        return {self._named(sentinel) for sentinel in self.sentinels} == {port} and all(
            self._follows(node, port) for node in (self.primary, *self.replicas) if node.port != port
        )

    def _named(self, sentinel: Node) -> int:
        with sentinel.client() as client:
            return int(client.execute_command("SENTINEL", "GET-MASTER-ADDR-BY-NAME", SERVICE)[1])

    def _follows(self, node: Node, port: int) -> bool:
        with node.client() as client:
            state: dict[str, Any] = client.info("replication")
            return state.get("master_link_status") == "up" and state.get("master_port") == port

    def _add(self, node: Node) -> Node:
        self.nodes.append(node)
        return node

    def _sentinel(self, folder: Path) -> Node:
        folder.mkdir(parents=True)
        config = folder / "sentinel.conf"
        config.write_text(
            f"sentinel monitor {SERVICE} {HOST} {self.primary.port} 2\n"
            f"sentinel down-after-milliseconds {SERVICE} {self._down_after_ms}\n"
            f"sentinel failover-timeout {SERVICE} 2000\n"
        )
        return self._add(Node(folder / "work", free_port(), str(config), "--sentinel"))

    def _complete(self, sentinel: Node) -> bool:
        with sentinel.client() as client:
            state = client.execute_command("SENTINEL", "MASTER", SERVICE)
            known = state if isinstance(state, dict) else dict(zip(state[::2], state[1::2], strict=True))
            return int(known["num-other-sentinels"]) == 2 and int(known["num-slaves"]) == len(self.replicas)


class Cluster(Topology):
    """Three primaries that share the slots, each with a replica when ``replicas`` is true.  With ``partial`` they go on
    when one of them is gone.
    """

    def __init__(self, folder: Path, *, replicas: bool = False, partial: bool = False) -> None:
        super().__init__()
        for n in range(6 if replicas else 3):
            port = free_port()
            options = (
                *("--cluster-enabled", "yes", "--cluster-node-timeout", "1000", "--save", "", "--appendonly", "no"),
                *("--cluster-require-full-coverage", "no" if partial else "yes"),
                *("--cluster-port", str(free_port()), "--repl-diskless-sync-delay", "0"),
            )
            self.nodes.append(Node(folder / f"node-{n}", port, *options))
        self._join()
        if replicas:
            self._follow()

    @property
    def url(self) -> str:
        return f"cluster://{','.join(f'{HOST}:{node.port}' for node in self.nodes[:3])}"

    def _join(self) -> None:
        with self.nodes[0].client() as first:
            for node in self.nodes[1:]:
                with node.client() as client:
                    bus = client.config_get("cluster-port")["cluster-port"]
                first.execute_command("CLUSTER", "MEET", HOST, node.port, bus)
        slots = [0, 5461, 10923, 16384]
        for node, low, high in zip(self.nodes, slots, slots[1:], strict=False):
            with node.client() as client:
                client.execute_command("CLUSTER", "ADDSLOTSRANGE", low, high - 1)
        for node in self.nodes:
            wait_for("the cluster is whole", lambda: self._whole(node))  # noqa: B023 - asked at once

    def _whole(self, node: Node) -> bool:
        with node.client() as client:
            info = client.execute_command("CLUSTER", "INFO")
            state = info if isinstance(info, dict) else dict(line.split(":") for line in info.split())
            return state["cluster_state"] == "ok" and int(state["cluster_known_nodes"]) == len(self.nodes)

    def _follow(self) -> None:
        for primary, replica in zip(self.nodes[:3], self.nodes[3:], strict=True):
            with primary.client() as client:
                id = client.execute_command("CLUSTER", "MYID")
            with replica.client() as client:
                client.execute_command("CLUSTER", "REPLICATE", id)
                wait_for("the replica follows", lambda: client.info("replication")["master_link_status"] == "up")
