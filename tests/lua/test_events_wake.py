"""The event stream and the wake-up of sleeping dispatchers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import redis

from scheduler.store.keys import WAKE
from tests.support.store import NOW, Lua


@pytest.fixture
def live(redis_client: redis.Redis) -> Lua:
    return Lua(redis_client, events_kept=1000)


def events(lua: Lua) -> list[tuple[str, list[str]]]:
    """``(at, lines)`` of each entry."""
    return [(entry["at"], entry["e"].split("\n")) for entry in lua.state().get("events", [])]


def test_each_call_is_one_entry_with_a_line_per_message(live: Lua) -> None:
    live.schedule("a", "b")
    live.claim(now=NOW + 1)
    items = [v for id, kind in (("a", "retry"), ("b", "dead")) for v in (id, "t", kind, 5, "", "E", "", 3)]
    live("settle", *items, now=NOW + 2)
    live("redrive", now=NOW + 3, id="b", offset=0, scan=0, limit=0, channel="", dry_run="")
    live("update", now=NOW + 4, id="b", due_at="", payload="", target="", priority="", retry="")
    live("cancel", now=NOW + 5, id="b")
    live.claim(now=NOW + 100)
    live.settle("a", "release", now=NOW + 101)
    live.claim(now=NOW + 102)
    live.settle("a", "ack", now=NOW + 103)
    assert events(live) == [
        (str(NOW), ["scheduled a echo 0", "scheduled b echo 0"]),
        (str(NOW + 1), ["claimed a echo 1", "claimed b echo 1"]),
        (str(NOW + 2), ["retried a echo 1 5", "dead b echo 1"]),
        (str(NOW + 3), ["redriven b echo 0"]),
        (str(NOW + 4), ["updated b echo 0"]),
        (str(NOW + 5), ["cancelled b echo 0"]),
        (str(NOW + 100), ["claimed a echo 2"]),
        (str(NOW + 101), ["released a echo 2"]),
        (str(NOW + 102), ["claimed a echo 2"]),
        (str(NOW + 103), ["delivered a echo 2"]),
    ]


def test_reaping_is_told_too(live: Lua) -> None:
    live.schedule("a", retry="2,1,1,1,0")
    for n in range(2):
        live.claim(now=NOW + 2000 * n)
        live.reap(now=NOW + 2000 * n + 1000)
    assert [lines for _, lines in events(live)][2::2] == [["reaped a echo 1"], ["dead a echo 2"]]


def test_the_channel_is_named(live: Lua) -> None:
    live("schedule", "a", "1", NOW, "webhook", "normal", "", "", "", "", "", key="", fingerprint="", key_ttl=1)
    live.claim(9, ("webhook", 9, 9, 0))
    live.settle("a", "dead")
    assert [lines[0].split()[2] for _, lines in events(live)] == ["webhook"] * 3


def test_entries_are_cut_at_100_lines(live: Lua) -> None:
    live.schedule(*[f"m{n:03}" for n in range(250)])
    assert [len(lines) for _, lines in events(live)] == [100, 100, 50]
    assert [line for _, lines in events(live) for line in lines] == [f"scheduled m{n:03} echo 0" for n in range(250)]


def test_what_changed_nothing_is_no_event(live: Lua) -> None:
    live.schedule("a")
    live.claim()
    before = events(live)
    live.settle("a", "ack", token="stale")
    live.claim()
    live.reap(now=NOW)
    live("cancel", id="a")
    live("redrive", id="", offset=0, scan=9, limit=9, channel="", dry_run="1")
    live("trim", kept="done", counter="done_bytes", max_count=0, max_age_ms=1, max_bytes=0, limit=9)
    assert events(live) == before


def test_the_stream_is_bounded(redis_client: redis.Redis) -> None:
    lua = Lua(redis_client, events_kept=50)
    for n in range(600):
        lua.schedule(f"m{n}")
    assert 50 <= redis_client.xlen("ms1:{0}:events") < 250, "MAXLEN ~ may keep one node of 100 entries more"


def test_no_stream_when_none_is_wanted(lua: Lua) -> None:
    lua.schedule("a")
    assert "events" not in lua.state()


@pytest.fixture
def woken(lua: Lua) -> Iterator[Callable[[], list[str]]]:
    """The wake-ups since the last call."""
    subscription = lua.client.pubsub()  # type: ignore[no-untyped-call]
    subscription.subscribe(WAKE)
    assert subscription.get_message(timeout=5) is not None

    def read() -> list[str]:
        # What follows on the same connection marks the end of what was published before it.
        lua.client.publish(WAKE, "end")
        found: list[str] = []
        while True:
            message: dict[str, Any] | None = subscription.get_message(timeout=5)
            assert message is not None, "the marker did not arrive"
            if message["data"] == "end":
                return found
            found.append(message["data"])

    yield read
    subscription.close()


def test_only_what_becomes_the_earliest_wakes(lua: Lua, woken: Callable[[], list[str]]) -> None:
    lua.schedule("a", due_at=NOW + 50)
    assert woken() == [f"0 {NOW + 50}"]
    lua.schedule("b", due_at=NOW + 50)
    lua.schedule("c", due_at=NOW + 51, priority="high")
    assert woken() == []
    lua.schedule("d", due_at=NOW + 49, priority="low")
    assert woken() == [f"0 {NOW + 49}"]


def test_a_batch_wakes_once_for_its_earliest(lua: Lua, woken: Callable[[], list[str]]) -> None:
    items = [v for n in (7, 3, 5) for v in (f"m{n}", "1", NOW + n, "echo", "normal", "", "", "", "", "", "", "")]
    lua("schedule", *items, key="", fingerprint="", key_ttl=1)
    assert woken() == [f"0 {NOW + 3}"]


def test_what_is_refused_or_replayed_wakes_nobody(lua: Lua, woken: Callable[[], list[str]]) -> None:
    item = ("a", "1", NOW, "echo", "normal", "", "", "", "", "")
    lua("schedule", *item, key="K", fingerprint="f", key_ttl=9999)
    assert woken() == [f"0 {NOW}"]
    lua.claim()
    lua("schedule", *item, key="K", fingerprint="f", key_ttl=9999)
    lua("schedule", *item, key="", fingerprint="", key_ttl=9999)
    assert woken() == []


@pytest.mark.parametrize(("due_at", "told"), [(NOW + 9, []), (NOW + 5, []), (NOW + 4, [f"0 {NOW + 4}"])])
def test_update(lua: Lua, woken: Callable[[], list[str]], due_at: int, told: list[str]) -> None:
    lua.schedule("a", due_at=NOW + 5)
    lua.schedule("b", due_at=NOW + 7)
    woken()
    lua("update", id="b", due_at=due_at, payload="", target="", priority="high", retry="")
    assert woken() == told


@pytest.mark.parametrize("kind", ["retry", "release"])
@pytest.mark.parametrize(("delay_ms", "told"), [(5, []), (4, [f"0 {NOW + 4}"])])
def test_settle(lua: Lua, woken: Callable[[], list[str]], kind: str, delay_ms: int, told: list[str]) -> None:
    lua.schedule("a")
    lua.claim()
    lua.schedule("b", due_at=NOW + 5)
    woken()
    lua.settle("a", kind, delay_ms=delay_ms)
    assert woken() == told


def test_finishing_and_reading_wake_nobody(lua: Lua, woken: Callable[[], list[str]]) -> None:
    lua.schedule("a", "b", "c")
    woken()
    lua.claim()
    lua.settle("a", "ack")
    lua.settle("b", "dead")
    lua("renew", "c", "t", lock_ms=9)
    lua("stats")
    assert woken() == []


def test_what_comes_back_to_an_empty_queue_wakes(lua: Lua, woken: Callable[[], list[str]]) -> None:
    lua.schedule("a", due_at=NOW - 5)
    lua.claim()
    woken()
    lua.reap(now=NOW + 1000)
    assert woken() == [f"0 {NOW - 5}"]
    lua.claim(now=NOW + 1000)
    lua.settle("a", "dead")
    lua("redrive", now=NOW + 1, id="a", offset=0, scan=0, limit=0, channel="", dry_run="")
    assert woken() == [f"0 {NOW + 1}"]
    lua.dead("b")
    woken()
    lua("cancel", id="a")
    lua("redrive", now=NOW + 2, id="", offset=0, scan=9, limit=9, channel="", dry_run="1")
    assert woken() == []
    lua("redrive", now=NOW + 2, id="", offset=0, scan=9, limit=9, channel="", dry_run="0")
    assert woken() == [f"0 {NOW + 2}"]
