"""A Redis at ``maxmemory``: accepting is refused with its reason, what is stored is delivered, memory comes back."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import redis

from scheduler.delivery.redis_memory import FULL_MEANS, MemoryWatch
from scheduler.errors import StoreUnavailable
from scheduler.logs.sinks import adapt
from scheduler.message import Priority
from scheduler.redis_server.refusals import FULL
from scheduler.schedules import changing
from scheduler.store import Changes, Limits, MessageStore
from tests.store.test_unavailable import HELD, furnish
from tests.support.api import Api
from tests.support.clock import FakeClock
from tests.support.logger import RecordingLogger
from tests.support.redis_server import RedisServer, binaries
from tests.support.schedules import definition
from tests.support.store import NOW, Ticks, broken_rules, dump, message, outcomes, store_on, take


@pytest.fixture(params=binaries())
def server(request: pytest.FixtureRequest, short_tmp: Path) -> Iterator[RedisServer]:
    with RedisServer(short_tmp, "--maxmemory-policy", "noeviction", binary=request.param) as running:
        yield running


def fill(store: MessageStore, client: redis.Redis, spare: int = 2_000_000) -> list[str]:
    """Leave Redis so many bytes, and accept messages until it refuses; their ids."""
    client.config_set("maxmemory", int(client.info("memory")["used_memory"]) + spare)
    accepted: list[str] = []
    while len(accepted) < 100_000:
        batch = [message(f"m{len(accepted) + n:06}", payload='"' + "x" * 2000 + '"') for n in range(10)]
        try:
            store.schedule(batch)
        except StoreUnavailable as error:
            if error.reason != FULL:
                raise
            return accepted
        accepted += [new.id for new in batch]
    raise AssertionError("it was never full")


def test_a_full_redis_is_drained_and_then_accepts_again(server: RedisServer) -> None:
    with server.client() as client:
        ticks = Ticks()
        store = store_on(client, ticks, events_kept=100)
        store.open()
        log = RecordingLogger()
        watch = MemoryWatch(store, adapt(log))
        watch.tick()
        assert not store.full()
        accepted = fill(store, client)
        assert len(accepted) > 100
        assert store.full()
        assert [watch.tick(), watch.tick()] == [60.0, 60.0]
        assert log.errors == [FULL_MEANS], "once"
        # A server that starts now: it must be able to, or nobody drains.
        store.open()
        store.beat("one", {}, [])
        assert "one" in store.servers()
        delivered: Counter[str] = Counter()
        while claims := (claimed := take(store, 50, 1000)).claims:
            delivered.update(claim.id for claim in claims)
            assert store.renew(claims, 1000) == []
            assert store.settle(outcomes(claimed)) == [True] * len(claims)
            store.trim("done", Limits(10, 1000, 1_000_000), 1000)
        assert delivered == Counter(accepted), "each once"
        assert broken_rules(client) == []
        store.schedule([message("again")])
        watch.tick()
        assert log.errors[1:] == ["Redis has room again: new messages are accepted."]


def test_a_rate_limit_refuses_nothing_that_frees_memory(server: RedisServer) -> None:
    """Its counter is a write too, which a full Redis refuses."""
    with server.client() as client:
        clock = FakeClock(NOW)
        store = store_on(client, clock.now_ms)
        store.open()
        accepted = fill(store, client)
        client.config_set("maxmemory", 1)
        api = Api(clock, {"api": {"rate_limit": "2/minute"}, "jobs": {"rate_limit_per_user": "1/minute"}}, store)
        for id in accepted[:4]:
            assert api.send("DELETE", f"/v1/messages/{id}").status_code == 200
        for path in ("/v1/pause", "/v1/resume"):
            assert api.post(path).status_code == 200
        refused = api.post("/v1/messages", {"message": 1, "delay": 60})
        assert (refused.status_code, refused.json["detail"].startswith(FULL)) == (503, True)
        client.config_set("maxmemory", 0)
        answers = [api.post("/v1/messages", {"message": 1, "delay": 60}).status_code for _ in range(3)]
        assert answers == [201, 201, 429], "limited again"


def furnished(client: redis.Redis) -> None:
    """Something for every verb here to work on."""
    furnish(client)
    changing.create(store_on(client, Ticks()), "plan", definition(), paused=False, now_ms=NOW)


MOVES: dict[str, Callable[[MessageStore], object]] = {
    "claim": lambda s: take(s, 10, 1000),
    "settle ack": lambda s: s.settle(outcomes(take(s, 1, 1000))),
    "settle retry": lambda s: s.settle(outcomes(take(s, 1, 1000), "retry", delay_ms=1)),
    "settle release": lambda s: s.settle(outcomes(take(s, 1, 1000), "release")),
    "renew": lambda s: s.renew([HELD], 9000),
    "reap": lambda s: s.reap(10),
    "cancel": lambda s: s.cancel("waiting"),
    "cancel_matching": lambda s: s.cancel_matching(NOW, '"waiting"'),
    "redrive": lambda s: s.redrive("letter"),
    "redrive_many": lambda s: s.redrive_many(limit=9),
    "purge": lambda s: s.purge_typed("echo"),
    "trim": lambda s: s.trim("done", Limits(0, 0, 0), 10),
    "pause a schedule": lambda s: changing.pause(s, "plan", "full"),
    "delete a schedule": lambda s: changing.delete(s, "plan"),
    "beat": lambda s: s.beat("one", {}, []),
    "leave": lambda s: s.leave("gone"),
}
ADDS: dict[str, Callable[[MessageStore], object]] = {
    "schedule": lambda s: s.schedule([message(f"new{n}") for n in range(50)]),
    "schedule with a key": lambda s: s.schedule([message("new")], idempotency_key="K", fingerprint="f"),
    "create a schedule": lambda s: changing.create(s, "new", definition(), paused=False, now_ms=NOW + 1),
    "change a schedule": lambda s: changing.put(s, "plan", definition(payload="2"), paused=None, now_ms=NOW + 1),
    "run a schedule": lambda s: changing.run_now(s, "plan"),
    "update": lambda s: s.update("waiting", Changes(due_at=NOW + 99, priority=Priority.HIGH)),
}


def test_what_moves_or_removes_goes_on_and_what_adds_is_refused_whole(server: RedisServer) -> None:
    with server.client() as client:
        for name, verb in MOVES.items():
            client.config_set("maxmemory", 0)
            furnished(client)
            client.config_set("maxmemory", 1)
            before = dump(client)
            verb(store_on(client, Ticks(NOW + 1), events_kept=100))
            assert dump(client) != before, f"{name} does nothing here"
            assert broken_rules(client) == [], name
        client.config_set("maxmemory", 0)
        furnished(client)
        client.config_set("maxmemory", 1)
        before = dump(client)
        for name, verb in ADDS.items():
            with pytest.raises(StoreUnavailable) as refused:
                verb(store_on(client, Ticks(NOW + 1), events_kept=100))
            assert refused.value.reason == FULL, name
            assert dump(client) == before, name
