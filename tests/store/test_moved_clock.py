"""The clock that users' tests move: everything that is due by it is, and nobody loses what is being delivered."""

from __future__ import annotations

import pytest
import redis

from scheduler.errors import InvalidInput, LayoutError
from scheduler.message import FromNow, IdGenerator, Outcome
from scheduler.store import MessageStore
from scheduler.store.keys import WAKE
from tests.support.store import message, take

YEAR = 365 * 86_400_000


def opened(client: redis.Redis, *, test_clock: bool = True) -> MessageStore:
    store = MessageStore(client, new_id=IdGenerator(lambda: 1), test_clock=test_clock)
    store.open()
    return store


@pytest.fixture
def store(redis_client: redis.Redis) -> MessageStore:
    return opened(redis_client)


def test_what_is_due_next_year_is_due_after_a_move_for_every_process(
    store: MessageStore, redis_client: redis.Redis
) -> None:
    moment = store.redis_ms() + YEAR
    store.schedule([message("a", moment)])
    other = opened(redis_client)
    waiting = take(other, 10, 1000)
    assert waiting.claims == []
    assert waiting.wait_ms == pytest.approx(YEAR, abs=5000)
    assert moment <= store.move_clock(moment) < moment + 5000
    claimed = take(other, 10, 1000)
    assert [claim.id for claim in claimed.claims] == ["a"]
    assert moment <= claimed.redis_ms < moment + 5000
    assert other.settle([Outcome(claimed.claims[0], "ack")]) == [True]
    finished = store.get("a").finished_at
    assert finished is not None
    assert moment <= finished < moment + 5000
    assert moment <= store.counts().redis_ms < moment + 5000


def test_a_message_is_not_early(store: MessageStore) -> None:
    moment = store.redis_ms() + YEAR
    store.schedule([message("a", moment)])
    store.move_clock(moment - 60_000)
    assert take(store, 10, 1000).claims == []


def test_a_delay_counts_from_the_moved_clock(store: MessageStore) -> None:
    now = store.move_clock(store.redis_ms() + YEAR)
    (stored,) = store.schedule([message("a", FromNow(60_000))])
    assert now + 60_000 <= stored.due_at < now + 65_000


def test_moves_add_up_and_outlive_the_process(store: MessageStore, redis_client: redis.Redis) -> None:
    before = store.own_ms()
    store.move_clock(store.redis_ms() + YEAR)
    store.move_clock(store.redis_ms() + YEAR)
    assert opened(redis_client).redis_ms() == pytest.approx(before + 2 * YEAR, abs=5000)


def test_what_is_being_delivered_stays_locked(store: MessageStore) -> None:
    store.schedule([message("a", FromNow(0)), message("b", FromNow(0))])
    first, second = take(store, 10, 60_000).claims
    store.move_clock(store.redis_ms() + YEAR)
    reaped = store.reap(10)
    assert (reaped.scheduled, reaped.dead) == (0, 0)
    assert store.renew([first, second], 60_000) == []
    assert store.reap(10).scheduled == 0
    assert store.settle([Outcome(first, "ack"), Outcome(second, "ack")]) == [True, True]


def test_a_lock_still_expires(store: MessageStore) -> None:
    store.move_clock(store.redis_ms() + YEAR)
    store.schedule([message("a", FromNow(0))])
    (claim,) = take(store, 10, 0).claims
    assert store.reap(10).scheduled == 1, "what a claim locked"
    (claim,) = take(store, 10, 60_000).claims
    assert store.renew([claim], 0) == []
    assert store.reap(10).scheduled == 1, "what a renewal locked"


def test_processes_stay_alive(store: MessageStore) -> None:
    own = store.beat("one", {})
    store.move_clock(store.redis_ms() + YEAR)
    assert store.servers()["one"]["age_ms"] < 5000
    assert store.beat("one", {}) - own < 5000, "or the process would say that its clock is a year behind"


def test_dispatchers_are_woken(store: MessageStore, redis_client: redis.Redis) -> None:
    with redis_client.pubsub() as subscription:  # type: ignore[no-untyped-call]
        subscription.subscribe(WAKE)
        assert subscription.get_message(timeout=5)["type"] == "subscribe"
        store.move_clock(store.redis_ms() + 1000)
        assert subscription.get_message(timeout=5)["type"] == "message"


def test_it_only_moves_forward(store: MessageStore) -> None:
    before = store.redis_ms()
    with pytest.raises(InvalidInput, match="it only moves on"):
        store.move_clock(before - 1)
    assert store.moved_ms() == 0


def test_a_server_without_the_setting_refuses_such_a_redis(store: MessageStore, redis_client: redis.Redis) -> None:
    opened(redis_client, test_clock=False)
    store.move_clock(store.redis_ms() + YEAR)
    with pytest.raises(LayoutError, match=r"Set Test\.Clock to true, or use another Redis"):
        opened(redis_client, test_clock=False)


def test_without_the_setting_nothing_is_asked_for(redis_client: redis.Redis) -> None:
    store = opened(redis_client, test_clock=False)
    with redis_client.monitor() as monitor:  # type: ignore[no-untyped-call]
        take(store, 10, 1000)
        redis_client.ping()
        commands = []
        for command in monitor.listen():
            if command["command"].startswith("PING"):
                break
            if command["client_type"] != "lua":
                commands.append(command["command"].split()[0])
    assert "EVALSHA" in commands
    assert "HGET" not in commands
