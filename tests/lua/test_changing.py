"""update, cancel, redrive: messages that are not in flight."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.store import NOW, Lua, broken_rules

LATER = NOW + 40
STATUS = {"claim": "processing", "ack": "delivered", "dead": "dead", "cancel": "cancelled"}


def update(lua: Lua, id: str = "a", **changes: Any) -> Any:
    nothing = {"due_at": "", "payload": "", "target": "", "priority": "", "retry": ""}
    return lua("update", now=LATER, id=id, **{**nothing, **changes})


def cancel(lua: Lua, id: str = "a") -> Any:
    return lua("cancel", now=LATER, id=id)


def redrive(lua: Lua, id: str = "a") -> Any:
    return lua("redrive", now=LATER, id=id, offset=0, scan=0, limit=0, channel="", dry_run="")


def many(lua: Lua, *, offset: int = 0, scan: int = 100, limit: int = 100, channel: str = "", dry_run: int = 0) -> Any:
    return lua(
        "redrive", now=LATER, id="", offset=offset, scan=scan, limit=limit, channel=channel, dry_run=dry_run
    )  # fmt: skip


def moved(lua: Lua, by: str) -> None:
    """``a``, after these verbs."""
    lua.schedule("a", due_at=NOW)
    if by in ("claim", "ack", "dead"):
        lua.claim()
    if by in ("ack", "dead"):
        lua.settle("a", by)
    if by == "cancel":
        cancel(lua)


@pytest.mark.parametrize("verb", [update, cancel, redrive])
def test_an_unknown_id_is_code_1(lua: Lua, verb: Any) -> None:
    lua.schedule("b")
    before = lua.state()
    assert verb(lua) == [1, "", None]
    assert lua.state() == before


@pytest.mark.parametrize("by", ["claim", "ack", "dead", "cancel"])
@pytest.mark.parametrize("verb", [update, cancel])
def test_only_what_is_scheduled_can_be_changed(lua: Lua, verb: Any, by: str) -> None:
    moved(lua, by)
    before = lua.state()
    assert verb(lua) == [2, STATUS[by], None]
    assert lua.state() == before


@pytest.mark.parametrize(("by", "status"), [("", "scheduled"), *list(STATUS.items())])
def test_only_what_is_dead_can_be_redriven(lua: Lua, by: str, status: str) -> None:
    moved(lua, by)
    before = lua.state()
    if by == "dead":
        assert redrive(lua)[0] == 0
    else:
        assert redrive(lua) == [2, status, None]
        assert lua.state() == before


def test_update_of_everything(lua: Lua) -> None:
    lua.schedule("a", due_at=NOW + 9)
    code, _, (due_at, fields) = update(
        lua, due_at=NOW + 70, payload="2", target="T", priority="high", retry="1,1,1,1,0"
    )
    assert (code, due_at) == (0, str(NOW + 70))
    expected = {"p": "2", "c": str(NOW), "u": str(LATER), "t": "T", "r": "1,1,1,1,0", "q": "high"}
    assert dict(zip(fields[::2], fields[1::2], strict=True)) == expected
    assert lua.state() == {"due:echo:high": {"a": NOW + 70}, "msg:a": expected}


def test_update_of_nothing_leaves_all_but_the_time_of_change(lua: Lua) -> None:
    lua.schedule("a", due_at=NOW + 9, priority="low")
    before = lua.state()
    update(lua)
    before["msg:a"]["u"] = str(LATER)
    assert lua.state() == before


def test_update_back_to_normal_priority_and_to_now(lua: Lua) -> None:
    lua.schedule("a", due_at=NOW + 900, priority="low")
    update(lua, due_at="+7")
    assert lua.state()["due:echo:low"] == {"a": LATER + 7}
    update(lua, due_at="+0", priority="normal")
    assert lua.state() == {"due:echo:normal": {"a": LATER}, "msg:a": {"p": '"a"', "c": str(NOW), "u": str(LATER)}}


def test_update_of_a_message_that_waits_for_its_next_attempt(lua: Lua) -> None:
    moved(lua, "claim")
    lua.settle("a", "retry", delay_ms=500)
    assert update(lua, due_at=NOW + 1)[0] == 0
    assert lua.claim(now=NOW + 1)[2][2] == 2


@pytest.mark.parametrize("priority", ["high", "normal", "low"])
def test_cancel_keeps_the_moment_and_counts_the_bytes(lua: Lua, priority: str) -> None:
    lua.schedule("a", due_at=NOW + 9, priority=priority)
    code, _, (due_at, _) = cancel(lua)
    assert (code, due_at) == (0, str(NOW + 9))
    state = lua.state()
    assert set(state) == {"done", "meta", "msg:a"}
    assert (state["done"], state["meta"]) == ({"a": LATER}, {"done_bytes": "153"})
    assert {f: state["msg:a"][f] for f in "sdfz"} == {
        "s": "cancelled", "d": str(NOW + 9), "f": str(LATER), "z": "153"
    }  # fmt: skip


def test_cancel_weighs_the_evidence_of_earlier_attempts(lua: Lua) -> None:
    moved(lua, "claim")
    lua.settle("a", "retry", delay_ms=500, evidence="x" * 70)
    cancel(lua)
    assert lua.state()["meta"] == {"done_bytes": "223", "retrying": "0"}
    assert broken_rules(lua.client) == []


def test_redrive_of_one(lua: Lua) -> None:
    moved(lua, "dead")
    code, _, (due_at, _) = redrive(lua)
    assert (code, due_at) == (0, str(LATER))
    assert lua.state() == {
        "due:echo:normal": {"a": LATER},
        "meta": {"dead_bytes": "0"},
        "msg:a": {"p": '"a"', "c": str(NOW), "h:1": "1 2 3 4", "o": "1", "u": str(LATER), "z": "7"},
    }


def test_redrive_gives_all_attempts_back(lua: Lua) -> None:
    lua.schedule("a", retry="1,1,1,1,0")
    for n in range(3):
        assert lua.claim(now=LATER + 2000 * n)[2][2] == 1
        assert lua.reap(now=LATER + 2000 * n + 1000) == [0, 1, 0]
        assert redrive(lua)[0] == 0
    assert lua.state()["msg:a"]["o"] == "3"
    assert broken_rules(lua.client) == []


@pytest.fixture
def letters(lua: Lua) -> Lua:
    """Dead letters ``d0`` (oldest) to ``d9``; every third one of the channel ``webhook``."""
    for n in range(10):
        lua.dead(f"d{n}", now=NOW + n)
        if n % 3 == 0:
            lua.client.hset(f"ms1:{{0}}:msg:d{n}", "n", "webhook")
    return lua


def waiting(lua: Lua) -> dict[str, int]:
    """What waits in either lane, normal priority."""
    state = lua.state()
    return {**state.get("due:echo:normal", {}), **state.get("due:webhook:normal", {})}


def test_redrive_of_all(letters: Lua) -> None:
    assert many(letters) == [10, 10]
    state = letters.state()
    assert "dead" not in state
    assert waiting(letters) == {f"d{n}": LATER for n in range(10)}
    assert state["meta"] == {"dead_bytes": "0"}


def test_redrive_takes_the_oldest_up_to_the_limit(letters: Lua) -> None:
    assert many(letters, limit=3) == [3, 3]
    assert sorted(waiting(letters)) == ["d0", "d1", "d2"]
    assert broken_rules(letters.client) == []


def test_redrive_by_channel_looks_past_the_others(letters: Lua) -> None:
    assert many(letters, channel="webhook", limit=2) == [2, 4]
    assert sorted(waiting(letters)) == ["d0", "d3"]
    assert many(letters, channel="echo") == [6, 8]
    assert sorted(letters.state()["dead"]) == ["d6", "d9"]


def test_redrive_looks_at_so_many_members_at_most(letters: Lua) -> None:
    assert many(letters, channel="webhook", scan=3) == [1, 3]
    assert many(letters, channel="webhook", offset=2, scan=2) == [1, 2]
    assert sorted(waiting(letters)) == ["d0", "d3"]


def test_a_dry_run_counts_and_changes_nothing(letters: Lua) -> None:
    before = letters.state()
    assert many(letters, channel="webhook", dry_run=1) == [4, 10]
    assert many(letters, limit=6, dry_run=1) == [6, 6]
    assert letters.state() == before


def test_a_dead_letter_without_a_hash_is_passed_over(letters: Lua) -> None:
    letters.client.delete("ms1:{0}:msg:d1")
    assert many(letters) == [9, 10]
