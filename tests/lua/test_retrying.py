"""How many scheduled messages have an attempt behind them: counted by every verb that moves one."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.support.store import NOW, Lua, broken_rules

THREE = ("a", "b", "c")


@pytest.fixture
def waiting(lua: Lua) -> Lua:
    """Three messages whose first attempt failed, due again after 500 ms, and one that was never tried."""
    lua.schedule(*THREE)
    lua.claim()
    for id in THREE:
        lua.settle(id, "retry", delay_ms=500)
    lua.schedule("new", due_at=NOW + 500)
    return lua


def retrying(lua: Lua) -> int:
    assert broken_rules(lua.client) == []
    count: int = lua("stats")[6]
    return count


def purge(lua: Lua) -> None:
    for id in (*THREE, "new"):
        lua.client.hset(lua.keys["msg"] + id, "y", "default")
    lua("purge", set="due:echo:normal", after_score="", after_id="", scan=100, channel="echo")


def cancel(lua: Lua) -> None:
    for id in ("a", "new"):
        lua("cancel", id=id)


def claim(lua: Lua) -> None:
    lua.claim(3, now=NOW + 500)


def release(lua: Lua) -> None:
    lua.claim(now=NOW + 500)
    for id in (*THREE, "new"):
        lua.settle(id, "release")


def retry(lua: Lua) -> None:
    lua.claim(now=NOW + 500)
    for id in (*THREE, "new"):
        lua.settle(id, "retry", delay_ms=1)


def deliver(lua: Lua) -> None:
    lua.claim(now=NOW + 500)
    lua.settle("a", "ack")
    lua.settle("b", "dead")


def reap(lua: Lua) -> None:
    lua.claim(now=NOW + 500)
    lua.reap(now=NOW + 5000)


def redrive(lua: Lua) -> None:
    deliver(lua)
    lua("redrive", id="b", offset=0, scan=9, limit=9, channel="", dry_run="")


def update(lua: Lua) -> None:
    lua("update", id="a", due_at=NOW + 9, payload="", target="", priority="high", retry="")


@pytest.mark.parametrize(
    ("verb", "left"),
    [(purge, 0), (cancel, 2), (release, 3), (retry, 4), (deliver, 0), (reap, 4), (redrive, 0), (update, 3)],
    ids=lambda value: getattr(value, "__name__", str(value)),
)
def test_every_move_counts(waiting: Lua, verb: Callable[[Lua], None], left: int) -> None:
    assert retrying(waiting) == 3
    verb(waiting)
    assert retrying(waiting) == left


def test_a_claim_takes_what_it_claims_off(waiting: Lua) -> None:
    waiting.schedule("urgent", due_at=NOW + 500, priority="high")
    waiting.claim(3, now=NOW + 500)
    assert retrying(waiting) == 1


def test_hashes_deleted_by_hand_are_forgotten_when_nothing_waits(waiting: Lua) -> None:
    waiting.client.delete("ms1:{0}:msg:a")
    waiting.claim(now=NOW + 500)
    assert retrying(waiting) == 0
