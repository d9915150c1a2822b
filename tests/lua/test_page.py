"""page: a stretch of a set, found by bisection; match: by moment and payload; get: one."""

from __future__ import annotations

import random
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import redis

from tests.support.redis_server import RedisServer
from tests.support.store import NOW, Lua

LETTERS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


def page(lua: Lua, **arguments: Any) -> Any:
    start = {
        "set": "due:echo:normal", "reverse": "0", "low": "-inf", "high": "+inf", "after_score": "", "after_id": "",
        "scan": 1000, "limit": 10, "status": "", "channel": "", "priority": "", "type_": "", "owner": "",
        "typed": "", "schedule": "", "flow_key": "",
    }  # fmt: skip
    return lua("page", *arguments.pop("fields", ()), **{**start, **arguments})


def ids(reply: Any) -> list[str]:
    return [row[0] for row in reply[3:]]


def walk(lua: Lua, **arguments: Any) -> list[str]:
    """The whole list, page by page."""
    found: list[str] = []
    more, score, id = 1, "", ""
    while more:
        more, score, id, *rows = page(lua, after_score=score, after_id=id, **arguments)
        found += [row[0] for row in rows]
        assert len(set(found)) == len(found), "a row twice"
    return found


@pytest.fixture
def nine(lua: Lua) -> Lua:
    """Three messages at each of NOW + 1, 2, 3: a1 b1 c1 a2 …"""
    for ms in (1, 2, 3):
        lua.schedule(*[f"{letter}{ms}" for letter in "abc"], due_at=NOW + ms)
    return lua


ALL = ["a1", "b1", "c1", "a2", "b2", "c2", "a3", "b3", "c3"]


def test_an_empty_set_has_no_more(lua: Lua) -> None:
    assert page(lua) == [0, "", ""]
    assert page(lua, reverse="1", after_score=str(NOW), after_id="a") == [0, "", ""]


def test_rows_hold_the_fields_that_were_asked_for(nine: Lua) -> None:
    assert page(nine, limit=1, fields=("p", "n", "c")) == [1, str(NOW + 1), "a1", [
        "a1", str(NOW + 1), '"a1"', None, str(NOW),
    ]]  # fmt: skip


@pytest.mark.parametrize("reverse", ["0", "1"])
@pytest.mark.parametrize("limit", [1, 2, 4, 9, 10])
def test_pages_join_without_gap_or_repeat(nine: Lua, limit: int, reverse: str) -> None:
    assert walk(nine, limit=limit, reverse=reverse) == (ALL[::-1] if reverse == "1" else ALL)


@pytest.mark.parametrize("scan", [1, 2, 5])
def test_a_small_scan_gives_short_pages_and_the_same_list(nine: Lua, scan: int) -> None:
    nine.client.hset("ms1:{0}:msg:c3", "n", "webhook")
    assert walk(nine, scan=scan, channel="webhook") == ["c3"]
    assert page(nine, scan=scan, channel="webhook")[:3] == [1, str(NOW + 1 + scan // 4), ALL[scan - 1]]


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (NOW + 2, "+inf", ALL[3:]), ("-inf", NOW + 2, ALL[:6]), (NOW + 2, NOW + 2, ALL[3:6]),
        (NOW + 4, "+inf", []), ("-inf", NOW, []), (NOW + 3, NOW + 1, []),
    ],
)  # fmt: skip
@pytest.mark.parametrize("reverse", ["0", "1"])
def test_bounds_are_inclusive(nine: Lua, low: Any, high: Any, expected: list[str], reverse: str) -> None:
    assert walk(nine, low=low, high=high, limit=2, reverse=reverse) == (
        expected[::-1] if reverse == "1" else expected
    )  # fmt: skip


@pytest.mark.parametrize(
    ("reverse", "at", "expected"),
    [("0", "b2", ["c2", "a3", "b3", "c3"]), ("1", "b2", ["a2", "c1", "b1", "a1"])],
)
def test_a_position_holds_when_its_member_has_moved_away(nine: Lua, reverse: str, at: str, expected: list[str]) -> None:
    nine("cancel", id=at)
    assert ids(page(nine, reverse=reverse, after_score=str(NOW + 2), after_id=at)) == expected


@pytest.mark.parametrize("gone", ["a2", "c1", "a1"])
def test_removals_before_the_position_skip_nothing(nine: Lua, gone: str) -> None:
    nine("cancel", id=gone)
    assert ids(page(nine, after_score=str(NOW + 2), after_id="a2")) == ["b2", "c2", "a3", "b3", "c3"]


def test_filters(lua: Lua) -> None:
    def add(id: str, channel: str, type_: str, owner: str) -> None:
        lua(
            "schedule", id, "1", NOW, channel, "normal", "", type_, owner, "", "echo", key="", fingerprint="", key_ttl=1
        )

    add("a", "echo", "mail", "ann")
    add("b", "webhook", "mail", "bob")
    add("c", "webhook", "", "ann")
    assert ids(page(lua, channel="echo")) == ["a"]
    assert ids(page(lua, channel="webhook")) == ["b", "c"]
    assert ids(page(lua, type_="mail")) == ["a", "b"]
    assert ids(page(lua, typed="1")) == ["a", "b"]
    assert ids(page(lua, typed="1", channel="webhook")) == ["b"]
    assert ids(page(lua, owner="ann")) == ["a", "c"]
    assert ids(page(lua, owner="ann", channel="webhook")) == ["c"]
    assert ids(page(lua, status="scheduled")) == ["a", "b", "c"]
    lua.claim()
    lua.settle("a", "ack")
    lua.settle("b", "release")
    lua("cancel", id="b")
    assert ids(page(lua, set="done", status="cancelled")) == ["b"]
    assert ids(page(lua, set="done", status="delivered")) == ["a"]


def test_an_id_without_a_hash_is_not_listed(nine: Lua) -> None:
    nine.client.delete("ms1:{0}:msg:b1")
    assert walk(nine, limit=2) == [id for id in ALL if id != "b1"]


def test_100000_at_one_millisecond_cost_no_more_than_a_few(lua: Lua) -> None:
    random.seed(1)
    crowd = sorted({"".join(random.choices(LETTERS, k=8)) for _ in range(100_000)})
    with lua.client.pipeline(transaction=False) as pipe:
        for first in range(0, len(crowd), 1000):
            part = crowd[first : first + 1000]
            pipe.zadd("ms1:{0}:due:echo:normal", dict.fromkeys(part, NOW))
        pipe.execute()
    for at in (0, 1, 33_333, len(crowd) - 3):
        for id in crowd[at : at + 4]:
            lua.client.hset(f"ms1:{{0}}:msg:{id}", "p", "1")
        before = commands(lua.client)
        reply = page(lua, after_score=str(NOW), after_id=crowd[at], limit=2, scan=3)
        spent = commands(lua.client) - before
        assert ids(reply) == crowd[at + 1 : at + 3]
        assert spent < 40, "17 steps of bisection and a handful of reads"
        assert ids(page(lua, after_score=str(NOW), after_id=crowd[at + 2], limit=2, reverse="1")) == [
            crowd[at + 1], crowd[at],
        ]  # fmt: skip


def commands(client: redis.Redis) -> int:
    """Commands that Redis has run so far, those inside of scripts included."""
    stats: dict[str, dict[str, int]] = client.info("commandstats")
    return sum(stat["calls"] for stat in stats.values())


def test_the_order_is_redis_own_under_any_locale(short_tmp: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Redis takes LC_COLLATE from its environment, and Lua's < goes by it: 'a' before 'B' in English."""
    if not shutil.which("localedef") or not Path("/usr/share/i18n/locales/en_US").exists():
        pytest.skip("localedef and its sources are not installed: no locale to try")
    subprocess.run(["localedef", "-i", "en_US", "-f", "UTF-8", str(short_tmp / "en_US.UTF-8")], check=True)
    monkeypatch.setenv("LOCPATH", str(short_tmp))
    monkeypatch.setenv("LC_ALL", "en_US.UTF-8")
    with RedisServer(short_tmp) as server, server.client() as client:
        assert client.eval("return 'a' < 'B' and 1 or 0", 0) == 1, "the locale is not in force"
        lua = Lua(client)
        lua.schedule(*LETTERS)
        assert walk(lua, limit=3) == list(LETTERS)


def match(lua: Lua, *, offset: int = 0, limit: int = 100, payload: str = '"x"', lane: str = "echo") -> Any:
    return lua("match", set=f"due:{lane}:normal", due_at=NOW, offset=offset, limit=limit, payload=payload)


def test_match_by_moment_payload_and_lane(lua: Lua) -> None:
    for id, payload, due_at, channel in [
        ("a", '"x"', NOW, "echo"), ("b", '"y"', NOW, "echo"), ("c", '"x"', NOW + 1, "echo"), ("d", '"x"', NOW, "job"),
        ("e", '"x"', NOW, "echo"),
    ]:  # fmt: skip
        lua("schedule", id, payload, due_at, channel, "normal", "", "", "", "", "", key="", fingerprint="", key_ttl=1)
    assert match(lua) == [3, "a", "e"]
    assert match(lua, lane="job:") == [1, "d"]
    assert match(lua, payload='"X"') == [3]
    assert match(lua, limit=2) == [2, "a"]
    assert match(lua, offset=2, limit=2) == [1, "e"]
    assert match(lua, offset=3, limit=2) == [0]


@pytest.mark.parametrize("kind", ["", "ack", "dead"])
def test_get_knows_the_moment_in_every_state(lua: Lua, kind: str) -> None:
    assert lua("get", id="a") is None
    lua.schedule("a", priority="high")
    assert lua("get", id="a") == [str(NOW), ["p", '"a"', "c", str(NOW), "q", "high"]]
    lua.claim(now=NOW + 3)
    if kind:
        lua.settle("a", kind, now=NOW + 4)
    assert lua("get", id="a")[0] == str(NOW)
