"""A Redis user who lacks rights: nothing is stored by half."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from tests.support.redis_server import RedisServer, binaries
from tests.support.store import NOW, Ticks, broken_rules, dump, message, outcomes, store_on


@pytest.fixture(params=binaries())
def server(request: pytest.FixtureRequest, short_tmp: Path) -> Iterator[RedisServer]:
    with RedisServer(short_tmp, binary=request.param) as running:
        yield running


def as_user(server: RedisServer, *rules: str) -> redis.Redis:
    """A client of a user with these rights."""
    with server.client() as admin:
        admin.execute_command("ACL", "SETUSER", "scheduler", "reset", "on", ">secret", *rules)
    return redis.Redis(
        unix_socket_path=str(server.socket), username="scheduler", password="secret", decode_responses=True
    )


def test_a_user_without_channels_stores_whole_and_says_so(server: RedisServer) -> None:
    """The wake-up is the last thing a script does.  Redis 7 gives a new user no channels: the message was stored, the
    sender was told 500, sent it again, and it was delivered twice.
    """
    with as_user(server, "~*", "+@all") as client, server.client() as admin:
        ticks = Ticks()
        store = store_on(client, ticks, events_kept=100)
        assert [new.id for new in store.schedule([message("a"), message("b")])] == ["a", "b"]
        assert store.settle(outcomes(store.claim(1, 1000), "retry", delay_ms=5)) == [True]
        assert len(store.claim(1, 1000).claims) == 1
        ticks.now = NOW + 2000
        assert store.reap(10).scheduled == 1
        assert broken_rules(admin) == []
        assert dump(admin)
