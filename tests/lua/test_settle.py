"""settle: outcomes, fenced by the token."""

from __future__ import annotations

import pytest

from tests.support.store import NOW, Lua, broken_rules

LATER = NOW + 40
OVERHEAD = 150


@pytest.fixture
def claimed(lua: Lua) -> Lua:
    """One message in flight: claimed at NOW under the token ``t``."""
    lua.schedule("a", due_at=NOW - 3)
    lua.claim()
    return lua


def fields(lua: Lua, id: str = "a") -> dict[str, str]:
    found: dict[str, str] = lua.state()[f"msg:{id}"]
    return found


def test_ack_moves_it_to_done_and_counts_its_bytes(claimed: Lua) -> None:
    assert claimed.settle("a", "ack", now=LATER, evidence="1 2 3 4", result='{"x":1}') == [1]
    size = OVERHEAD + len('"a"') + len("1 2 3 4") + len('{"x":1}')
    assert claimed.state() == {
        "done": {"a": LATER},
        "meta": {"done_bytes": str(size)},
        "msg:a": {
            "p": '"a"', "c": str(NOW), "s": "delivered", "d": str(NOW - 3), "a": "1", "g": str(NOW), "k": "",
            "f": str(LATER), "h:1": "1 2 3 4", "x": '{"x":1}', "z": str(size),
        },
    }  # fmt: skip


def test_dead_moves_it_to_the_dead_letters_with_its_evidence(claimed: Lua) -> None:
    assert claimed.settle("a", "dead", now=LATER, error="410", evidence='{"attempt":1}') == [1]
    state = claimed.state()
    size = OVERHEAD + len('"a"') + len("410") + len('{"attempt":1}')
    assert (state["dead"], state["meta"]) == ({"a": LATER}, {"dead_bytes": str(size)})
    assert {f: state["msg:a"][f] for f in "skefz"} == {
        "s": "dead", "k": "", "e": "410", "f": str(LATER), "z": str(size)
    }  # fmt: skip


def test_retry_waits_for_the_delay_and_keeps_the_attempt_charged(claimed: Lua) -> None:
    assert claimed.settle("a", "retry", now=LATER, delay_ms=500, error="503", evidence="E") == [1]
    assert claimed.state() == {
        "due:echo:normal": {"a": LATER + 500},
        "meta": {"retrying": "1"},
        "msg:a": {
            "p": '"a"', "c": str(NOW), "a": "1", "g": str(NOW), "h:1": "E", "e": "503", "u": str(LATER), "z": "1",
            "m": str(NOW - 3),
        },
    }  # fmt: skip


@pytest.mark.parametrize(("delay_ms", "due_at"), [("", NOW - 3), (0, LATER), (70, LATER + 70)])
def test_release_gives_the_attempt_back(claimed: Lua, delay_ms: int | str, due_at: int) -> None:
    assert claimed.settle("a", "release", now=LATER, delay_ms=delay_ms) == [1]
    put_off = {"b": str(NOW - 3)} if delay_ms != "" else {}
    assert claimed.state() == {
        "due:echo:normal": {"a": due_at},
        "msg:a": {"p": '"a"', "c": str(NOW), "a": "0", "g": str(NOW), "u": str(LATER), **put_off},
        **({"held": {"a": NOW - 3}} if put_off else {}),
    }
    assert claimed.claim(now=due_at)[2][2] == 1


@pytest.mark.parametrize("priority", ["high", "low"])
@pytest.mark.parametrize("kind", ["retry", "release"])
def test_it_returns_to_its_own_priority(lua: Lua, kind: str, priority: str) -> None:
    lua.schedule("a", priority=priority)
    lua.claim()
    lua.settle("a", kind, delay_ms=1)
    assert lua.state()[f"due:echo:{priority}"] == {"a": NOW + 1}


@pytest.mark.parametrize("kind", ["ack", "retry", "dead", "release"])
@pytest.mark.parametrize("token", ["", "T", "t ", "old"])
def test_another_token_changes_nothing(claimed: Lua, kind: str, token: str) -> None:
    before = claimed.state()
    assert claimed.settle("a", kind, token=token, delay_ms=1, now=LATER) == [0]
    assert claimed.state() == before


@pytest.mark.parametrize("token", ["t", ""])
@pytest.mark.parametrize("kind", ["ack", "retry", "dead", "release"])
@pytest.mark.parametrize("settled_as", ["ack", "retry", "dead", "release", "reaped"])
def test_what_is_settled_or_reaped_has_no_owner_any_more(claimed: Lua, settled_as: str, kind: str, token: str) -> None:
    if settled_as == "reaped":
        claimed.reap(now=NOW + 1000)
    else:
        claimed.settle("a", settled_as, delay_ms=50)
    before = claimed.state()
    assert claimed.settle("a", kind, token=token, delay_ms=1) == [0]
    assert claimed.state() == before


def test_the_owner_before_the_last_is_refused_and_the_last_is_not(claimed: Lua) -> None:
    claimed.reap(now=NOW + 1000)
    claimed.claim(now=NOW + 1000, token="second")
    assert claimed.settle("a", "ack", token="t") == [0]
    assert claimed.settle("a", "ack", token="second") == [1]


def test_an_expired_lock_that_nobody_reaped_still_counts(claimed: Lua) -> None:
    assert claimed.settle("a", "ack", now=NOW + 60_000) == [1]


def test_an_id_that_does_not_exist_is_lost(lua: Lua) -> None:
    assert lua.settle("nobody", "ack") == [0]
    assert lua.state() == {}


def test_a_group_of_every_kind_is_settled_each_by_its_own_token(lua: Lua) -> None:
    lua.schedule("a", "b", "c", "d", "e")
    lua.claim()
    items = [v for id, kind, token in [
        ("a", "ack", "t"), ("b", "retry", "t"), ("c", "dead", "wrong"), ("d", "dead", "t"), ("e", "release", "t"),
        ("a", "dead", "t"),
    ] for v in (id, token, kind, 9, "", "E", "", 3)]  # fmt: skip
    assert lua("settle", *items) == [1, 1, 0, 1, 1, 0]
    state = lua.state()
    assert {name: state[name] for name in ("done", "due:echo:normal", "locks", "dead")} == {
        "done": {"a": NOW}, "due:echo:normal": {"b": NOW + 9, "e": NOW + 9}, "locks": {"c": NOW + 1000},
        "dead": {"d": NOW},
    }  # fmt: skip
    assert broken_rules(lua.client) == []


def attempt(lua: Lua, number: int, kind: str, evidence: str) -> None:
    lua.claim(token=f"t{number}", now=NOW + number)
    lua.settle("a", kind, token=f"t{number}", delay_ms=0, now=NOW + number, evidence=evidence)


def test_the_21st_evidence_drops_the_first_and_its_weight(lua: Lua) -> None:
    lua.schedule("a")
    for number in range(1, 21):
        attempt(lua, number, "retry", "x" * number)
    assert [f"h:{n}" in fields(lua) for n in (1, 20)] == [True, True]
    attempt(lua, 21, "retry", "x" * 21)
    kept = fields(lua)
    assert sorted(int(f[2:]) for f in kept if f.startswith("h:")) == list(range(2, 22))
    assert int(kept["z"]) == sum(range(2, 22))
    attempt(lua, 22, "ack", "done")
    assert int(fields(lua)["z"]) == OVERHEAD + len('"a"') + sum(range(3, 22)) + len("done")
    assert broken_rules(lua.client) == []


def test_evidence_is_numbered_over_the_whole_life_and_attempts_since_the_redrive(lua: Lua) -> None:
    lua.schedule("a")
    attempt(lua, 1, "retry", "one")
    attempt(lua, 2, "dead", "two")
    lua("redrive", id="a", offset=0, scan=0, limit=0, channel="", dry_run="", now=NOW + 3)
    attempt(lua, 3, "retry", "three")
    kept = fields(lua)
    assert [kept[f"h:{n}"] for n in (1, 2, 3)] == ["one", "two", "three"]
    assert (kept["a"], kept["o"]) == ("1", "2")
    assert int(kept["z"]) == len("onetwothree")


def test_10000_at_once_do_not_outgrow_a_lua_stack(lua: Lua) -> None:
    many = [f"m{i}" for i in range(10_000)]
    lua.schedule(*many)
    lua.claim(10_000)
    kinds = ("ack", "dead", "retry")
    items = [v for i, id in enumerate(many) for v in (id, "t", kinds[i % 2 * (i % 3)], 5, "", "E", "", 3)]
    assert sum(lua("settle", *items)) == 10_000
    assert "locks" not in lua.state()
    assert broken_rules(lua.client) == []
