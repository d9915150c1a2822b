"""A Redis user who lacks rights: told at the start which, and nothing is stored by half."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import cast

import pytest
import redis
from redis.exceptions import MovedError

from scheduler.errors import StartError
from scheduler.redis_server.connections import check_server, connect
from scheduler.store.rights import _ANYWHERE, _CALLS, ACL_RULES, check_rights
from scheduler.store.scripts import LUA
from tests.store.test_unavailable import VERBS, furnish
from tests.support.redis_server import RedisServer, binaries
from tests.support.store import NOW, Ticks, broken_rules, dump, message, outcomes, store_on, take


@pytest.fixture(params=binaries())
def server(request: pytest.FixtureRequest, short_tmp: Path) -> Iterator[RedisServer]:
    with RedisServer(short_tmp, binary=request.param) as running:
        yield running


def as_user(server: RedisServer, *rules: str) -> redis.Redis:
    """A client of a user with these rights."""
    with server.client() as admin:
        admin.execute_command("ACL", "SETUSER", "scheduler", "reset", "on", ">secret", *rules)
    return connect(f"unix://scheduler:secret@{server.socket}")


RUNBOOK = (Path(__file__).resolve().parents[2] / "docs" / "runbook.md").read_text(encoding="utf-8")
RULE = re.search(r"^ACL SETUSER scheduler on >change-me (.*)$", RUNBOOK, re.MULTILINE)


def test_the_runbook_s_line_is_the_one_that_the_error_names() -> None:
    assert RULE is not None
    assert RULE[1] == ACL_RULES


def test_with_the_runbook_s_line_everything_works(server: RedisServer) -> None:
    with as_user(server, *ACL_RULES.split()) as client, server.client() as admin:
        report = check_server(client)
        assert (report.version != "unknown", report.notices) == (True, [])
        check_rights(client)
        assert dump(admin) == {}, "it leaves nothing behind"
        for name, verb in VERBS.items():
            furnish(admin)
            verb(store_on(client, Ticks(NOW + 1), events_kept=100))
            assert broken_rules(admin) == [], name
        assert store_on(client).redis_info()["persistence"] == "none"


def test_with_the_runbook_s_line_every_database_is_usable(server: RedisServer) -> None:
    with as_user(server, *ACL_RULES.split()), connect(f"unix://scheduler:secret@{server.socket}?db=1") as client:
        check_server(client)
        check_rights(client)


def test_a_node_of_a_cluster_is_refused_under_the_address_of_a_single_redis() -> None:
    class Node:
        def execute_command(self, *_: str) -> None:
            raise MovedError("13907 127.0.0.1:7001")

    with pytest.raises(StartError, match=r"one node of a cluster.* cluster://host:port"):
        check_rights(cast(redis.Redis, Node()))


def test_without_the_right_to_info_unknown_is_said_to_be_unknown(server: RedisServer) -> None:
    rules = ACL_RULES.replace("+info +config|get ", "").split()
    with as_user(server, *rules) as client:
        (notice,) = check_server(client).notices
        assert "does not allow INFO" in notice
        check_rights(client)
        assert store_on(client).redis_info() == {
            "version": "unknown",
            "used_memory": None,
            "maxmemory": None,
            "maxmemory_policy": "unknown",
            "persistence": "unknown",
            "clients": None,
            "keys": 0,
            "full": False,
        }
        assert store_on(client).overview().redis["version"] == "unknown"


TRIED = {call[0] for call in (*_CALLS, *_ANYWHERE)}


def test_every_command_of_a_script_is_tried() -> None:
    used = {
        command
        for path in LUA.glob("*.lua")
        for command in re.findall(r"redis\.p?call\('([A-Z]+)'", path.read_text(encoding="utf-8"))
    }
    assert used - TRIED == set()


@pytest.mark.parametrize("command", sorted(TRIED - {"SCRIPT"} | {"SUBSCRIBE"}))
def test_a_missing_command_is_named(redis_server: RedisServer, redis_client: redis.Redis, command: str) -> None:
    with as_user(redis_server, "~*", "&*", "+@all", f"-{command.lower()}") as client, pytest.raises(StartError) as said:
        check_rights(client)
    assert re.search(rf"may not (.*, )?{command}\b", str(said.value))
    assert f"ACL SETUSER <user> {ACL_RULES}" in str(said.value)
    assert all(0 < redis_client.pttl(key) <= 1000 for key in redis_client.scan_iter()), "it leaves nothing behind"


@pytest.mark.parametrize(
    ("rules", "named"),
    [
        ("~* +@all resetchannels", "it may not PUBLISH ms1:wake, SUBSCRIBE ms1:wake. Allow"),
        ("~ms1:* resetchannels &other +@all", "it may not PUBLISH ms1:wake, SUBSCRIBE ms1:wake. Allow"),
        ("~ms1:{0}:* ~ms1:meta ~ms1:rate:* &* +@all", "it may not HDEL ms1:{servers}:alive. Allow"),
        ("~other:* &* +@all", "it may not HGET ms1:{0}:rights, "),
        ("~* &* +@all -client", "'client|setname'"),
        ("~* &* +@all -ping", "'ping'"),
    ],
)
def test_keys_channels_and_the_connection_itself_are_named(server: RedisServer, rules: str, named: str) -> None:
    def start() -> None:
        check_server(client)
        check_rights(client)

    with as_user(server, *rules.split()) as client, pytest.raises(StartError) as said:
        start()
    # 6.2 names the command only.
    assert named in str(said.value).replace("'client'", "'client|setname'")


def test_a_user_without_channels_stores_whole_and_says_so(server: RedisServer) -> None:
    """The wake-up is the last thing a script does.  Redis 7 gives a new user no channels: the message was stored, the
    sender was told 500, sent it again, and it was delivered twice.
    """
    with as_user(server, "~*", "+@all") as client, server.client() as admin:
        ticks = Ticks()
        store = store_on(client, ticks, events_kept=100)
        assert [new.id for new in store.schedule([message("a"), message("b")])] == ["a", "b"]
        assert store.settle(outcomes(take(store, 1, 1000), "retry", delay_ms=5)) == [True]
        assert len(take(store, 1, 1000).claims) == 1
        ticks.now = NOW + 2000
        assert store.reap(10).scheduled == 1
        assert broken_rules(admin) == []
        assert dump(admin)
