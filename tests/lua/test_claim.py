"""claim: what is due, most urgent first, each under a lock; otherwise when to come back."""

from __future__ import annotations

import pytest

from tests.support.store import NOW, Lua, broken_rules


def ids(reply: list[list[str]]) -> list[str]:
    return [row[0] for row in reply[2:]]


def wait_us(reply: list[str]) -> int:
    return int(reply[1])


def test_nothing_waits(lua: Lua) -> None:
    assert lua.claim() == [NOW * 1000, -1]
    assert lua.state() == {}


def test_due_exactly_now_is_claimed_whole(lua: Lua) -> None:
    lua("schedule", "a", '"x"', NOW, "webhook", "low", "T", "y", "w", "2,1,1,1,0", "", "", "TP", now=NOW - 7,
        key="", fingerprint="", key_ttl=1)  # fmt: skip
    assert lua.claim(9, ("webhook", 9, 9, 0), token="o.1", lock_ms=250) == [
        NOW * 1000, -1,
        ["a", str(NOW), 1, '"x"', "webhook", "T", "y", "2,1,1,1,0", "low", str(NOW - 7), None, None, None, "TP"],
    ]  # fmt: skip
    assert lua.state() == {
        "locks": {"a": NOW + 250},
        "msg:a": {
            "p": '"x"', "c": str(NOW - 7), "n": "webhook", "q": "low", "t": "T", "y": "y", "w": "w", "r": "2,1,1,1,0",
            "s": "processing", "k": "o.1", "d": str(NOW), "a": "1", "g": str(NOW), "T": "TP",
        },
    }  # fmt: skip


def test_one_millisecond_early_is_never_claimed(lua: Lua) -> None:
    lua.schedule("a", due_at=NOW + 1)
    before = lua.state()
    assert lua.claim() == [NOW * 1000, 1000]
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
    assert lua.claim() == [NOW * 1000, -1]
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


# -- budgets -----------------------------------------------------------------------------------------------------------


def of_lane(lua: Lua, lane: str, count: int, *, due_at: int = NOW, priority: str = "normal") -> None:
    """Jobs ``<type>0``, ``<type>1`` ... that wait in a lane of their type."""
    type = lane.partition(":")[2]
    items = [
        v for n in range(count) for v in (f"{type}{n}", "1", due_at, "job", priority, "", type, "", "", "", "", "")
    ]
    lua("schedule", *items, now=NOW, key="", fingerprint="", key_ttl=1000)


def counted(reply: list[list[str]]) -> dict[str, int]:
    """Type -> how many were claimed, in the order of the lanes."""
    found: dict[str, int] = {}
    for row in reply[2:]:
        found[row[6]] = found.get(row[6], 0) + 1
    return found


@pytest.mark.parametrize(
    ("budgets", "shared", "claimed"),
    [
        ([("a", 3, 9, 0)], 0, {"a": 3}),  # most
        ([("a", 9, 2, 0)], 0, {"a": 2}),  # what needs no shared thread, and there is none
        ([("a", 9, 2, 0), ("b", 9, 3, 0)], 0, {"a": 2, "b": 3}),
        ([("a", 9, 1, 1)], 3, {"a": 4}),  # one of its own, three shared
        ([("a", 9, 1, 2)], 3, {"a": 7}),  # two for each thread
        ([("a", 4, 1, 1), ("b", 9, 1, 1)], 3, {"a": 4, "b": 1}),  # the first takes all that is shared
        ([("b", 9, 1, 1), ("a", 9, 1, 1)], 3, {"b": 4, "a": 1}),  # which comes first is the server's choice
        ([("a", 3, 1, 1), ("b", 9, 1, 1)], 3, {"a": 3, "b": 2}),  # and leaves what it may not take
        ([("a", 4, 1, 2), ("b", 9, 0, 2)], 3, {"a": 4, "b": 2}),  # a thread that is half full is taken
        ([("a", 9, 0, 1), ("b", 9, 0, 1)], 0, {}),
        ([("nobody", 9, 9, 0)], 0, {}),
    ],
)  # fmt: skip
def test_a_lane_gives_what_its_own_and_the_shared_threads_can_begin(
    lua: Lua, budgets: list[tuple[str, int, int, int]], shared: int, claimed: dict[str, int]
) -> None:
    of_lane(lua, "job:a", 9)
    of_lane(lua, "job:b", 9)
    of_types = [(f"job:{type}", most, own, each) for type, most, own, each in budgets]
    reply = lua.claim(100, *of_types, shared=shared)
    assert list(counted(reply).items()) == list(claimed.items())
    assert broken_rules(lua.client) == []


def test_a_limit_of_all_lanes_together(lua: Lua) -> None:
    of_lane(lua, "job:a", 9)
    of_lane(lua, "job:b", 9)
    assert counted(lua.claim(5, ("job:a", 3, 3, 0), ("job:b", 9, 9, 0))) == {"a": 3, "b": 2}


def test_priorities_are_strict_within_a_lane(lua: Lua) -> None:
    of_lane(lua, "job:low", 2, priority="low")
    of_lane(lua, "job:a", 2, priority="low")
    items = ("urgent", "1", NOW, "job", "high", "", "a", "", "", "", "", "")
    lua("schedule", *items, now=NOW, key="", fingerprint="", key_ttl=9)
    assert ids(lua.claim(100, ("job:low", 1, 1, 0), ("job:a", 2, 2, 0))) == ["low0", "urgent", "a0"]


def test_the_wait_is_for_lanes_that_may_give_more(lua: Lua) -> None:
    of_lane(lua, "job:full", 3)
    of_lane(lua, "job:later", 1, due_at=NOW + 20)
    of_lane(lua, "job:unserved", 1, due_at=NOW)
    budgets = [("job:full", 2, 2, 0), ("job:later", 1, 1, 0)]
    assert wait_us(lua.claim(100, *budgets)) == 20_000, "a full lane is asked again when some of it has ended"
    assert wait_us(lua.claim(100, ("job:full", 0, 0, 0), ("job:later", 1, 1, 0))) == 20_000
    assert wait_us(lua.claim(100, ("job:full", 9, 0, 1))) == -1, "no thread is free, and nothing to wait for"
    assert wait_us(lua.claim(100, ("job:full", 9, 9, 0))) == -1, "it is empty now"
    assert wait_us(lua.claim(0, ("job:unserved", 9, 9, 0))) == 0, "the limit was met, the lane is not full"


def test_a_lane_leaves_the_list_when_nothing_waits_in_it(lua: Lua) -> None:
    lanes = "ms1:{0}:lanes"
    of_lane(lua, "job:a", 2)
    lua.claim(100, ("job:a", 1, 1, 0))
    assert lua.client.zrange(lanes, 0, -1) == ["job:a"]
    lua.claim(100, ("job:a", 2, 2, 0))
    assert lua.client.zrange(lanes, 0, -1) == []
    lua.settle("a0", "retry", token="t", delay_ms=5)
    assert lua.client.zrange(lanes, 0, -1) == ["job:a"]


def test_a_run_that_a_claim_makes_is_counted_when_it_says_when_to_come_back(lua: Lua) -> None:
    lua.schedule("s:1")
    lua.client.hset(f"{lua.keys['msg']}s:1", "i", "1")
    # The schedule was changed before its run began, and the next one waits for that.
    lua.client.hset(
        f"{lua.keys['sched']}s",
        mapping={"c": "2", "overlap": "buffer", "busy": "s:1", "buffered": "s:2 plan", "p": '"y"'},
    )
    reply = lua.claim()
    assert (ids(reply), reply[1]) == ([], 0)
    assert ids(lua.claim()) == ["s:2"]
