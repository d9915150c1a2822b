"""Redis is killed and started again in the middle: what flow keys count is right, and nothing waits for ever."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from scheduler.errors import StoreUnavailable
from scheduler.flow import FlowLimits, Rate
from scheduler.message import Outcome
from scheduler.store import MessageStore
from tests.support.flow_servers import Ledger, deliver, fill
from tests.support.redis_server import RedisServer
from tests.support.store import Ticks, at_once, broken_rules, dump, store_on, take
from tests.support.waiting import wait_for


@pytest.fixture
def persistent(short_tmp: Path) -> Iterator[RedisServer]:
    """As the private Redis is kept: what was answered is in its file."""
    with RedisServer(short_tmp, "--appendonly", "yes", "--appendfsync", "no") as server:
        yield server


def restart(server: RedisServer) -> None:
    server.kill()
    server.start()


def test_counts_windows_pauses_and_pins_outlive_redis(persistent: RedisServer) -> None:
    limits = {
        "two": FlowLimits(2),
        "line": FlowLimits(ordered=True),
        "quota": FlowLimits(rate=Rate(3, 10_000)),
        "paused": FlowLimits(9),
        "pinned": FlowLimits(9),
    }
    ticks = Ticks()
    with persistent.client() as client:
        store = store_on(client, ticks)
        store.open()
        store.pause_flow("paused")
        store.pin_flow("pinned", FlowLimits(1))
        fill(store, 4, limits)
        held = take(store, 99, 60_000).claims
        (first,) = [claim for claim in held if claim.payload == '"line"']
        store.settle([Outcome(first, "retry", delay_ms=500, error="e")])
        before = dump(client)
        restart(persistent)
        assert dump(client) == before
        assert broken_rules(client, now=ticks.now) == []
        found = {flow.key: flow for flow in store.flows().flows}
        assert {key: flow.in_flight for key, flow in found.items()} == {
            "two": 2, "line": 0, "quota": 3, "paused": 0, "pinned": 1,
        }  # fmt: skip
        assert (found["quota"].used, found["paused"].paused, found["pinned"].waiting) == (3, True, 3)
        assert take(store, 99, 60_000).claims == [], "nothing has ended, no window, and the line's first one waits"

        store.settle([Outcome(claim, "ack") for claim in held if claim != first])
        more = [claim.payload.strip('"') for claim in take(store, 99, 60_000).claims]
        assert sorted(more) == ["pinned", "two", "two"]
        ticks.now += 500
        assert [claim.id for claim in take(store, 99, 60_000).claims] == [first.id]
        ticks.now += 9_500
        assert [claim.payload for claim in take(store, 99, 60_000).claims] == ['"quota"']


def test_servers_that_deliver_meanwhile_keep_every_limit(persistent: RedisServer) -> None:
    limits = {"one": FlowLimits(1), "two": FlowLimits(2), "line": FlowLimits(ordered=True)}
    each = 400
    ledger = Ledger()
    killed = threading.Event()
    with persistent.client() as client, persistent.client() as other:
        stores = [store_on(each_client) for each_client in (client, other)]
        stores[0].open()
        fill(stores[0], each, limits)

        def done() -> bool:
            return killed.is_set() and all(len(set(ids)) == each for ids in ledger.order.values())

        def began() -> int:
            return len(ledger.order.get("line", ()))

        def kill_in_the_middle() -> None:
            for _ in range(2):
                until = began() + each // 5
                wait_for("some are delivered", lambda until=until: began() >= until)  # type: ignore[misc]
                restart(persistent)
            killed.set()

        def reap(store: MessageStore) -> None:
            pause = threading.Event()
            while not done():
                with suppress(StoreUnavailable):
                    store.reap(100)
                pause.wait(0.02)

        serve = [lambda store=store: deliver(store, ledger, done, lock_ms=2000) for store in stores]
        at_once([*serve, kill_in_the_middle, lambda: reap(stores[0])])

        assert (ledger.most["one"], ledger.most["line"]) == (1, 1)
        assert ledger.most["two"] <= 2
        begun = list(dict.fromkeys(ledger.order["line"]))
        assert begun == sorted(begun), "ids of the service sort as they were accepted"
        assert broken_rules(client) == []
        assert not client.exists("ms1:{0}:flow:keys"), "keys that nothing uses are gone"
