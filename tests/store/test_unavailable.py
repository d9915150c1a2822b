"""Redis away, full, read-only or cut off: every verb says StoreUnavailable, and nothing is stored by half."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import redis
from redis import exceptions
from redis.backoff import NoBackoff
from redis.retry import Retry

from scheduler.errors import ServiceError, StoreUnavailable
from scheduler.message import Claim, Outcome, OutcomeKind, Priority
from scheduler.store import Changes, Limits, MessageStore
from tests.support.cutting_proxy import CuttingProxy
from tests.support.redis_server import RedisServer
from tests.support.store import NOW, Ticks, at_once, broken_rules, dump, message, outcomes, store_on, take
from tests.support.waiting import free_port

HELD = Claim("held", "t", 1, NOW, "echo", "1", None, None, None, Priority.NORMAL, NOW, 0)

READ: dict[str, Callable[[MessageStore], object]] = {
    "ping": lambda s: s.ping(),
    "get": lambda s: s.get("waiting"),
    "page": lambda s: s.page(),
    "counts": lambda s: s.counts(),
    "servers": lambda s: s.servers(),
    "history": lambda s: s.history(),
    "redis_info": lambda s: s.redis_info(),
    "overview": lambda s: s.overview(),
    "redrive_many dry run": lambda s: s.redrive_many(limit=9, dry_run=True),
}
WRITE: dict[str, Callable[[MessageStore], object]] = {
    "schedule": lambda s: s.schedule([message(f"new{n}") for n in range(50)]),
    "schedule with a key": lambda s: s.schedule([message("new")], idempotency_key="K", fingerprint="f"),
    "claim": lambda s: take(s, 10, 1000),
    "settle": lambda s: s.settle([Outcome(HELD, "ack")]),
    "settle retry": lambda s: s.settle([Outcome(HELD, "retry", delay_ms=1)]),
    "renew": lambda s: s.renew([HELD], 9000),
    "reap": lambda s: s.reap(10),
    "update": lambda s: s.update("waiting", Changes(due_at=NOW + 99, priority=Priority.HIGH)),
    "cancel": lambda s: s.cancel("waiting"),
    "cancel_matching": lambda s: s.cancel_matching(NOW, '"waiting"'),
    "redrive": lambda s: s.redrive("letter"),
    "redrive_many": lambda s: s.redrive_many(limit=9),
    "trim": lambda s: s.trim("done", Limits(0, 0, 0), 10),
    "beat": lambda s: s.beat("one", {}, []),
    "leave": lambda s: s.leave("gone"),
    "pause": lambda s: s.pause(),
    "resume": lambda s: s.resume(),
    "open": lambda s: s.open(),
}
VERBS = READ | WRITE


def furnish(client: redis.Redis) -> None:
    """Something for every verb to work on."""
    client.flushall()
    store = store_on(client, Ticks())
    store.open()
    kinds: dict[str, OutcomeKind] = {"letter": "dead", "finished": "ack"}
    for id, kind in kinds.items():
        store.schedule([message(id)])
        store.settle(outcomes(take(store, 1, 1000), kind))
    store.schedule([message("held"), message("waiting", priority=Priority.LOW, type="mail")])
    (held,) = take(store, 1, 1).claims
    client.hset("ms1:{0}:msg:held", "k", HELD.token)
    assert held.id == "held"
    store.beat("gone", {})


def client_at(port: int) -> redis.Redis:
    return redis.Redis(
        "127.0.0.1", port, decode_responses=True, retry=Retry(NoBackoff(), 0), socket_timeout=10, protocol=2
    )


@pytest.mark.parametrize("verb", VERBS)
def test_nobody_listens(verb: str) -> None:
    with client_at(free_port()) as client, pytest.raises(StoreUnavailable, match="Redis does not answer") as caught:
        VERBS[verb](store_on(client))
    assert caught.value.retry_after > 0


class Raising:
    """A client whose every command ends in this error."""

    def __init__(self, error: Exception) -> None:
        self.error = error

    def execute_command(self, *args: Any, **options: Any) -> Any:
        raise self.error


def script_6(error: str) -> exceptions.ResponseError:
    """An error inside of a script, in the words of Redis 6.2."""
    return exceptions.ResponseError(
        f"Error running script (call to f_0a): @user_script:23: @user_script: 23: {error}", status_code="ERR"
    )


def script_7(error: str) -> exceptions.ResponseError:
    """The same, in the words of Redis 7 and Valkey."""
    return exceptions.ResponseError(f"{error} script: 0a, on @user_script:23.")


REFUSALS: dict[str, list[Exception]] = {
    "Redis does not answer": [
        exceptions.ConnectionError("reset"), exceptions.TimeoutError("slow"), exceptions.MaxConnectionsError("many"),
    ],
    "Redis is full": [
        exceptions.OutOfMemoryError("command not allowed when used memory > 'maxmemory'.", status_code="OOM"),
        script_6("-OOM command not allowed when used memory > 'maxmemory'."),
        script_7("command not allowed when used memory > 'maxmemory'."),
        exceptions.ResponseError("upstream said: OOM command not allowed"),
    ],
    "This Redis user lacks a right that the service needs": [
        exceptions.NoPermissionError("this user has no permissions to run the 'zadd' command", status_code="NOPERM"),
        script_6("The user executing the script can't run this command or subcommand"),
        script_7("ERR The user executing the script can't publish to the channel mentioned in the command"),
        script_7("ERR ACL failure in script: No permissions to access a channel"),
    ],
    "Redis refuses the user or password": [
        exceptions.AuthenticationError("invalid username-password pair or user is disabled.", status_code="WRONGPASS"),
        exceptions.AuthenticationError("Authentication required.", status_code="NOAUTH"),
    ],
    "Redis cannot write to its disk": [
        exceptions.ResponseError("MISCONF Errors writing to the AOF file: No space left on device"),
        script_6("-MISCONF Errors writing to the AOF file: No space left on device"),
    ],
    "Redis is a read-only replica": [
        exceptions.ReadOnlyError("You can't write against a read only replica.", status_code="READONLY"),
        script_6("-READONLY You can't write against a read only replica."),
    ],
    "Redis has too few replicas": [
        exceptions.ResponseError("NOREPLICAS Not enough good replicas to write."),
        script_7("NOREPLICAS Not enough good replicas to write."),
    ],
    "Redis is loading its data": [
        exceptions.BusyLoadingError("Redis is loading the dataset in memory", status_code="LOADING"),
    ],
    "Redis is a replica that has lost its primary": [
        exceptions.MasterDownError("Link with MASTER is down", status_code="MASTERDOWN"),
    ],
    "The Redis Cluster is down": [
        exceptions.ClusterDownError("The cluster is down", status_code="CLUSTERDOWN"),
        exceptions.SlotNotCoveredError('Slot "7" not covered by the cluster. "require_full_coverage=False"'),
    ],
    "The Redis Cluster is moving its data": [
        exceptions.TryAgainError("Multiple keys request during rehashing of slot", status_code="TRYAGAIN"),
    ],
    "Redis is busy with a script": [exceptions.ResponseError("BUSY Redis is busy running a script.")],
    "Redis refuses": [
        exceptions.ResponseError("ERR something that nobody has heard of"),
        exceptions.ResponseError("WRONGTYPE Operation against a key holding the wrong kind of value"),
        exceptions.InvalidResponse("Protocol Error: b'<html>'"),
        script_6("hash value is not an integer"),
    ],
}  # fmt: skip


@pytest.mark.parametrize(
    ("reason", "error"),
    [(reason, error) for reason, errors in REFUSALS.items() for error in errors],
    ids=lambda value: f"{type(value).__name__} {value}"[:40] if isinstance(value, Exception) else "",
)
@pytest.mark.parametrize("verb", ["schedule", "settle", "ping"])
def test_every_error_of_redis_means_away_and_says_of_which_kind(error: Exception, reason: str, verb: str) -> None:
    """A delivered message whose outcome is given up runs twice: an error that is not known must not do that."""
    with pytest.raises(StoreUnavailable) as caught:
        VERBS[verb](store_on(Raising(error)))  # type: ignore[arg-type]
    assert caught.value.__cause__ is error
    assert caught.value.reason == reason
    assert str(caught.value) == f"{reason}: {error}"


@pytest.mark.parametrize(
    "error",
    [
        script_6("attempt to index a nil value (local 'm')"),
        script_7("ERR user_script:23: attempt to perform arithmetic on a nil value"),
        script_7("ERR user_script:2: Script attempted to access nonexistent global variable 'x'"),
        exceptions.ResponseError("Command arguments must be strings or integers script: f_b7, on @user_script:1156."),
        exceptions.DataError("bad"),
        ValueError("x"),
    ],
)
def test_a_defect_stays_what_it_is(error: Exception) -> None:
    with pytest.raises(type(error)):
        store_on(Raising(error)).counts()  # type: ignore[arg-type]


@pytest.fixture
def proxy(redis_server: RedisServer) -> Iterator[CuttingProxy]:
    with CuttingProxy(redis_server.socket) as running:
        yield running


def state(client: redis.Redis) -> dict[str, Any]:
    """All but what is drawn by chance."""
    found = dump(client)
    for fields in found.values():
        if isinstance(fields, dict) and fields.get("k") not in (None, "", HELD.token):
            fields["k"] = "some token"
    return found


@pytest.mark.parametrize("cut", ["request", "reply"])
@pytest.mark.parametrize("verb", VERBS)
def test_a_cut_connection_leaves_all_or_nothing(
    redis_client: redis.Redis, proxy: CuttingProxy, verb: str, cut: Any
) -> None:
    furnish(redis_client)
    before = state(redis_client)
    VERBS[verb](store_on(redis_client, Ticks(NOW + 1)))
    after = state(redis_client)
    if verb in WRITE and verb not in ("resume", "open"):
        assert before != after, "a verb that does nothing here proves nothing"
    furnish(redis_client)
    with client_at(proxy.port) as client:
        store = store_on(client, Ticks(NOW + 1))
        client.ping()
        proxy.cut = cut
        with pytest.raises(StoreUnavailable):
            VERBS[verb](store)
        # cancel_matching is one read and then a cancel per match.
        stopped_early = cut == "request" or verb == "cancel_matching"
        assert state(redis_client) == (before if stopped_early else after)
        assert broken_rules(redis_client) == []
        proxy.cut = "nothing"
        store.ping()
        # Asked again, as a user would: done now, or refused because it was done then.
        with suppress(ServiceError):
            VERBS[verb](store)
    assert broken_rules(redis_client) == []


@pytest.fixture
def own_server(short_tmp: Path) -> Iterator[RedisServer]:
    with RedisServer(short_tmp) as server:
        yield server


@pytest.mark.parametrize(
    ("setting", "value", "fine"),
    [("replicaof", "127.0.0.1 1", "no one"), ("min-replicas-to-write", "1", "0")],
)
def test_a_server_that_refuses_to_write(own_server: RedisServer, setting: str, value: str, fine: str) -> None:
    def configure(to: str) -> None:
        if setting == "replicaof":
            client.replicaof(*to.split())
        else:
            client.config_set(setting, to)

    with own_server.client() as client:
        furnish(client)
        before = dump(client)
        configure(value)
        refused = []
        for name, verb in WRITE.items():
            try:
                verb(store_on(client, Ticks(NOW + 1)))
            except StoreUnavailable:
                refused.append(name)
                assert dump(client) == before, f"{name} refused and changed something all the same"
            else:
                before = dump(client)
        assert {"schedule", "schedule with a key", "claim", "settle", "update", "redrive"} <= set(refused)
        configure(fine)
        assert broken_rules(client) == []
        assert len(store_on(client, Ticks(NOW + 1)).schedule([message("fine")])) == 1


def test_a_server_that_died_and_came_back_heals_the_same_store(own_server: RedisServer) -> None:
    with own_server.client() as client:
        client.set_retry(Retry(NoBackoff(), 0))
        store = store_on(client, Ticks())
        store.schedule([message("a")])
        own_server.kill()
        with pytest.raises(StoreUnavailable):
            store.counts()
        own_server.start()
        assert store.counts().due == 0
        store.schedule([message("b")])
        assert store.settle(outcomes(take(store, 1, 1000))) == [True]


class OnePartitionAway:
    """A client for which one partition of several has gone."""

    def __init__(self, client: redis.Redis, partition: int) -> None:
        self._client = client
        self._tag = f"{{{partition}}}"

    def execute_command(self, *args: Any, **options: Any) -> Any:
        if any(self._tag in str(arg) for arg in args):
            raise exceptions.ConnectionError("this node is away")
        return self._client.execute_command(*args, **options)  # type: ignore[no-untyped-call]


@pytest.mark.parametrize("away", [0, 1, 2])
def test_a_batch_over_several_partitions_is_undone_when_one_is_away(redis_client: redis.Redis, away: int) -> None:
    batch = [message(f"id{n:02}") for n in range(20)]
    half = store_on(OnePartitionAway(redis_client, away), partitions=3)  # type: ignore[arg-type]
    for order in (batch, batch[::-1]):
        with pytest.raises(StoreUnavailable):
            half.schedule(order, idempotency_key="K", fingerprint="f")
        assert dump(redis_client) == {}
    whole = store_on(redis_client, partitions=3)
    assert len(whole.schedule(batch, idempotency_key="K", fingerprint="f")) == 20
    assert whole.counts().scheduled[Priority.NORMAL] == 20


class Half:
    """Three partitions, two of which answer; 20 messages over all of them."""

    def __init__(self, client: redis.Redis, away: int) -> None:
        self.ticks = Ticks()
        self.away = away
        self.whole = store_on(client, self.ticks, partitions=3)
        self.half = store_on(OnePartitionAway(client, away), self.ticks, partitions=3)  # type: ignore[arg-type]
        self.whole.schedule([message(f"id{n:02}") for n in range(20)])
        self.there = {id for n in range(20) if self.whole.partition_of(id := f"id{n:02}") != away}


@pytest.fixture(params=[0, 1, 2])
def half(redis_client: redis.Redis, request: pytest.FixtureRequest) -> Half:
    return Half(redis_client, request.param)


def test_what_the_other_partitions_give_is_claimed_and_the_fault_is_told(half: Half) -> None:
    for limit in (1, 100):
        claimed = take(half.half, limit, 1000)
        assert {claim.id for claim in claimed.claims} <= half.there
        assert claimed.redis_ms == NOW
        half.there -= {claim.id for claim in claimed.claims}
    assert half.there == set()
    assert claimed.error is not None
    assert take(half.half, 100, 1000).claims == []
    assert take(half.whole, 100, 1000).error is None


def test_the_other_partitions_locks_are_renewed_and_reaped(half: Half) -> None:
    claims = take(half.whole, 100, 1000).claims
    half.ticks.now += 900
    with pytest.raises(StoreUnavailable):
        half.half.renew(claims, 1000)
    half.ticks.now += 900
    assert half.whole.reap(100).scheduled == 20 - len(half.there), "of the others no lock has expired"
    half.ticks.now += 900
    reaped = half.half.reap(100)
    assert (reaped.away, reaped.error is not None) == (frozenset({half.away}), True)
    assert half.whole.counts().processing == 0


def test_what_is_accepted_at_once_for_other_partitions_is_accepted(half: Half) -> None:
    ids = half.whole.new_ids(30) + [half.whole.new_id() for _ in range(30)]

    def accept(id: str) -> bool:
        try:
            return half.half.schedule([message(id)])[0].id == id
        except StoreUnavailable:
            return False

    accepted = at_once([lambda id=id: accept(id) for id in ids])  # type: ignore[misc]
    assert accepted == [half.whole.partition_of(id) != half.away for id in ids]
