"""Growing: more server processes on one Redis, and the same server on a cluster."""

from __future__ import annotations

import time
from contextlib import ExitStack, closing
from pathlib import Path
from statistics import median

from bench.console import FileConsole
from bench.delivery import PATIENCE, check_each_once
from bench.messages import clock, fill, mark_of
from bench.service import Service, folder, private_redis
from bench.table import Figure, Row
from scheduler.redis_server.private import socket_path
from tests.support.topologies import HOST, Cluster, Node
from tests.support.waiting import free_port

PARTITIONS = 12


def drained(path: Path, url: str, count: int, servers: int = 1, rounds: int = 1, **settings: str) -> float:
    """Messages per second that so many servers print and settle together, of ``count`` that are all due; the middle
    of the rounds.  Raises ``Broken`` unless each message was printed once."""
    rates = []
    with ExitStack() as stack:
        consoles = [stack.enter_context(closing(FileConsole(path / f"console-{n}"))) for n in range(servers)]
        running = [
            stack.enter_context(
                Service(
                    path / f"server-{n}", consoles[n], role="worker", redis_url=url, SERVER__NAME=f"s{n}", **settings
                )
            )
            for n in range(servers)
        ]
        store = running[0].store
        for n in range(rounds):
            store.pause()
            now = clock.now_ms()
            fill(store, count, lambda _: now, n * count)  # noqa: B023 - called at once
            began = time.perf_counter()
            store.resume()
            running[0].wait_settled(PATIENCE)
            rates.append(count / (time.perf_counter() - began))
        texts = [text for console in consoles for text in console.texts()]
        check_each_once((mark_of(text).number for text in texts), range(rounds * count))
    return median(rates)


def servers(quick: bool) -> Row:
    """One, two, three server processes on one private Redis."""
    count, rounds = (2_000, 1) if quick else (50_000, 3)
    rates = []
    with folder() as path:
        for n in (1, 2) if quick else (1, 2, 3):
            data = path / f"redis-{n}"
            with private_redis(data):
                (path / str(n)).mkdir()
                rates.append(drained(path / str(n), f"unix://{socket_path(data)}", count, n, rounds))
    return Row(
        ", ".join(f"{name} {rate:,.0f}/s" for name, rate in zip(("two", "three"), rates[1:], strict=False)),
        f"one {rates[0]:,.0f}/s",
        rates[1] / rates[0],
        "how drain grows, as measured",
        True,
        f"{count:,} messages, all due, the middle of {rounds}; servers and Redis share this machine's two cores.",
    )


def cluster(quick: bool) -> Row:
    """One server on a cluster of three primaries, and on one Redis."""
    count, rounds = (2_000, 1) if quick else (50_000, 3)
    with folder() as path:
        data = ("--save", "", "--appendonly", "no")
        single = Node(path / "single", free_port(), *data)
        try:
            (path / "one").mkdir()
            one = drained(path / "one", f"{HOST}:{single.port}", count, 1, rounds)
        finally:
            single.kill()
        with Cluster(path / "nodes") as nodes:
            (path / "cluster").mkdir()
            spread = drained(path / "cluster", nodes.url, count, 1, rounds, REDIS__PARTITIONS=str(PARTITIONS))
    return Row(
        f"{spread:,.0f}/s",
        f"{one:,.0f}/s",
        spread / one,
        ">= 0.80 of one Redis",
        spread >= 0.8 * one,
        f"{count:,} messages, all due, one server, {PARTITIONS} partitions on three primaries; baseline: the same "
        f"server on one Redis; both over TCP, without append-only file; the middle of {rounds}.",
    )


FIGURES = (Figure("servers", servers), Figure("cluster", cluster))
