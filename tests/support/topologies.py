"""Several real Redis servers that belong together: a primary watched by sentinels, and a cluster."""

from __future__ import annotations

import signal
import subprocess
from pathlib import Path
from types import TracebackType
from typing import Self

import redis

from tests.support.redis_server import find_binary
from tests.support.waiting import free_port, wait_for

HOST = "127.0.0.1"
SERVICE = "messages"


class Node:
    """One redis-server on a TCP port; ``kill`` is ``kill -9``."""

    def __init__(self, folder: Path, port: int, *arguments: str) -> None:
        folder.mkdir(parents=True)
        self.port = port
        command = [
            find_binary(), *arguments, "--port", str(port), "--bind", HOST, "--dir", str(folder),
            "--logfile", str(folder / "redis.log"), "--protected-mode", "no",
        ]  # fmt: skip
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_for(f"the server on {port} answers", self._answers)

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
    """One primary, one replica, three sentinels that notice within a second."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        data = ("--save", "", "--appendonly", "no", "--repl-diskless-sync-delay", "0")
        self.primary = self._add(Node(folder / "primary", free_port(), *data))
        self.replica = self._add(
            Node(folder / "replica", free_port(), *data, "--replicaof", f"{HOST} {self.primary.port}")
        )
        wait_for("the replica follows", lambda: self._state(self.replica).get("master_link_status") == "up")
        self.sentinels = [self._sentinel(folder / f"sentinel-{n}") for n in range(3)]
        for sentinel in self.sentinels:
            wait_for("the sentinels know each other", lambda: self._complete(sentinel))  # noqa: B023 - asked at once

    @property
    def url(self) -> str:
        return f"sentinel://{','.join(f'{HOST}:{node.port}' for node in self.sentinels)}/{SERVICE}"

    def current(self) -> int:
        """The port of the primary, as the sentinels see it."""
        with self.sentinels[0].client() as client:
            return int(client.execute_command("SENTINEL", "GET-MASTER-ADDR-BY-NAME", SERVICE)[1])

    def _add(self, node: Node) -> Node:
        self.nodes.append(node)
        return node

    def _sentinel(self, folder: Path) -> Node:
        folder.mkdir(parents=True)
        config = folder / "sentinel.conf"
        config.write_text(
            f"sentinel monitor {SERVICE} {HOST} {self.primary.port} 2\n"
            f"sentinel down-after-milliseconds {SERVICE} 500\n"
            f"sentinel failover-timeout {SERVICE} 2000\n"
        )
        return self._add(Node(folder / "work", free_port(), str(config), "--sentinel"))

    def _state(self, node: Node) -> dict[str, str]:
        with node.client() as client:
            found: dict[str, str] = client.info("replication")
            return found

    def _complete(self, sentinel: Node) -> bool:
        with sentinel.client() as client:
            state = client.execute_command("SENTINEL", "MASTER", SERVICE)
            known = state if isinstance(state, dict) else dict(zip(state[::2], state[1::2], strict=True))
            return int(known["num-other-sentinels"]) == 2 and int(known["num-slaves"]) == 1


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
