"""Lanes on a real Redis with real threads: nothing waits behind what it has nothing to do with."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest
import redis

from scheduler.delivery import served
from scheduler.jobs import REGISTRY, JobContext
from scheduler.message import Status
from tests.support.running import QUICK, Running
from tests.support.waiting import wait_for

SECONDS = 30.0
BOUND = 2


class Gate:
    """Jobs that end when they are let go, and who runs them."""

    def __init__(self) -> None:
        self.opened = threading.Event()
        self.running: dict[str, int] = {}
        self.most: dict[str, int] = {}
        self.ran = 0
        self._lock = threading.Lock()

    def pass_through(self, type: str) -> None:
        with self._lock:
            self.running[type] = self.running.get(type, 0) + 1
            self.most[type] = max(self.most.get(type, 0), self.running[type])
        assert self.opened.wait(SECONDS)
        with self._lock:
            self.running[type] -= 1
            self.ran += 1


_gate = Gate()


@REGISTRY.handler("lanes_slow")
def _slow(_payload: Any, _context: JobContext) -> None:
    _gate.pass_through("slow")


@REGISTRY.handler("lanes_bounded", concurrency=BOUND)
def _bounded(_payload: Any, _context: JobContext) -> None:
    _gate.pass_through("bounded")


@REGISTRY.handler("lanes_quick")
def _quick(_payload: Any, _context: JobContext) -> None:
    """Ends at once."""


@pytest.fixture(autouse=True)
def gate(redis_client: redis.Redis) -> Iterator[Gate]:
    _gate.__init__()  # type: ignore[misc]
    yield _gate
    _gate.opened.set()


def serving(url: str, lanes: str, name: str = "here") -> Running:
    settings = {**QUICK, "scheduler": {**QUICK["scheduler"], "serves": lanes}}
    return Running(url, name=name, settings=settings)


def jobs(runtime: Running, type: str, count: int) -> list[str]:
    return runtime.add(count, channel="job", type=type)


def delivered(runtime: Running, *ids: str) -> None:
    for id in ids:
        wait_for(f"{id} is delivered", lambda id=id: runtime.store.get(id).status is Status.DELIVERED)  # type: ignore[misc]


def waits(runtime: Running, lane: str) -> int:
    counts = runtime.store.counts().lanes.get(lane)
    return counts.scheduled if counts else 0


def test_beside_ten_slow_jobs_and_their_backlog_all_else_is_delivered(redis_url: str, gate: Gate) -> None:
    with Running(redis_url) as runtime:
        jobs(runtime, "lanes_slow", 1_000)
        wait_for("ten jobs run", lambda: gate.running.get("slow") == 10)
        delivered(runtime, *runtime.add(200), *jobs(runtime, "lanes_quick", 20))
        assert gate.running["slow"] == 10
        assert (gate.ran, waits(runtime, "job:lanes_slow")) == (0, 990), "the others wait in Redis"
        gate.opened.set()


def test_a_type_is_never_run_more_often_than_its_bound_and_another_server_takes_its_backlog(
    redis_url: str, gate: Gate
) -> None:
    with Running(redis_url, name="one") as one:
        ids = jobs(one, "lanes_bounded", 20)
        wait_for("as many run as may", lambda: gate.running.get("bounded") == BOUND)
        assert waits(one, "job:lanes_bounded") == 20 - BOUND
        with Running(redis_url, name="two"):
            wait_for("the other server runs as many", lambda: gate.running.get("bounded") == 2 * BOUND)
            assert waits(one, "job:lanes_bounded") == 20 - 2 * BOUND
            gate.opened.set()
            delivered(one, *ids)
    assert gate.most["bounded"] == 2 * BOUND, "both servers together"


def test_a_server_delivers_what_it_is_told_and_the_rest_waits_and_is_said(redis_url: str, gate: Gate) -> None:
    gate.opened.set()
    with serving(redis_url, "echo,webhook", "quick") as quick, serving(redis_url, "job:lanes_slow", "slow") as slow:
        assert quick.report()["lanes"] == ["echo", "webhook"]
        assert slow.report()["lanes"] == ["job:lanes_slow"]
        other, unknown = jobs(quick, "lanes_quick", 1) + jobs(quick, "lanes_nobody_knows", 1)
        echo, job = quick.add() + jobs(quick, "lanes_slow", 1)
        delivered(quick, echo, job)
        for id, server in ((echo, quick), (job, slow)):
            server.logger.wait_for(f"ack id={id}")
        for id in (other, unknown):
            assert (quick.store.get(id).status, quick.store.get(id).attempt) == (Status.SCHEDULED, 0)
        said = served.warnings(quick.store.counts(), quick.store.servers().values())
        assert [sentence.split(",")[0] for sentence in said] == [
            "1 message is due in the lane job:lanes_nobody_knows",
            "1 message is due in the lane job:lanes_quick",
        ]
        with serving(redis_url, "job", "all-jobs"):
            delivered(quick, other)
