"""claim: what is due, most urgent first, each under a lock; otherwise when to come back."""

from __future__ import annotations

import pytest

from tests.support.store import NOW, Lua, broken_rules


def ids(reply: list[list[str]]) -> list[str]:
    return [row[0] for row in reply[2:]]


def wait_us(reply: list[str]) -> int:
    return int(reply[1])


def test_nothing_waits(lua: Lua) -> None:
    assert lua.claim() == [str(NOW * 1000), -1]
    assert lua.state() == {}


def test_due_exactly_now_is_claimed_whole(lua: Lua) -> None:
    lua("schedule", "a", '"x"', NOW, "webhook", "low", "T", "y", "w", "2,1,1,1,0", "", now=NOW - 7,
        key="", fingerprint="", key_ttl=1)  # fmt: skip
    assert lua.claim(9, ("webhook", 9, 9, 0), token="o.1", lock_ms=250) == [
        str(NOW * 1000), -1,
        ["a", str(NOW), 1, '"x"', "webhook", "T", "y", "2,1,1,1,0", "low", str(NOW - 7), None],
    ]  # fmt: skip
    assert lua.state() == {
        "locks": {"a": NOW + 250},
        "msg:a": {
            "p": '"x"', "c": str(NOW - 7), "n": "webhook", "q": "low", "t": "T", "y": "y", "w": "w", "r": "2,1,1,1,0",
            "s": "processing", "k": "o.1", "d": str(NOW), "a": "1", "g": str(NOW),
        },
    }  # fmt: skip


def test_one_millisecond_early_is_never_claimed(lua: Lua) -> None:
    lua.schedule("a", due_at=NOW + 1)
    before = lua.state()
    assert lua.claim() == [str(NOW * 1000), "1000"]
    assert lua.state() == before
    assert ids(lua.claim(now=NOW + 1)) == ["a"]


def test_by_redis_own_clock_the_wait_is_in_microseconds(lua: Lua) -> None:
    seconds, _ = lua.client.time()
    lua.schedule("a", due_at=(int(seconds) + 100) * 1000)
    now_us, wait = (int(word) for word in lua.claim(now=0))
    assert now_us + wait == (int(seconds) + 100) * 1_000_000
    assert 98_000_000 < wait <= 100_000_000


@pytest.mark.parametrize("sets", [("high",), ("low", "high"), ("high", "normal", "low")])
def test_the_wait_is_for_the_earliest_of_all_priorities(lua: Lua, sets: tuple[str, ...]) -> None:
    for n, priority in enumerate(sets, start=1):
        lua.schedule(priority, due_at=NOW + 10 * n, priority=priority)
    assert wait_us(lua.claim()) == 10_000


def test_more_is_due_than_the_limit_says_come_back_at_once(lua: Lua) -> None:
    lua.schedule("a", "b", "c")
    reply = lua.claim(2)
    assert (ids(reply), wait_us(reply)) == (["a", "b"], 0)
    reply = lua.claim(1, now=NOW)
    assert (ids(reply), wait_us(reply)) == (["c"], -1)


def test_priorities_are_strict_and_within_one_the_soonest_comes_first(lua: Lua) -> None:
    lua.schedule("low", due_at=NOW - 900, priority="low")
    lua.schedule("n2", due_at=NOW - 5)
    lua.schedule("n1", due_at=NOW - 6)
    lua.schedule("h2", due_at=NOW, priority="high")
    lua.schedule("h1", due_at=NOW - 1, priority="high")
    lua.schedule("later", due_at=NOW + 1, priority="high")
    assert ids(lua.claim(3)) == ["h1", "h2", "n1"]
    assert ids(lua.claim(9)) == ["n2", "low"]


def test_first_in_first_out_within_a_millisecond(lua: Lua) -> None:
    lua.schedule("B", "a", "0", "A", "b")
    assert ids(lua.claim()) == ["0", "A", "B", "a", "b"]


def test_paused_claims_nothing_and_names_no_moment(lua: Lua) -> None:
    lua.schedule("a")
    lua.client.hset("ms1:{0}:meta", "paused", "1")
    before = lua.state()
    assert lua.claim() == [str(NOW * 1000), -1]
    assert lua.state() == before


def test_an_id_without_a_hash_is_dropped_and_the_others_are_claimed(lua: Lua) -> None:
    lua.schedule("a", "b")
    lua.client.delete("ms1:{0}:msg:a")
    assert ids(lua.claim()) == ["b"]
    assert broken_rules(lua.client) == []


def test_attempts_count_up_and_a_new_claim_has_its_own_token(lua: Lua) -> None:
    lua.schedule("a")
    lua.claim(token="one")
    lua.settle("a", "retry", token="one", delay_ms=0)
    assert lua.claim(token="two")[2][2] == 2
    assert lua.state()["msg:a"]["k"] == "two"


def test_10000_at_once_do_not_outgrow_a_lua_stack(lua: Lua) -> None:
    lua.schedule(*[f"m{i}" for i in range(10_000)])
    assert len(lua.claim(10_000)) == 10_002
    assert broken_rules(lua.client) == []
