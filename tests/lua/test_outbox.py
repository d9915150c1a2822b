"""outbox and archived: what is finished waits for the history, and no move of a message loses its finish."""

from __future__ import annotations

from typing import Any

import pytest
import redis

from tests.support.store import NOW, Lua, broken_rules

SIZE = 150 + len('"m1"') + len("1 2 3 4")


@pytest.fixture
def lua(redis_client: redis.Redis) -> Lua:
    return Lua(redis_client, outbox_limit=10**9)


def waiting(lua: Lua, owner: str = "one", *, now: int = NOW, limit: int = 100, max_bytes: int = 10**9) -> Any:
    """``(leased, {member: fields})``."""
    leased, _, _, _, _, *rows = lua("outbox", now=now, owner=owner, lease_ms=1000, limit=limit, max_bytes=max_bytes)
    assert broken_rules(lua.client) == []
    return leased, {member: dict(zip(flat[::2], flat[1::2], strict=True)) for member, _, flat in rows}


def archived(lua: Lua, *items: str | int, owner: str = "one") -> int:
    taken: int = lua("archived", *items, owner=owner)
    assert broken_rules(lua.client) == []
    return taken


def trim(lua: Lua, kept: str = "done") -> int:
    deleted: int = lua(
        "trim", kept=kept, now=NOW, counter=f"{kept}_bytes", max_count=0, max_age_ms=10**9, max_bytes=10**9, limit=100
    )
    assert broken_rules(lua.client) == []
    return deleted


def test_every_finish_waits_in_the_outbox(lua: Lua) -> None:
    lua.done("delivered")
    lua.dead("given-up", now=NOW + 1)
    lua.schedule("cancelled")
    lua("cancel", id="cancelled", now=NOW + 2)
    lua.schedule("lost")
    lua.claim(now=NOW)
    lua.reap(now=NOW + 5000, max_attempts=1)
    found = waiting(lua)[1]
    assert {member: fields["s"] for member, fields in found.items()} == {
        "delivered": "delivered",
        "given-up": "dead",
        "cancelled": "cancelled",
        "lost": "dead",
    }
    assert found["delivered"]["p"] == '"delivered"'
    assert found["given-up"]["e"] == "boom"


def test_what_goes_on_does_not_wait_there(lua: Lua) -> None:
    lua.schedule("a", "b", "c")
    lua.claim()
    lua.settle("a", "retry", delay_ms=0)
    lua.settle("b", "release")
    lua("redrive", id="c", offset=0, scan=0, limit=0, channel="", dry_run="")
    assert waiting(lua) == (0, {})


def test_without_a_history_nothing_is_kept(redis_client: redis.Redis) -> None:
    lua = Lua(redis_client)
    lua.done("m1")
    assert "outbox" not in lua.state()
    assert trim(lua) == 1
    assert lua.state() == {"meta": {"done_bytes": "0"}}


def test_what_is_archived_leaves_the_outbox_and_stays_in_the_list(lua: Lua) -> None:
    lua.done("m1", "m2")
    assert archived(lua, "m1", NOW) == 1
    assert list(waiting(lua)[1]) == ["m2"]
    assert archived(lua, "m1", NOW, "m2", NOW) == 1
    assert sorted(lua.state()["done"]) == ["m1", "m2"]
    assert "outbox" not in lua.state()
    assert "archiver" not in lua.state()["meta"], "an empty outbox is nobody's"


def test_a_finish_that_is_not_the_one_archived_stays(lua: Lua) -> None:
    lua.done("m1")
    assert archived(lua, "m1", NOW - 1) == 0
    assert list(waiting(lua)[1]) == ["m1"]


def test_retention_waits_for_the_history(lua: Lua) -> None:
    for n in range(4):
        lua.done(f"m{n}", now=NOW + n)
    archived(lua, "m0", NOW, "m1", NOW + 1, "m3", NOW + 3)
    assert trim(lua) == 2
    assert sorted(lua.state()["done"]) == ["m2", "m3"], "what ended after it waits with it"
    archived(lua, "m2", NOW + 2)
    assert trim(lua) == 2
    assert [key for key in lua.state() if key.startswith("msg:")] == []


def test_retention_does_not_wait_for_a_history_that_was_turned_off(lua: Lua) -> None:
    lua.done("m1")
    lua._shared["outbox_limit"] = 0
    deleted = lua("trim", kept="done", now=NOW, counter="done_bytes", max_count=0, max_age_ms=1, max_bytes=1, limit=9)
    assert deleted == 1


def test_retention_goes_on_when_the_outbox_drops_what_is_too_much(redis_client: redis.Redis) -> None:
    lua = Lua(redis_client, outbox_limit=2 * SIZE)
    for n in range(5):
        lua.done(f"m{n}", now=NOW + n)
    assert trim(lua) == 3
    assert sorted(lua.state()["done"]) == sorted(waiting(lua)[1]) == ["m3", "m4"]


def test_a_redrive_leaves_the_finish_that_is_not_archived(lua: Lua) -> None:
    lua.dead("m1")
    lua("redrive", id="m1", offset=0, scan=0, limit=0, channel="", dry_run="", now=NOW + 1)
    lua.claim(now=NOW + 1)
    lua.settle("m1", "ack", now=NOW + 2)
    found = waiting(lua)[1]
    assert {member: fields["s"] for member, fields in found.items()} == {f"m1@{NOW}": "dead", "m1": "delivered"}
    # What was read before the redrive is reported under the old name: the copy is archived once more.
    assert archived(lua, "m1", NOW) == 0
    assert archived(lua, f"m1@{NOW}", NOW, "m1", NOW + 2) == 2
    assert waiting(lua) == (0, {})


def test_a_bulk_redrive_too(lua: Lua) -> None:
    lua.dead("m1", "m2")
    archived(lua, "m1", NOW)
    lua("redrive", id="", offset=0, scan=10, limit=10, channel="", dry_run="", now=NOW + 1)
    assert list(waiting(lua)[1]) == [f"m2@{NOW}"]


def test_one_message_may_finish_twice_in_a_millisecond(lua: Lua) -> None:
    for _ in range(2):
        if "msg:m1" in lua.state():
            lua("redrive", id="m1", offset=0, scan=0, limit=0, channel="", dry_run="", now=NOW)
        else:
            lua.schedule("m1")
        lua.claim()
        lua.settle("m1", "dead", error="boom")
    assert list(waiting(lua)[1]) == ["m1", f"m1@{NOW}"]


def test_the_lease_is_held_by_one_and_ends(lua: Lua) -> None:
    lua.done("m1")
    assert waiting(lua, "one")[0] == 1
    assert waiting(lua, "two") == (0, {})
    assert waiting(lua, "one")[0] == 1
    assert waiting(lua, "two", now=NOW + 999)[0] == 0
    assert waiting(lua, "two", now=NOW + 1000)[0] == 1
    assert waiting(lua, "one", now=NOW + 1001)[0] == 0


def test_a_batch_is_bounded_by_messages_and_by_bytes(lua: Lua) -> None:
    for n in range(5):
        lua.done(f"m{n}", now=NOW + n)
    assert list(waiting(lua, limit=2)[1]) == ["m0", "m1"]
    assert list(waiting(lua, max_bytes=1)[1]) == ["m0"], "at least one"
    leased, count, size, dropped, oldest, *rows = lua("outbox", owner="", lease_ms=0, limit=0, max_bytes=0)
    assert (leased, count, size, dropped, int(oldest), rows) == (0, 5, 5 * SIZE, 0, NOW, [])


def test_the_oldest_are_dropped_beyond_the_limit_and_counted(redis_client: redis.Redis) -> None:
    lua = Lua(redis_client, outbox_limit=3 * SIZE)
    lua.dead("m0", error="")
    lua("redrive", id="m0", offset=0, scan=0, limit=0, channel="", dry_run="", now=NOW)
    lua.claim(1)
    for n in range(1, 5):
        lua.done(f"m{n}", now=NOW + n)
    assert list(waiting(lua)[1]) == ["m2", "m3", "m4"]
    assert [key for key in lua.state() if key.startswith("copy:")] == []
    assert lua.state()["meta"]["outbox_dropped"] == "2"
    assert "msg:m1" in lua.state(), "retention decides on the message itself"


def test_settling_waits_for_a_full_outbox_where_it_is_asked_to(redis_client: redis.Redis) -> None:
    lua = Lua(redis_client, outbox_limit=SIZE)
    lua.done("m1")
    lua.schedule("m2")
    lua.claim()
    before = lua.state()
    lua._shared["outbox_waits"] = "1"
    assert lua.settle("m2", "ack") == -1
    assert lua.state() == before
    archived(lua, "m1", NOW)
    assert lua.settle("m2", "ack") == [1]


def test_an_id_whose_hash_is_gone_can_be_taken_out(lua: Lua) -> None:
    lua.done("m1")
    lua.client.delete("ms1:{0}:msg:m1")
    *_, row = lua("outbox", owner="one", lease_ms=1000, limit=10, max_bytes=10)
    assert row[2] == []
    assert lua("archived", "m1", NOW, owner="one") == 1
    assert "outbox" not in lua.state()
