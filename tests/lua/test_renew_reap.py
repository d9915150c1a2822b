"""renew: push the expiry of locks; reap: take back what their owners let expire."""

from __future__ import annotations

import json

import pytest

from tests.support.store import NOW, Lua, broken_rules

EXPIRY = NOW + 1000


@pytest.fixture
def claimed(lua: Lua) -> Lua:
    """``a``, ``b`` and ``c`` in flight under the token ``t`` until EXPIRY."""
    lua.schedule("a", "b", "c", due_at=NOW - 3)
    lua.claim()
    return lua


def renew(lua: Lua, *items: str, now: int = NOW + 500) -> list[int]:
    lost: list[int] = lua("renew", *items, now=now, lock_ms=2000)
    return lost


def test_renew_pushes_the_expiry_and_nothing_else(claimed: Lua) -> None:
    before = claimed.state()
    assert renew(claimed, "a", "t", "c", "t") == []
    assert claimed.state() == before | {"locks": {"a": NOW + 2500, "b": EXPIRY, "c": NOW + 2500}}


def test_renew_names_the_lost_by_position_and_changes_nothing_of_theirs(claimed: Lua) -> None:
    before = claimed.state()
    assert renew(claimed, "a", "stale", "nobody", "t", "b", "") == [1, 2, 3]
    assert claimed.state() == before
    assert renew(claimed, "a", "t", "b", "stale") == [2]


@pytest.mark.parametrize("kind", ["ack", "retry", "dead", "release"])
@pytest.mark.parametrize("token", ["t", ""])
def test_what_is_settled_cannot_be_renewed(claimed: Lua, kind: str, token: str) -> None:
    claimed.settle("a", kind, delay_ms=0)
    before = claimed.state()
    assert renew(claimed, "a", token) == [1]
    assert claimed.state() == before


def test_an_expired_lock_that_nobody_reaped_can_be_renewed(claimed: Lua) -> None:
    assert renew(claimed, "a", "t", now=EXPIRY + 9) == []
    assert claimed.reap(now=EXPIRY + 9)[0] == 2


def test_a_reaped_lock_cannot_be_renewed(claimed: Lua) -> None:
    claimed.reap(now=EXPIRY)
    assert renew(claimed, "a", "t", now=EXPIRY) == [1]
    assert "locks" not in claimed.state()


def test_10000_renewals_at_once_do_not_outgrow_a_lua_stack(lua: Lua) -> None:
    many = [f"m{i}" for i in range(10_000)]
    lua.schedule(*many)
    lua.claim(10_000)
    assert renew(lua, *[word for id in many for word in (id, "t")]) == []
    assert set(lua.state()["locks"].values()) == {NOW + 2500}


def test_nothing_in_flight(lua: Lua) -> None:
    assert lua.reap(now=NOW) == [0, 0, 0]
    assert lua.state() == {}


def test_one_millisecond_before_the_expiry_nothing_is_reaped(claimed: Lua) -> None:
    before = claimed.state()
    assert claimed.reap(now=EXPIRY - 1) == [0, 0, 0]
    assert claimed.state() == before


def test_at_the_expiry_it_is_scheduled_again_at_its_own_moment(lua: Lua) -> None:
    lua.schedule("a", due_at=NOW - 3, priority="high")
    lua.claim(token="owner.1")
    assert lua.reap(now=EXPIRY) == [1, 0, 0]
    error = "the server that held it stopped answering (lock owner.1 expired)"
    evidence = {"attempt": 1, "started_at": NOW, "outcome": "lost", "error": error}
    state = lua.state()
    assert state["due:echo:high"] == {"a": NOW - 3}
    assert json.loads(state["msg:a"].pop("h:1")) == evidence
    assert state["msg:a"] == {
        "p": '"a"', "c": str(NOW), "q": "high", "a": "1", "l": "1", "g": str(NOW), "e": error, "u": str(EXPIRY),
        "z": str(len(json.dumps(evidence, separators=(",", ":")))),
    }  # fmt: skip


@pytest.mark.parametrize(
    ("policy", "max_attempts", "lost_limit", "claims"),
    [("", 3, 9, 3), ("2,1,1,1,0", 9, 9, 2), ("1,1,1,1,0", -1, 9, 1), ("", -1, 4, 4), ("-1,1,1,1,0", 2, 3, 3)],
)
def test_it_dies_when_its_attempts_are_used_up(
    lua: Lua, policy: str, max_attempts: int, lost_limit: int, claims: int
) -> None:
    """A policy of its own wins; without limit the lost locks are counted, or it would kill process after process."""
    lua.schedule("a", retry=policy)
    now = NOW
    for left in range(claims, 0, -1):
        assert len(lua.claim(now=now)) == 3
        now += 1000
        reaped = lua.reap(now=now, max_attempts=max_attempts, lost_limit=lost_limit)
        assert reaped == ([1, 0, 0] if left > 1 else [0, 1, 0])
    state = lua.state()
    assert state["dead"] == {"a": now}
    assert {f: state["msg:a"][f] for f in "sakfl"} == {
        "s": "dead", "a": str(claims), "k": "", "f": str(now), "l": str(claims)
    }  # fmt: skip
    assert len([f for f in state["msg:a"] if f.startswith("h:")]) == claims
    assert broken_rules(lua.client) == []


def test_locks_without_limit_are_lost_in_a_row(lua: Lua) -> None:
    """An attempt that was reported lies between the crashes of servers months apart."""
    lua.schedule("a", retry="-1,1,1,1,0")
    now = NOW
    for _ in range(5):
        for _ in range(2):
            lua.claim(now=now)
            now += 1000
            assert lua.reap(now=now, lost_limit=3) == [1, 0, 0]
        lua.claim(now=now)
        lua.settle("a", "retry", delay_ms=0, now=now)


def test_retries_without_limit_go_on_while_the_server_answers(lua: Lua) -> None:
    lua.schedule("a", retry="-1,1,1,1,0")
    for n in range(30):
        lua.claim(now=NOW + n)
        lua.settle("a", "retry", delay_ms=1, now=NOW + n)
    lua.claim(now=NOW + 30)
    assert lua.reap(now=NOW + 2000) == [1, 0, 0]


def test_the_limit_takes_the_longest_expired_first_and_says_that_more_are_left(lua: Lua) -> None:
    for n, id in enumerate("abc"):
        lua.schedule(id)
        lua.claim(lock_ms=100 + n)
    assert lua.reap(2, now=NOW + 500) == [2, 0, 0]
    assert lua.state()["locks"] == {"c": NOW + 102}
    assert lua.reap(2, now=NOW + 101) == [0, 0, 0]


def test_a_lock_without_a_hash_is_dropped(claimed: Lua) -> None:
    claimed.client.delete("ms1:{0}:msg:a")
    assert claimed.reap(now=EXPIRY) == [2, 0, 0]
    assert broken_rules(claimed.client) == []


def test_10000_at_once_do_not_outgrow_a_lua_stack(lua: Lua) -> None:
    lua.schedule(*[f"m{i}" for i in range(10_000)])
    lua.claim(10_000)
    assert lua.reap(10_000, now=EXPIRY, max_attempts=1) == [0, 10_000, 0]
    assert broken_rules(lua.client) == []
