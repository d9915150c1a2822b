"""The moment asked for stays, whatever moves due_at: back-pressure (``b``, the set ``held``), retries (``m``)."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.store import NOW, Lua, broken_rules

ASKED = NOW - 10
OLDEST_HELD = slice(7, 9)
"""Of stats: how many were put off, and since when."""


@pytest.fixture
def put_off(lua: Lua) -> Lua:
    """A message that back-pressure put off twice: due at NOW + 500, and claimable since ASKED."""
    lua.schedule("a", due_at=ASKED, now=ASKED)
    for n, delay_ms in enumerate((200, 300)):
        lua.claim(token=f"t{n}", now=NOW + 200 * n)
        lua.settle("a", "release", token=f"t{n}", now=NOW + 200 * n, delay_ms=delay_ms)
    assert lua.state()["due:echo:normal"] == {"a": NOW + 500}
    return lua


def moments(lua: Lua) -> tuple[Any, Any, Any]:
    """Fields ``b`` and ``m``, and what the set of those put off holds."""
    state = lua.state()
    return state["msg:a"].get("b"), state["msg:a"].get("m"), state.get("held", {}).get("a")


def test_a_message_that_was_never_moved_pays_nothing_for_it(lua: Lua) -> None:
    lua.schedule("a", due_at=ASKED)
    lua.claim()
    lua.settle("a", "release")
    assert moments(lua) == (None, None, None)
    lua.claim()
    lua.settle("a", "ack")
    assert moments(lua) == (None, None, None)


def test_what_was_put_off_is_late_since_the_moment_before_the_first_delay(put_off: Lua) -> None:
    assert moments(put_off) == (str(ASKED), None, ASKED)
    _, _, row = put_off.claim(now=NOW + 500)
    assert row[1] == str(ASKED)
    assert put_off.state()["msg:a"]["d"] == str(NOW + 500)


def test_stats_say_how_many_were_put_off_and_since_when(put_off: Lua) -> None:
    put_off.schedule("b", due_at=NOW)
    assert put_off("stats")[OLDEST_HELD] == [1, str(ASKED)]
    put_off.claim(now=NOW + 500)
    assert put_off("stats")[OLDEST_HELD] == [1, str(ASKED)]


@pytest.mark.parametrize("kind", ["ack", "dead"])
def test_an_attempt_ends_the_waiting_and_the_moment_stays(put_off: Lua, kind: str) -> None:
    put_off.claim(now=NOW + 500)
    put_off.settle("a", kind, now=NOW + 501)
    assert moments(put_off) == (str(ASKED), None, None)
    assert put_off("stats")[OLDEST_HELD] == [0, ""]


def test_a_retry_is_late_from_its_own_moment_and_keeps_the_one_asked_for(put_off: Lua) -> None:
    put_off.claim(now=NOW + 500)
    put_off.settle("a", "retry", now=NOW + 510, delay_ms=90)
    assert moments(put_off) == (None, str(ASKED), None)
    _, _, row = put_off.claim(now=NOW + 600, token="u")
    assert row[1] == str(NOW + 600)
    put_off.settle("a", "release", token="u", now=NOW + 600, delay_ms=50)
    assert moments(put_off) == (str(NOW + 600), str(ASKED), NOW + 600)
    put_off.claim(now=NOW + 650)
    put_off.settle("a", "retry", now=NOW + 660, delay_ms=1)
    assert moments(put_off) == (None, str(ASKED), None)
    assert broken_rules(put_off.client) == []


def test_whoever_asks_for_another_moment_asks_anew(put_off: Lua) -> None:
    put_off("update", id="a", due_at="", payload='"n"', target="", priority="low", retry="")
    assert moments(put_off) == (str(ASKED), None, ASKED)
    put_off("update", id="a", due_at=NOW + 9, payload="", target="", priority="", retry="")
    assert moments(put_off) == (None, None, None)


def test_a_redrive_asks_anew(put_off: Lua) -> None:
    put_off.claim(now=NOW + 500)
    put_off.settle("a", "retry", now=NOW + 510, delay_ms=0)
    put_off.claim(now=NOW + 510)
    put_off.settle("a", "dead", now=NOW + 520, error="x")
    put_off("redrive", now=NOW + 900, id="a", offset=0, scan=0, limit=0, channel="", dry_run="")
    assert moments(put_off) == (None, None, None)


@pytest.mark.parametrize("last", [True, False])
def test_a_lock_that_expired(put_off: Lua, last: bool) -> None:
    put_off.claim(now=NOW + 500)
    put_off.reap(now=NOW + 1500, max_attempts=1 if last else 5)
    assert moments(put_off) == (str(ASKED), None, None if last else ASKED)
    assert broken_rules(put_off.client) == []


@pytest.mark.parametrize("verb", ["cancel", "purge"])
def test_what_is_taken_back_waits_no_more(put_off: Lua, verb: str) -> None:
    put_off.client.hset(put_off.keys["msg"] + "a", "y", "default")
    start = {"set": "due:echo:normal", "after_score": "", "after_id": "", "scan": 10, "channel": "echo"}
    put_off(verb, **({"id": "a"} if verb == "cancel" else start))
    assert "held" not in put_off.state()


def test_stats_drop_what_an_older_server_settled_or_somebody_deleted(put_off: Lua) -> None:
    client = put_off.client
    client.zadd("ms1:{0}:held", {"deleted": 1, "settled": 2, "not put off": 3})
    client.hset("ms1:{0}:msg:settled", mapping={"p": "1", "b": "2", "f": "9"})
    client.hset("ms1:{0}:msg:not put off", mapping={"p": "1"})
    assert put_off("stats")[OLDEST_HELD] == [1, str(ASKED)]
