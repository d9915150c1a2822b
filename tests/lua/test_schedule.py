"""schedule: accept messages, all or none."""

from __future__ import annotations

import pytest

from tests.support.store import NOW, Lua

WHOLE = ("b", '{"n":1}', NOW + 5, "webhook", "high", '{"url":"u"}', "mail", "ann", "3,1.0,2.0,9.0,1", "")


def item(id: str, due_at: str | int = NOW + 5) -> tuple[str | int, ...]:
    return (id, f'"{id}"', due_at, "echo", "normal", "", "", "", "", "", "", "")


def schedule(
    lua: Lua, *items: tuple[str | int, ...], key: str = "", fingerprint: str = "", key_ttl: int = 60_000, now: int = NOW
) -> list[str | int]:
    reply: list[str | int] = lua(
        "schedule", *[v for one in items for v in one], now=now, key=key, fingerprint=fingerprint, key_ttl=key_ttl
    )
    return reply


def test_a_plain_message_keeps_only_what_is_not_the_default(lua: Lua) -> None:
    assert schedule(lua, item("a")) == [0, NOW, ""]
    assert lua.state() == {"due:echo:normal": {"a": NOW + 5}, "msg:a": {"p": '"a"', "c": str(NOW)}}


def test_every_field_is_kept(lua: Lua) -> None:
    schedule(lua, WHOLE)
    assert lua.state() == {
        "due:webhook:high": {"b": NOW + 5},
        "msg:b": {
            "p": '{"n":1}', "c": str(NOW), "n": "webhook", "q": "high", "t": '{"url":"u"}', "y": "mail", "w": "ann",
            "r": "3,1.0,2.0,9.0,1",
        },
    }  # fmt: skip


@pytest.mark.parametrize(("due_at", "expected"), [("+0", NOW), ("+1", NOW + 1), ("+5000", NOW + 5000), (0, 0)])
def test_a_plus_is_so_long_from_redis_now(lua: Lua, due_at: str | int, expected: int) -> None:
    assert schedule(lua, item("a", due_at), key="K", fingerprint="f")[0] == 0
    state = lua.state()
    assert (state["due:echo:normal"], state["idem:K"]) == ({"a": expected}, f"f a {expected}")


def test_a_message_of_the_past_is_stored_as_it_is(lua: Lua) -> None:
    schedule(lua, item("a", 1))
    assert lua.state()["due:echo:normal"] == {"a": 1}


@pytest.mark.parametrize("moved_by", ["nothing", "claim", "ack", "dead", "cancel"])
def test_an_id_that_exists_anywhere_refuses_the_whole_batch(lua: Lua, moved_by: str) -> None:
    lua.schedule("b")
    if moved_by in ("claim", "ack", "dead"):
        lua.claim()
    if moved_by in ("ack", "dead"):
        lua.settle("b", moved_by)
    if moved_by == "cancel":
        lua("cancel", id="b")
    before = lua.state()
    assert schedule(lua, item("a"), item("b"), item("c")) == [1, NOW, 2]
    assert lua.state() == before


def test_an_id_given_twice_refuses_the_whole_batch(lua: Lua) -> None:
    assert schedule(lua, item("a"), item("b"), item("a")) == [1, NOW, 3]
    assert lua.state() == {}


def test_the_same_key_and_fingerprint_give_what_was_stored_then(lua: Lua) -> None:
    assert schedule(lua, item("a", "+0"), item("b"), key="K", fingerprint="f") == [0, NOW, ""]
    before = lua.state()
    assert before["idem:K"] == f"f a {NOW} b {NOW + 5}"
    assert schedule(lua, item("c"), item("d"), key="K", fingerprint="f", now=NOW + 9) == [
        2, NOW + 9, f"a {NOW} b {NOW + 5}",
    ]  # fmt: skip
    assert lua.state() == before


def test_a_replay_answers_even_when_the_messages_are_gone(lua: Lua) -> None:
    schedule(lua, item("a"), key="K", fingerprint="f")
    lua.client.delete("ms1:{0}:msg:a", "ms1:{0}:due:echo:normal")
    assert schedule(lua, item("a"), key="K", fingerprint="f") == [2, NOW, f"a {NOW + 5}"]


def test_the_same_key_with_another_fingerprint_stores_nothing(lua: Lua) -> None:
    schedule(lua, item("a"), key="K", fingerprint="f")
    before = lua.state()
    assert schedule(lua, item("b"), key="K", fingerprint="ff") == [3, NOW, ""]
    assert lua.state() == before


def test_a_refused_batch_leaves_no_key(lua: Lua) -> None:
    lua.schedule("a")
    schedule(lua, item("a"), key="K", fingerprint="f")
    assert "idem:K" not in lua.state()


def test_a_key_lives_as_long_as_it_was_told_and_is_free_after(lua: Lua) -> None:
    schedule(lua, item("a"), key="K", fingerprint="f", key_ttl=60_000)
    assert 50_000 < lua.client.pttl("ms1:{0}:idem:K") <= 60_000
    lua.client.pexpire("ms1:{0}:idem:K", 0)
    assert schedule(lua, item("b"), key="K", fingerprint="other")[0] == 0


def test_10000_messages_in_one_call(lua: Lua) -> None:
    assert schedule(lua, *[item(f"m{i}") for i in range(10_000)])[0] == 0
    assert lua.client.zcard("ms1:{0}:due:echo:normal") == 10_000
