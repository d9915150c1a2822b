"""trim: retention by count, age and bytes; stats: how many are where; beat: who is alive."""

from __future__ import annotations

from typing import Any

import pytest

from scheduler.store.keys import HISTORY, SERVERS
from scheduler.store.scripts import load
from tests.support.store import NOW, Lua, broken_rules

DAY = 86_400_000
SIZE = 150 + len('"d0"') + len("1 2 3 4")


def trim(lua: Lua, limits: dict[str, int], *, kept: str = "done", now: int = NOW + 100, limit: int = 100) -> int:
    loose = {"max_count": 1000, "max_age_ms": DAY, "max_bytes": 10**9}
    forgotten: int = lua("trim", kept=kept, now=now, counter=f"{kept}_bytes", limit=limit, **{**loose, **limits})
    return forgotten


@pytest.fixture
def ten(lua: Lua) -> Lua:
    """``d0`` to ``d9``, delivered a millisecond apart, d0 at NOW."""
    for n in range(10):
        lua.done(f"d{n}", now=NOW + n)
    return lua


def left(lua: Lua, name: str = "done") -> str:
    """The last letters of the ids that are still there."""
    assert broken_rules(lua.client) == []
    return "".join(id[-1] for id in sorted(lua.state().get(name, {})))


@pytest.mark.parametrize(
    ("limits", "rest"),
    [
        ({}, "0123456789"),
        ({"max_count": 10}, "0123456789"),
        ({"max_count": 9}, "123456789"),
        ({"max_count": 2}, "89"),
        ({"max_count": 0}, ""),
        ({"max_age_ms": 101}, "0123456789"),
        ({"max_age_ms": 100}, "123456789"),
        ({"max_age_ms": 0}, ""),
        ({"max_bytes": 10 * SIZE}, "0123456789"),
        ({"max_bytes": 10 * SIZE - 1}, "123456789"),
        ({"max_bytes": 3 * SIZE}, "789"),
        ({"max_bytes": 0}, ""),
        ({"max_count": 8, "max_age_ms": 97, "max_bytes": 5 * SIZE}, "56789"),
        ({"max_count": 4, "max_age_ms": 97, "max_bytes": 5 * SIZE}, "6789"),
        ({"max_count": 8, "max_age_ms": 93, "max_bytes": 5 * SIZE}, "89"),
    ],
)
def test_the_oldest_go_until_every_limit_is_kept(ten: Lua, limits: dict[str, int], rest: str) -> None:
    assert trim(ten, limits) == 10 - len(rest)
    assert left(ten) == rest
    assert trim(ten, limits) == 0


@pytest.mark.parametrize("limits", [{"max_count": 2}, {"max_age_ms": 0}, {"max_bytes": 0}])
def test_at_most_so_many_in_one_call(ten: Lua, limits: dict[str, int]) -> None:
    assert trim(ten, limits, limit=3) == 3
    assert left(ten) == "3456789"


def test_dead_letters_have_limits_of_their_own(ten: Lua) -> None:
    ten.dead("x0", "x1")
    assert trim(ten, {"max_count": 1}, kept="dead") == 1
    assert left(ten, "dead") == "1"
    assert left(ten) == "0123456789"


def test_a_finished_message_without_a_hash_is_forgotten_and_the_bytes_end_at_nothing(ten: Lua) -> None:
    ten.client.delete("ms1:{0}:msg:d3")
    assert trim(ten, {"max_count": 0}) == 10
    assert ten.state() == {"meta": {"done_bytes": "0"}}


def test_stats_of_nothing(lua: Lua) -> None:
    assert lua("stats") == [NOW, 0, 0, 0, 0, 0, 0, 0, "", 0, 0, ""]


def test_stats_of_everything(lua: Lua) -> None:
    lua.done("d0")
    lua.dead("x0", "x1")
    lua.schedule("f0", "r0")
    lua.claim(token="f")
    lua.settle("r0", "retry", delay_ms=1, token="f")
    lua.schedule("h0", "h1", due_at=NOW, priority="high")
    lua.schedule("n0", due_at=NOW - 7, now=NOW - 7)
    lua.schedule("n1", due_at=NOW + 1)
    lua.schedule("l0", "l1", "l2", due_at=NOW + 9, priority="low")
    lua("schedule", "w0", "1", NOW + 3, "webhook", "low", "", "", "", "", "", key="", fingerprint="", key_ttl=1)
    lua.client.hset("ms1:{0}:meta", "paused", "1")
    assert lua("stats") == [
        NOW, 1, 2, 1, SIZE, 1, 1, 0, "", 0, 0, "",
        ["echo", 2, 3, 3, 2, 1, 0, str(NOW - 7), str(NOW + 1)], ["webhook", 0, 0, 1, 0, 0, 0, "", str(NOW + 3)],
    ]  # fmt: skip


def test_stats_look_behind_what_is_due_for_the_next_moment(lua: Lua) -> None:
    lua.schedule("a", due_at=NOW)
    lua.schedule("b", due_at=NOW + 5)
    assert lua("stats")[12][7:] == [str(NOW), str(NOW + 5)]
    assert lua("stats", now=NOW + 5)[12][7:] == [str(NOW), ""]


LONG_PAST = 1


def test_a_message_waits_since_it_was_accepted_when_its_moment_was_past_by_then(lua: Lua) -> None:
    """Its due_at in 1970 made a service of a moment ago look as if it had stood still for 56 years."""
    lua.schedule("a", due_at=LONG_PAST)
    assert lua("stats", now=NOW + 3)[12][7] == str(NOW)
    lua.schedule("b", due_at=NOW - 5, now=NOW - 5, priority="high")
    assert lua("stats", now=NOW + 3)[12][7] == str(NOW - 5), "the first of all priorities"


def test_a_message_that_is_changed_to_a_past_moment_waits_since_the_change(lua: Lua) -> None:
    lua.schedule("a", due_at=NOW + 900, now=NOW - 900)
    update: dict[str, Any] = dict.fromkeys(("payload", "target", "priority", "retry"), "")
    lua("update", id="a", due_at=LONG_PAST, **update)
    assert lua("stats", now=NOW + 3)[12][7] == str(NOW)


def test_what_is_given_back_has_waited_since_before(lua: Lua) -> None:
    lua.schedule("a", due_at=LONG_PAST)
    lua.claim(now=NOW + 1)
    lua.settle("a", "release", now=NOW + 2)
    assert lua("stats", now=NOW + 3)[12][7] == str(NOW)
    lua.claim(now=NOW + 4)
    lua.settle("a", "release", now=NOW + 5, delay_ms=9)
    assert lua("stats", now=NOW + 6)[7:9] == [1, str(NOW)], "what back-pressure puts off too"


def test_beat(lua: Lua) -> None:
    def beat(now: int, **report: str) -> Any:
        return load("beat").call(lua.client, {"servers": SERVERS, "history": HISTORY}, now=now, **report)

    assert beat(NOW, process="one", snapshot='{"a":1}', slots="[1]") == NOW
    beat(NOW + 5, process="one", snapshot='{"a":2}', slots="")
    assert lua.state() == {SERVERS: {"one": f'{NOW + 5} {{"a":2}}'}, HISTORY: {"one": f"{NOW} [1]"}}
