"""Queues of flow keys with more messages than fit into one piece."""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path

import pytest
import redis

from scheduler.flow import Flow, FlowLimits
from scheduler.message import Outcome
from scheduler.store import Changes, MessageStore
from tests.support.pieces import pieces_of
from tests.support.store import NOW, Ticks, dump, message, take

PIECE = 128
LOCK_MS = 60_000
FREE = FlowLimits()


@pytest.fixture
def client(redis_client: redis.Redis) -> redis.Redis:
    """A real server, which has the two forms of a sorted set."""
    return redis_client


@pytest.fixture
def partitions() -> int:
    return 1


def put(store: MessageStore, moments: Sequence[int], first: int = 0, limits: FlowLimits = FREE) -> list[str]:
    """Messages of the key ``k``, due at these moments, in ms after NOW; their ids."""
    ids = [f"m{first + n:04d}" for n in range(len(moments))]
    store.schedule([message(id, NOW + at, flow=Flow("k", limits)) for id, at in zip(ids, moments, strict=True)])
    return ids


def deliver(store: MessageStore, limit: int = 50) -> list[str]:
    """All that is due, in its order."""
    delivered = []
    while claims := take(store, limit, LOCK_MS).claims:
        store.settle([Outcome(claim, "ack") for claim in claims])
        delivered += [claim.id for claim in claims]
    return delivered


def pieces(client: redis.Redis) -> list[str]:
    return [key for key in client.scan_iter() if ":flow:piece:" in key or ":flow:queue:" in key]


def test_messages_in_their_order_fill_small_pieces(store: MessageStore, client: redis.Redis, ticks: Ticks) -> None:
    ids = put(store, [*range(500), *[500] * 500])
    found = pieces(client)
    assert len(found) == -(-1000 // PIECE)
    assert {client.object("encoding", key) for key in found} <= {"listpack", "ziplist"}
    assert (store.flow("k").scheduled, store.flow("k").waiting) == (1000, 1)
    ticks.now += 500
    assert store.flow("k").waiting == 1000
    assert deliver(store) == ids
    assert pieces(client) == []


def test_messages_in_any_order_are_delivered_in_that_of_their_moments(
    store: MessageStore, client: redis.Redis, ticks: Ticks
) -> None:
    chance = random.Random(7)
    moments = [chance.randrange(400) for _ in range(800)]
    ids = put(store, moments[:500]) + put(store, moments[500:], first=500)
    assert len(pieces(client)) < 2 * len(ids) / PIECE
    gone = set(chance.sample(ids, 250))
    for id in gone:
        store.cancel(id)
    moved = chance.choice([id for id in ids if id not in gone])
    store.update(moved, Changes(due_at=NOW + 401))
    ticks.now += 200
    by_moment = sorted((at, id) for at, id in zip(moments, ids, strict=True) if id not in gone | {moved})
    assert store.flow("k").waiting == sum(at <= 200 for at, _ in by_moment)
    ticks.now += 300
    assert deliver(store) == [id for _, id in by_moment] + [moved]
    assert [name for name in dump(client) if name.startswith("flow:")] == []


def test_the_queue_of_an_earlier_version_is_one_large_piece(
    store: MessageStore, client: redis.Redis, ticks: Ticks, tmp_path: Path
) -> None:
    with pieces_of(1000, tmp_path):
        put(store, range(0, 600, 2))
    assert len(pieces(client)) == 1
    put(store, [1, 599, 301], first=300)
    assert len(pieces(client)) == 3
    ticks.now += 600
    delivered = deliver(store)
    assert len(delivered) == 303
    assert [delivered[1], delivered[152], delivered[-1]] == ["m0300", "m0302", "m0301"]


def test_one_that_has_begun_is_found_in_an_ordered_queue(store: MessageStore, ticks: Ticks, tmp_path: Path) -> None:
    """It stands before all others, and is due after most of them."""
    with pieces_of(2, tmp_path):
        ids = put(store, [0, 1, 2, 3, 4], limits=FlowLimits(ordered=True))
        (claim,) = take(store, 1, LOCK_MS).claims
        store.settle([Outcome(claim, "retry", delay_ms=1000)])
        ticks.now += 10
        assert (claim.id, store.flow("k").waiting) == (ids[0], 4)
        assert deliver(store) == []
        store.cancel(ids[0])
        assert deliver(store) == ids[1:]


def test_a_key_that_is_ordered_no_more_puts_those_that_have_begun_among_the_others(
    store: MessageStore, ticks: Ticks, tmp_path: Path
) -> None:
    with pieces_of(2, tmp_path):
        ids = put(store, [0, 1, 2, 3, 4, 5], limits=FlowLimits(4))
        ticks.now += 10
        claims = take(store, 4, LOCK_MS).claims
        store.pin_flow("k", FlowLimits(ordered=True))
        store.settle([Outcome(claim, "retry", delay_ms=100) for claim in claims])
        store.unpin_flow("k")
        assert store.flow("k").waiting == 2
        assert deliver(store) == ids[4:]
        ticks.now += 100
        assert deliver(store) == ids[:4]


def test_a_piece_that_was_deleted_by_hand_stops_nobody(
    store: MessageStore, client: redis.Redis, ticks: Ticks, tmp_path: Path
) -> None:
    with pieces_of(2, tmp_path):
        ids = put(store, [0, 1, 2, 3, 4, 5])
        (second, *_) = sorted(key for key in pieces(client) if ":flow:piece:" in key)
        lost = [str(place)[5:] for place in client.zrange(second, 0, -1)]
        client.delete(second)
        ticks.now += 10
        assert deliver(store, 1) == [id for id in ids if id not in lost]
        for id in lost:
            store.cancel(id)
        ticks.now += 10
        store.reset_flow("k")
        deliver(store)
