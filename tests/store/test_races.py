"""Two that ask at the same moment: one wins, the other is told, and the message is in one place."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial

import pytest
import redis

from scheduler.errors import Conflict, ServiceError
from scheduler.message import Claim, Message, Outcome, Priority, Status
from scheduler.store import Changes, MessageStore
from tests.support.redis_server import RedisServer
from tests.support.store import NOW, Ticks, at_once, broken_rules, message, outcomes, store_on, take

ROUNDS = 60
"""Each race is run so often that both orders happen."""


@pytest.fixture
def ticks() -> Ticks:
    return Ticks()


@pytest.fixture
def client(redis_client: redis.Redis) -> Iterator[redis.Redis]:
    yield redis_client
    assert broken_rules(redis_client) == []


@pytest.fixture
def store(client: redis.Redis, ticks: Ticks) -> MessageStore:
    return store_on(client, ticks)


@pytest.fixture
def others(client: redis.Redis, redis_server: RedisServer, ticks: Ticks) -> Iterator[list[MessageStore]]:
    """Eight servers, each with connections of its own."""
    clients = [redis_server.client() for _ in range(8)]
    yield [store_on(one, ticks) for one in clients]
    for one in clients:
        one.close()


def attempted(work: Callable[[], object]) -> Callable[[], object]:
    """The result, or the error that the service raises on purpose."""

    def run() -> object:
        try:
            return work()
        except ServiceError as error:
            return error

    return run


@pytest.mark.parametrize("limit", [1, 7, 100])
def test_eight_servers_claim_500_messages_each_once(
    store: MessageStore, others: list[MessageStore], limit: int
) -> None:
    store.schedule([message(f"m{n:03}") for n in range(500)])

    def drain(server: MessageStore) -> Callable[[], list[Claim]]:
        def run() -> list[Claim]:
            found: list[Claim] = []
            while claims := take(server, limit, 60_000).claims:
                found += claims
            return found

        return run

    found = [claim for claims in at_once([drain(server) for server in others]) for claim in claims]
    assert sorted(claim.id for claim in found) == [f"m{n:03}" for n in range(500)]
    assert {claim.attempt for claim in found} == {1}
    assert all(store.settle([Outcome(claim, "ack") for claim in found]))


def test_one_outcome_counts_of_eight(store: MessageStore, others: list[MessageStore]) -> None:
    for n in range(ROUNDS):
        store.schedule([message(f"m{n}")])
        group = outcomes(take(store, 1, 1000), "ack" if n % 2 else "dead")
        held = at_once([partial(server.settle, group) for server in others])
        assert sorted(held) == [[False]] * 7 + [[True]]


def two(first: Callable[[], object], second: Callable[[], object], turn: int) -> tuple[object, object]:
    """Both at once; every other time they are started in the opposite order."""
    if turn % 2:
        b, a = at_once([attempted(second), attempted(first)])
    else:
        a, b = at_once([attempted(first), attempted(second)])
    return a, b


def test_settle_against_reap(store: MessageStore, others: list[MessageStore], ticks: Ticks) -> None:
    for n in range(ROUNDS):
        id = f"m{n}"
        store.schedule([message(id, ticks.now)])
        group = outcomes(take(store, 1, 1000))
        ticks.now += 1000
        held, reaped = two(partial(others[0].settle, group), lambda: others[1].reap(10).scheduled, n)
        assert (held, reaped) in (([True], 0), ([False], 1))
        assert store.get(id).status == (Status.DELIVERED if held == [True] else Status.SCHEDULED)
        store.settle(outcomes(take(store, 1, 1000)))


def test_renew_against_reap(store: MessageStore, others: list[MessageStore], ticks: Ticks) -> None:
    for n in range(ROUNDS):
        store.schedule([message(f"m{n}", ticks.now)])
        claims = take(store, 1, 1000).claims
        ticks.now += 1000
        lost, reaped = two(
            partial(others[0].renew, claims, 5000),
            lambda: others[1].reap(10).scheduled,
            n,
        )
        assert (lost, reaped) in (([], 0), (claims, 1))
        assert store.settle([Outcome(claims[0], "ack")]) == [lost == []]
        store.settle(outcomes(take(store, 1, 1000)))


def test_cancel_against_claim(store: MessageStore, others: list[MessageStore]) -> None:
    for n in range(ROUNDS):
        id = f"m{n}"
        store.schedule([message(id)])
        cancelled, claimed = two(
            partial(others[0].cancel, id),
            lambda: take(others[1], 1, 1000).claims,
            n,
        )
        if isinstance(cancelled, Message):
            assert claimed == []
            assert store.get(id).status == Status.CANCELLED
        else:
            assert isinstance(cancelled, Conflict)
            assert isinstance(claimed, list)
            assert store.settle([Outcome(claimed[0], "ack")]) == [True]


def test_update_against_claim(store: MessageStore, others: list[MessageStore]) -> None:
    for n in range(ROUNDS):
        id = f"m{n}"
        store.schedule([message(id)])
        later = Changes(due_at=NOW + 9, payload="2", priority=Priority.HIGH)
        updated, claimed = two(
            partial(others[0].update, id, later),
            lambda: take(others[1], 1, 1000).claims,
            n,
        )
        if isinstance(updated, Message):
            assert claimed == []
            assert (store.get(id).due_at, store.get(id).payload) == (NOW + 9, "2")
            store.cancel(id)
        else:
            assert isinstance(claimed, list)
            assert claimed[0].payload == f'"{id}"', "what is in flight is what was claimed"
            assert store.settle([Outcome(claimed[0], "ack")]) == [True]


def test_two_redrives_and_a_bulk_one(store: MessageStore, others: list[MessageStore]) -> None:
    for n in range(ROUNDS):
        id = f"m{n}"
        store.schedule([message(id)])
        store.settle(outcomes(take(store, 1, 1000), "dead"))
        results = at_once(
            [
                attempted(partial(others[0].redrive, id)),
                attempted(partial(others[1].redrive, id)),
                attempted(lambda: others[2].redrive_many(limit=9)),
            ]
        )
        kinds = Counter("done" if isinstance(r, Message) or r == 1 else "told" for r in results)
        assert kinds == {"done": 1, "told": 2}
        (claim,) = take(store, 10, 1000).claims
        assert claim.attempt == 1
        store.settle([Outcome(claim, "ack")])


def test_what_eight_threads_accept_is_stored_once_each(store: MessageStore) -> None:
    def accept() -> list[str]:
        return [store.schedule([message(store.new_id())])[0].id for _ in range(100)]

    accepted = [id for ids in at_once([accept] * 8) for id in ids]
    assert len(set(accepted)) == 800
    assert sorted(claim.id for claim in take(store, 1000, 1000).claims) == sorted(accepted)


def test_the_same_id_and_the_same_key_from_eight_clients(store: MessageStore, others: list[MessageStore]) -> None:
    for n in range(ROUNDS):
        own = at_once([attempted(partial(server.schedule, [message(f"m{n}")])) for server in others])
        assert Counter(type(result) for result in own) == {list: 1, Conflict: 7}
        replayed = at_once(
            [
                partial(server.schedule, [message(server.new_id())], idempotency_key=f"K{n}", fingerprint="f")
                for server in others
            ]
        )
        assert len({result[0].id for result in replayed}) == 1
    assert store.counts().scheduled[Priority.NORMAL] == 2 * ROUNDS
