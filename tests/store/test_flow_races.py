"""Flow keys under many servers at once: threads that claim and settle as fast as they can, one that is killed."""

from __future__ import annotations

import multiprocessing
import threading
from collections import Counter
from typing import Any

import pytest
import redis

from scheduler.flow import FlowLimits, Rate
from scheduler.message import Outcome
from scheduler.store import MessageStore
from tests.support.flow_servers import Ledger, deliver, fill
from tests.support.redis_server import RedisServer
from tests.support.store import at_once, broken_rules, store_on, take


@pytest.mark.parametrize("partitions", [1, 3])
def test_never_one_more_than_allowed_and_nothing_is_left(redis_client: redis.Redis, partitions: int) -> None:
    limits = {"one": FlowLimits(1), "two": FlowLimits(2), "line": FlowLimits(ordered=True), "free": FlowLimits()}
    stores = [store_on(redis_client, partitions=partitions) for _ in range(4)]
    stores[0].open()
    fill(stores[0], 60, limits)
    ledger = Ledger()

    def done() -> bool:
        return sum(map(len, ledger.order.values())) == 240

    at_once([lambda store=store: deliver(store, ledger, done) for store in stores])  # type: ignore[misc]
    assert (ledger.most["one"], ledger.most["line"]) == (1, 1)
    assert ledger.most["two"] <= 2
    assert {key: len(ids) for key, ids in ledger.order.items()} == dict.fromkeys(limits, 60)
    assert ledger.order["line"] == sorted(ledger.order["line"]), "ids of the service sort as they were accepted"
    for partition in range(partitions):
        assert broken_rules(redis_client, partition) == []
        assert not redis_client.exists(f"ms1:{{{partition}}}:flow:keys"), "keys that nothing uses are gone"


def _claim_and_die(url: str, connection: Any) -> None:
    """A server that is killed with all that it claimed."""
    with redis.Redis.from_url(url, decode_responses=True) as client:
        connection.send([claim.id for claim in take(store_on(client), 99, 200).claims])
        connection.recv()


def test_a_killed_server_gives_its_slots_back(redis_server: RedisServer, redis_client: redis.Redis) -> None:
    store = store_on(redis_client)
    store.open()
    fill(store, 6, {"two": FlowLimits(2), "line": FlowLimits(ordered=True)})
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    process = context.Process(target=_claim_and_die, args=(redis_server.url, there))
    process.start()
    held = here.recv()
    process.kill()
    process.join()
    assert len(held) == 3
    assert take(store, 99, 30_000).claims == [], "its slots are not free while its locks hold"
    expired = threading.Event()
    while store.reap(100).scheduled == 0:
        expired.wait(0.02)
    order: list[str] = []
    while claims := take(store, 99, 30_000).claims:
        order += [claim.id for claim in claims if claim.payload == '"line"']
        store.settle([Outcome(claim, "ack") for claim in claims])
    assert order == sorted(order)
    assert order[0] in held, "the one that had begun goes first"
    assert broken_rules(redis_client) == []


def test_a_window_never_has_one_more_by_redis_own_clock(redis_client: redis.Redis) -> None:
    stores = [store_on(redis_client) for _ in range(3)]
    stores[0].open()
    fill(stores[0], 60, {"rated": FlowLimits(rate=Rate(20, 1000))})
    begun: list[float] = []
    lock = threading.Lock()

    def serve(store: MessageStore) -> None:
        pause = threading.Event()
        while len(begun) < 60:
            claimed = take(store, 7, 30_000)
            with lock:
                begun.extend([claimed.redis_ms] * len(claimed.claims))
            store.settle([Outcome(claim, "ack") for claim in claimed.claims])
            pause.wait(0 if claimed.claims else min(0.05, (claimed.wait_ms or 0) / 1000))

    at_once([lambda store=store: serve(store) for store in stores])  # type: ignore[misc]
    # Windows are counted in whole milliseconds.
    windows = Counter((int(at) - int(min(begun))) // 1000 for at in begun)
    assert windows == {0: 20, 1: 20, 2: 20}


def test_limits_hold_in_a_redis_that_was_restored(redis_server: RedisServer, redis_client: redis.Redis) -> None:
    """What it has on disk is whole scripts: counts and locks belong together."""
    store = store_on(redis_client)
    store.open()
    fill(store, 5, {"two": FlowLimits(2)})
    claims = take(store, 1, 60_000).claims
    copy = {key: redis_client.dump(key) or b"" for key in redis_client.keys("*")}
    redis_client.flushall()
    redis_client.script_flush()
    for key, value in copy.items():
        redis_client.restore(key, 0, value)
    assert len(take(store, 9, 60_000).claims) == 1
    store.settle([Outcome(claims[0], "ack")])
    assert len(take(store, 9, 60_000).claims) == 1
    assert broken_rules(redis_client) == []
