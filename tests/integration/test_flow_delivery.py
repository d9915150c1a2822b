"""Flow keys on two servers with real threads: never one more than allowed, never idle while there is room."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import redis

from scheduler.flow import Flow, FlowLimits
from scheduler.jobs import REGISTRY, JobContext
from scheduler.message import Status
from tests.support.running import QUICK, Running
from tests.support.turnstile import Turnstile
from tests.support.waiting import wait_for

HELD = 10**9
"""More than will ever be inside: nothing leaves."""
WITHOUT_POLLS = {**QUICK, "scheduler": {**QUICK["scheduler"], "poll_seconds": 60}}
"""A slot that is left free is not found by chance."""

_turnstile = Turnstile()


@REGISTRY.handler("flow_turnstile")
def _work(_payload: Any, _context: JobContext) -> None:
    _turnstile.pass_through()


@pytest.fixture
def servers(redis_client: redis.Redis, redis_url: str) -> Iterator[Running]:
    """Two of them, ten threads each."""
    with (
        Running(redis_url, name="one", settings=WITHOUT_POLLS) as one,
        Running(redis_url, name="two", settings=WITHOUT_POLLS),
    ):
        yield one
        _turnstile.allow(0)


def turnstile(allowed: int, total: int = HELD) -> Turnstile:
    _turnstile.__init__(allowed, total)  # type: ignore[misc]
    return _turnstile


def add(server: Running, count: int, limits: FlowLimits) -> list[str]:
    return server.add(count, channel="job", type="flow_turnstile", flow=Flow("key", limits))


def delivered(server: Running, ids: list[str]) -> bool:
    return all(server.store.get(id).status is Status.DELIVERED for id in ids)


def test_as_many_are_at_work_as_a_key_allows_from_the_first_to_the_last(servers: Running) -> None:
    """One leaves only while five are inside: with a slot that nobody fills nothing goes on."""
    gate = turnstile(HELD, total=60)
    ids = add(servers, 60, FlowLimits(5))
    gate.wait_for(5)
    beside = servers.add(50)
    wait_for("others are delivered meanwhile", lambda: delivered(servers, beside))
    assert (gate.inside, servers.store.flow("key").in_flight) == (5, 5)
    gate.allow(5)
    wait_for("all are delivered", lambda: delivered(servers, ids))
    assert (gate.came, gate.most, gate.stood_still) == (60, 5, 0)
    assert servers.store.flows().flows == []


def test_what_waits_follows_a_pin_and_a_pause_at_once(servers: Running) -> None:
    gate = turnstile(HELD)
    ids = add(servers, 12, FlowLimits(1))
    gate.wait_for(1)
    assert servers.store.flow("key").waiting == 11
    servers.store.pin_flow("key", FlowLimits(4))
    gate.wait_for(4)

    servers.store.pause_flow("key")
    gate.allow(0)
    wait_for("those that had begun have ended", lambda: servers.store.flow("key").in_flight == 0)
    assert (gate.came, servers.store.flow("key").waiting) == (4, 8), "none began after the pause"
    gate.allow(HELD)
    servers.store.pin_flow("key", FlowLimits(2))
    assert (gate.came, servers.store.flow("key").in_flight) == (4, 0), "a pin ends no pause"

    servers.store.resume_flow("key")
    gate.wait_for(2)
    add(servers, 1, FlowLimits(9))
    assert (gate.inside, servers.store.flow("key").in_flight) == (2, 2), "pinned, whatever the newest message says"
    servers.store.unpin_flow("key")
    gate.wait_for(9)
    gate.allow(0)
    wait_for("all are delivered", lambda: delivered(servers, ids))
