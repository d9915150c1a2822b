"""Flow keys, script by script: who may go, in which order, and when to come back."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from tests.support.flow_rules import state_of
from tests.support.store import NOW, Lua, broken_rules

ONE_AT_A_TIME = "1,,"
ORDERED = ",,1"


def put(
    lua: Lua,
    *ids: str,
    key: str = "k",
    limits: str = ",,",
    default: str = ",,",
    due_at: int = NOW,
    now: int = NOW,
    lane: str = "echo",
    priority: str = "normal",
) -> None:
    """Messages with a flow key."""
    flow = f"{key} {limits} {default}" if key else ""
    items = [v for id in ids for v in (id, f'"{id}"', due_at, lane, priority, "", "", "", "", "", flow, "")]
    lua("schedule", *items, now=now, key="", fingerprint="", key_ttl=1000)


def claimed(lua: Lua, limit: int = 100, *lanes: str, now: int = NOW) -> list[str]:
    budgets = [(lane, limit + 1, limit + 1, 0) for lane in lanes or ("echo",)]
    return [row[0] for row in lua.claim(limit, *budgets, now=now)[2:]]


def wait_us(lua: Lua, now: int = NOW) -> int:
    return int(lua.claim(now=now)[1])


def key_of(lua: Lua, key: str = "k") -> dict[str, str]:
    text: Any = lua.client.get(f"ms1:{{0}}:flow:key:{key}")
    return state_of(text) if text else {}


def in_force(lua: Lua) -> tuple[str, ...]:
    return tuple(key_of(lua)[name] for name in ("concurrency", "rate", "period", "ordered"))


@pytest.fixture(autouse=True)
def rules(lua: Lua) -> Any:
    """Whatever a test did, the partition is whole."""
    yield
    assert broken_rules(lua.client, now=NOW + 10_000) == []


# -- concurrency -------------------------------------------------------------------------------------------------------


def test_never_one_more_than_allowed_and_never_idle_while_there_is_room(lua: Lua) -> None:
    put(lua, "a", "b", "c", "d", limits="2,,")
    assert claimed(lua) == ["a", "b"]
    assert claimed(lua) == []
    lua.settle("b", "ack")
    assert claimed(lua) == ["c"]
    lua.settle("a", "ack")
    assert claimed(lua) == ["d"]


@pytest.mark.parametrize("kind", ["ack", "dead", "retry", "release"])
def test_every_outcome_frees_the_slot(lua: Lua, kind: str) -> None:
    put(lua, "a", "b", limits=ONE_AT_A_TIME)
    assert claimed(lua) == ["a"]
    lua.settle("a", kind, delay_ms=9)
    assert claimed(lua) == ["b"]


def test_an_expired_lock_frees_the_slot(lua: Lua) -> None:
    put(lua, "a", "b", limits=ONE_AT_A_TIME)
    assert claimed(lua) == ["a"]
    lua.reap(now=NOW + 1000, max_attempts=1)
    assert claimed(lua, now=NOW + 1000) == ["b"]


def test_an_outcome_without_the_lock_frees_nothing(lua: Lua) -> None:
    put(lua, "a", "b", limits=ONE_AT_A_TIME)
    assert claimed(lua) == ["a"]
    assert lua.settle("a", "ack", token="stale") == [0]
    assert claimed(lua) == []


def test_a_claim_that_finds_only_closed_keys_says_that_nothing_is_to_come(lua: Lua) -> None:
    put(lua, "a", "b", limits=ONE_AT_A_TIME)
    assert claimed(lua) == ["a"]
    assert wait_us(lua) == -1


def test_who_frees_a_slot_wakes_the_dispatchers(lua: Lua) -> None:
    put(lua, "a", "b", limits=ONE_AT_A_TIME)
    assert claimed(lua) == ["a"]
    with lua.client.pubsub() as listener:  # type: ignore[no-untyped-call]
        listener.subscribe("ms1:wake")
        assert listener.get_message(timeout=5)
        lua.settle("a", "ack")
        woken = listener.get_message(timeout=5)
    assert woken is not None
    assert woken["data"] == f"0 {NOW}"


# -- moments -----------------------------------------------------------------------------------------------------------


def test_a_message_of_a_key_is_never_early_and_says_when_to_come_back(lua: Lua) -> None:
    put(lua, "a", due_at=NOW + 5, limits=ONE_AT_A_TIME)
    assert wait_us(lua) == 5000
    assert claimed(lua, now=NOW + 4) == []
    assert claimed(lua, now=NOW + 5) == ["a"]


def test_one_that_is_due_earlier_goes_first_whenever_it_came(lua: Lua) -> None:
    put(lua, "late", due_at=NOW + 9, limits=ONE_AT_A_TIME)
    put(lua, "soon", due_at=NOW + 3)
    assert wait_us(lua) == 3000
    assert claimed(lua, now=NOW + 9) == ["soon"]


def test_the_lane_is_listed_while_messages_wait_at_a_closed_key(lua: Lua) -> None:
    put(lua, "a", "b", limits=ONE_AT_A_TIME)
    assert claimed(lua) == ["a"]
    assert claimed(lua) == []
    assert lua("stats")[12][:4] == ["echo", 0, 1, 0]
    assert lua("stats")[9:12] == [1, 1, str(NOW)]


# -- rate --------------------------------------------------------------------------------------------------------------


def test_a_window_begins_with_its_first_attempt_and_lets_so_many_begin(lua: Lua) -> None:
    put(lua, "a", "b", "c", "d", limits=",2/1000,")
    assert claimed(lua, now=NOW + 50) == ["a", "b"]
    assert wait_us(lua, now=NOW + 50) == 1_000_000
    assert claimed(lua, now=NOW + 1049) == []
    assert claimed(lua, now=NOW + 1050) == ["c", "d"]


def test_a_retry_is_an_attempt_and_what_was_given_back_was_none(lua: Lua) -> None:
    put(lua, "a", "b", limits=",2/1000,")
    assert claimed(lua, 1) == ["a"]
    lua.settle("a", "release")
    assert claimed(lua, 1) == ["a"]
    lua.settle("a", "retry", delay_ms=0)
    assert claimed(lua, 9) == ["a"], "of the same moment, the one that was accepted first"
    assert claimed(lua, now=NOW + 999) == []
    assert claimed(lua, now=NOW + 1000) == ["b"]


def test_what_was_given_back_lets_the_next_one_go_before_the_window_ends(lua: Lua) -> None:
    put(lua, "a", "b", "c", limits=",2/1000,")
    assert claimed(lua) == ["a", "b"]
    lua.settle("a", "release", delay_ms=500)
    assert claimed(lua) == ["c"]


def test_full_windows_follow_each_other_without_drift(lua: Lua) -> None:
    put(lua, *[f"m{n}" for n in range(6)], limits=",2/1000,")
    assert claimed(lua) == ["m0", "m1"]
    assert claimed(lua, now=NOW + 1007) == ["m2", "m3"], "7 ms late"
    assert claimed(lua, now=NOW + 2000) == ["m4", "m5"]


def test_a_window_begins_with_nothing_used(lua: Lua) -> None:
    put(lua, "a", limits=",2/1000,")
    assert claimed(lua) == ["a"]
    put(lua, "b", "c", "d")
    assert claimed(lua, 1, now=NOW + 1000) == ["b"]
    assert claimed(lua, now=NOW + 1000) == ["c"]


def test_a_key_without_messages_remembers_its_window(lua: Lua) -> None:
    put(lua, "a", limits=",1/1000,")
    assert claimed(lua) == ["a"]
    lua.settle("a", "ack")
    put(lua, "b")
    assert claimed(lua, now=NOW + 999) == []
    assert claimed(lua, now=NOW + 1000) == ["b"]
    lua.settle("b", "ack", now=NOW + 1001)
    assert wait_us(lua, now=NOW + 1001) == 999_000
    assert claimed(lua, now=NOW + 2000) == []
    assert [name for name in lua.state() if name.startswith("flow")] == []


# -- order -------------------------------------------------------------------------------------------------------------


def test_ordered_is_by_moment_then_by_acceptance_not_by_id(lua: Lua) -> None:
    put(lua, "z", "a", due_at=NOW + 2, limits=ORDERED)
    put(lua, "m", due_at=NOW + 1)
    order = []
    while found := claimed(lua, now=NOW + 9):
        order += found
        lua.settle(found[0], "ack", now=NOW + 9)
    assert order == ["m", "z", "a"]


@pytest.mark.parametrize("lane", ["echo", "webhook"])
def test_ordered_holds_over_priorities_and_lanes(lua: Lua, lane: str) -> None:
    put(lua, "first", limits=ORDERED, lane=lane, priority="low")
    put(lua, "second", due_at=NOW + 1, priority="high")
    assert claimed(lua, 9, "echo", "webhook", now=NOW + 1) == ["first"]
    lua.settle("first", "ack", now=NOW + 1)
    assert claimed(lua, 9, "echo", "webhook", now=NOW + 1) == ["second"]


def test_an_earlier_message_in_another_lane_takes_the_turn_over(lua: Lua) -> None:
    put(lua, "b", due_at=NOW + 1, limits=ORDERED)
    put(lua, "a", lane="webhook")
    assert claimed(lua, 9, "echo", now=NOW + 2) == [], "its turn is in a lane that this server does not serve"
    assert claimed(lua, 9, "webhook", now=NOW + 2) == ["a"]
    lua.settle("a", "ack", now=NOW + 2)
    assert claimed(lua, 9, "echo", now=NOW + 2) == ["b"]


@pytest.mark.parametrize("how", ["retry", "release", "reap"])
def test_the_first_one_holds_the_others_back_until_it_ends(lua: Lua, how: str) -> None:
    put(lua, "a", "b", limits=ORDERED)
    assert claimed(lua) == ["a"]
    put(lua, "earlier", due_at=NOW - 5)
    if how == "reap":
        lua.reap(now=NOW + 1000)
    else:
        lua.settle("a", how, delay_ms=1000)
    assert claimed(lua, now=NOW + 999) == []
    assert claimed(lua, now=NOW + 1000) == ["a"]
    lua.settle("a", "dead", now=NOW + 1000)
    assert claimed(lua, now=NOW + 1000) == ["earlier"]


def test_a_first_one_that_is_cancelled_or_put_off_lets_the_others_go(lua: Lua) -> None:
    put(lua, "a", "b", "c", limits=ORDERED)
    unchanged: dict[str, Any] = dict.fromkeys(("payload", "target", "priority", "retry"), "")
    for id, following in (("a", "b"), ("b", "c")):
        assert claimed(lua) == [id]
        lua.settle(id, "retry", delay_ms=1000)
        assert claimed(lua) == []
        if id == "a":
            lua("cancel", id="a", outbox_limit=0, outbox_waits="")
        else:
            lua("update", id="b", due_at=NOW + 5000, **unchanged)
        assert lua("get", id=following)[0] == str(NOW)
    assert claimed(lua) == ["c"]


def test_one_that_has_begun_no_longer_leads_when_order_is_given_up(lua: Lua) -> None:
    put(lua, "a", "b", limits=ORDERED)
    assert claimed(lua) == ["a"]
    lua.settle("a", "retry", delay_ms=1000)
    put(lua, "c", limits=",,0")
    assert claimed(lua) == ["b", "c"]
    assert claimed(lua, now=NOW + 1000) == ["a"]


# -- turns -------------------------------------------------------------------------------------------------------------


def test_keys_take_turns_whoever_has_more_or_came_first(lua: Lua) -> None:
    put(lua, *[f"a{n}" for n in range(50)], key="a", due_at=NOW - 9)
    put(lua, *[f"b{n}" for n in range(3)], key="b", due_at=NOW - 1)
    order = []
    for ms in range(1, 7):
        found = claimed(lua, 1, now=NOW + ms)
        order += found
        lua.settle(found[0], "ack", now=NOW + ms)
    assert [id[0] for id in order] == ["a", "b", "a", "b", "a", "b"]


def test_with_more_keys_than_room_a_turn_is_up_to_four_messages(lua: Lua) -> None:
    for key in "abcd":
        put(lua, *[f"{key}{n}" for n in range(10)], key=key)
    rounds = [[id[0] for id in claimed(lua, 8, now=NOW + ms)] for ms in (1, 2, 3)]
    assert rounds == [[*"aabbccdd"], [*"aabbccdd"], [*"aabbccdd"]], "room for all"
    for key in "efghijklm":
        put(lua, *[f"{key}{n}" for n in range(10)], key=key, due_at=NOW + 5)
    claimed(lua, 99, now=NOW + 4)
    rounds = [[id[0] for id in claimed(lua, 16, now=NOW + ms)] for ms in (10, 11, 12)]
    assert rounds == [[*"eeeeffffgggghhhh"], [*"iiiijjjjkkkkllll"], [*"mmmmeeeeffffgggg"]]


def test_with_room_for_all_each_gets_its_share_in_one_call(lua: Lua) -> None:
    put(lua, *[f"a{n}" for n in range(50)], key="a")
    put(lua, *[f"b{n}" for n in range(3)], key="b")
    put(lua, "c", key="")
    found = claimed(lua, 21)
    assert [sum(id[0] == key for id in found) for key in "abc"] == [17, 3, 1]


def test_a_message_without_a_key_waits_for_a_round_at_most(lua: Lua) -> None:
    put(lua, *[f"a{n}" for n in range(50)], key="a")
    put(lua, "c", key="")
    assert "c" in claimed(lua, 2)


def test_a_key_that_may_not_go_costs_no_other_its_place(lua: Lua) -> None:
    for n in range(5):
        put(lua, f"x{n}", f"y{n}", key=f"k{n}", limits=ONE_AT_A_TIME)
    assert claimed(lua, 3) == ["x0", "x1", "x2"]
    assert claimed(lua, 3) == ["x3", "x4"]
    put(lua, "free", key="other")
    assert claimed(lua, 1) == ["free"]


def test_priorities_are_strict_for_keys_too(lua: Lua) -> None:
    put(lua, "low", priority="low", limits=ONE_AT_A_TIME)
    put(lua, "high", priority="high")
    put(lua, "other", priority="normal", key="")
    assert claimed(lua, 1) == ["high"]
    lua.settle("high", "ack")
    assert claimed(lua) == ["other", "low"]


# -- limits ------------------------------------------------------------------------------------------------------------


def test_the_newest_limits_win_each_for_itself(lua: Lua) -> None:
    put(lua, "a", "b", "c", limits="1,9/1000,", default=",5/2000,1")
    assert in_force(lua) == ("1", "9", "1000", "1")
    put(lua, "d", limits="3,,0", default=",5/2000,1")
    assert in_force(lua) == ("3", "9", "1000", "")
    assert claimed(lua) == ["a", "b", "c"]


def test_a_lower_limit_closes_the_key_until_so_many_have_ended(lua: Lua) -> None:
    put(lua, "a", "b", "c", limits="3,,")
    assert claimed(lua) == ["a", "b", "c"]
    put(lua, "d", limits=ONE_AT_A_TIME)
    for id in ("a", "b", "c"):
        assert claimed(lua) == []
        lua.settle(id, "ack")
    assert claimed(lua) == ["d"]


def test_a_key_that_nothing_uses_disappears(lua: Lua) -> None:
    put(lua, "a", "b", limits=ONE_AT_A_TIME)
    lua("cancel", id="b", outbox_limit=0, outbox_waits="")
    assert claimed(lua) == ["a"]
    lua.settle("a", "ack")
    assert [name for name in lua.state() if name.startswith("flow")] == []


def test_a_dead_letter_brings_the_limits_of_its_key_back(lua: Lua) -> None:
    put(lua, "a", "b", limits=ONE_AT_A_TIME, default=",7/1000,")
    for id in claimed(lua) + claimed(lua):
        lua.settle(id, "dead")
    for id in claimed(lua):
        lua.settle(id, "dead")
    claimed(lua, now=NOW + 1000)
    assert key_of(lua) == {}
    for id in ("a", "b"):
        lua("redrive", id=id, offset=0, scan=0, limit=0, channel="", dry_run="", now=NOW + 2000)
    assert in_force(lua) == ("1", "7", "1000", "")
    assert len(claimed(lua, now=NOW + 2000)) == 1


# -- cost --------------------------------------------------------------------------------------------------------------


def commands(lua: Lua, call: Callable[[], Any]) -> Counter[str]:
    """How often a call ran each command of Redis."""

    def calls() -> Counter[str]:
        stats: Any = lua.client.info("commandstats")
        return Counter({name.removeprefix("cmdstat_"): of["calls"] for name, of in stats.items()})

    before = calls()
    call()
    return calls() - before


def test_messages_without_a_key_cost_one_look_whether_any_key_exists(lua: Lua) -> None:
    lua.schedule(*[f"m{n}" for n in range(20)])
    lua.claim(1)
    found = commands(lua, lambda: lua.claim(9))
    assert {found[name] for name in ("mget", "mset")} == {0}
    assert found["exists"] == 1
    found = commands(lua, lambda: lua.settle("m0", "ack"))
    assert {found[name] for name in ("mget", "mset", "exists")} == {0}


def test_a_claim_costs_the_same_however_many_wait_at_a_closed_key(lua: Lua) -> None:
    put(lua, *[f"a{n}" for n in range(10)], limits=ONE_AT_A_TIME)
    put(lua, *[f"b{n}" for n in range(20)], key="")
    assert claimed(lua, 1) == ["a0"]
    few = commands(lua, lambda: claimed(lua, 5))
    put(lua, *[f"c{n}" for n in range(2000)])
    assert commands(lua, lambda: claimed(lua, 5)) == few


def test_the_states_of_the_keys_of_a_round_are_read_at_once_and_those_of_a_claim_written(lua: Lua) -> None:
    for n in range(25):
        put(lua, *[f"{n}-{m}" for m in range(9)], key=f"k{n}", limits="10,,")
    found = commands(lua, lambda: claimed(lua, 100))
    assert (found["mget"], found["mset"]) == (1, 1)


# -- lateness ----------------------------------------------------------------------------------------------------------


def test_how_long_the_key_kept_a_message_back_is_told_with_it(lua: Lua) -> None:
    put(lua, "a", "b", limits=ONE_AT_A_TIME, due_at=NOW + 10)
    assert [row[12] for row in lua.claim(now=NOW + 12)[2:]] == [0]
    lua.settle("a", "ack", now=NOW + 52)
    rows = lua.claim(now=NOW + 60)[2:]  # the lane's 8 ms are not the key's
    assert [(row[0], row[1], row[12]) for row in rows] == [("b", str(NOW + 10), 42)]
    put(lua, "free", key="", now=NOW + 60)
    assert len(lua.claim(now=NOW + 60)[2]) == 10, "nothing is said of what it has not"


def test_what_is_given_back_at_the_end_of_a_window_counts_for_the_window(lua: Lua) -> None:
    put(lua, "a", "b", limits=",1/1000,")
    assert claimed(lua) == ["a"]
    rows = lua.claim(now=NOW + 1500)[2:]
    assert [(row[0], row[12]) for row in rows] == [("b", 1000)]


# -- the rest of the verbs ---------------------------------------------------------------------------------------------


def test_a_message_moves_between_priorities_and_moments_with_its_key(lua: Lua) -> None:
    put(lua, "a", "b", limits=ONE_AT_A_TIME)
    unchanged: dict[str, Any] = dict.fromkeys(("payload", "target", "retry"), "")
    lua("update", id="b", due_at=NOW - 1, priority="high", **unchanged)
    assert lua("get", id="b")[0] == str(NOW - 1)
    assert claimed(lua) == ["b"]


def test_a_lane_that_is_adopted_takes_its_keys_along(lua: Lua) -> None:
    put(lua, "a", "b", limits=ONE_AT_A_TIME)
    put(lua, "free", key="")
    assert lua("adopt", source="echo", lane="webhook", limit=100) == 3
    assert claimed(lua) == []
    assert sorted(claimed(lua, 9, "webhook")) == ["a", "free"]
    lua.settle("a", "ack")
    assert claimed(lua, 9, "webhook") == ["b"]


def test_ids_whose_hashes_were_deleted_by_hand_hold_nothing_up(lua: Lua) -> None:
    put(lua, "a", "b", limits=ONE_AT_A_TIME)
    lua.client.delete("ms1:{0}:msg:a")
    assert claimed(lua) == ["b"]


def test_a_message_of_an_earlier_version_has_a_number_of_five_digits_and_no_slash(lua: Lua) -> None:
    put(lua, "b", "a", "c", limits=ORDERED)
    marks = {id: str(lua.client.hget(f"ms1:{{0}}:msg:{id}", "F")) for id in "bac"}
    assert marks == {"b": "0/k", "a": "1/k", "c": "2/k"}
    lua.client.hset("ms1:{0}:msg:b", "F", "----0k")
    lua.client.hset("ms1:{0}:msg:a", "F", "----1k")
    assert claimed(lua) == ["b"]
    lua.settle("b", "retry", delay_ms=0)
    for id in "bac":
        assert claimed(lua) == [id]
        lua.settle(id, "ack")
