"""What is said of lanes that no living server serves."""

from __future__ import annotations

from typing import Any

import pytest

from scheduler.delivery.served import ServedWatch, is_served, shown_lanes, warnings
from scheduler.logs.sinks import adapt
from scheduler.message import NOW, FromNow, Outcome, Priority
from scheduler.store import Counts, LaneCounts, MessageStore
from tests.support.api import memory_store
from tests.support.clock import FakeClock
from tests.support.logger import RecordingLogger
from tests.support.store import message, take


def beat(**more: Any) -> dict[str, Any]:
    return {"role": "scheduler", "age_ms": 0, **more}


@pytest.mark.parametrize(
    ("report", "served"),
    [
        (beat(lanes=["echo", "job:a"]), True),
        (beat(lanes=["job:b"]), False),
        (beat(lanes=[]), False),
        (beat(), True),
        (beat(lanes=["job:a"], stopping=True), False),
        ({"role": "api", "age_ms": 0}, False),
    ],
)
def test_who_serves_a_lane(report: dict[str, Any], served: bool) -> None:
    assert is_served("job:a", [beat(lanes=["webhook"]), report]) is served


def test_first_what_is_due_and_has_no_server_then_most_due() -> None:
    lanes = {
        "a": LaneCounts(9, 9, 1),
        "b": LaneCounts(1, 1, 1),
        "c": LaneCounts(8, 0, None),
        "d": LaneCounts(2, 2, 1),
        "e": LaneCounts(10, 10, 1),
    }
    shown = shown_lanes(Counts(lanes=lanes, redis_ms=5), [beat(lanes=["a", "e"])])
    assert [lane.name for lane in shown] == ["d", "b", "e", "a", "c"]
    assert [lane.due_for_ms(5) for lane in shown] == [4, 4, 4, 4, None]


def test_a_sentence_for_each_ten_at_most() -> None:
    counts = Counts(lanes={f"job:{n:02}": LaneCounts(2, 2, 1000) for n in range(12)}, redis_ms=4000)
    said = warnings(counts, [])
    assert said[0] == (
        "2 messages are due in the lane job:00, the first for 3 s, "
        "and no living server has a handler for it and serves it."
    )
    assert (len(said), said[-1]) == (11, "2 more lanes are served by no server.")


class TestWatch:
    @pytest.fixture
    def store(self, clock: FakeClock) -> MessageStore:
        return memory_store(clock)

    def watch(self, store: MessageStore) -> tuple[ServedWatch, RecordingLogger]:
        log = RecordingLogger()
        return ServedWatch(store, adapt(log), heartbeat_seconds=1), log

    def test_a_line_for_each_lane_when_it_is_found_twice(self, store: MessageStore, clock: FakeClock) -> None:
        watch, log = self.watch(store)
        due, waiting = message("a", NOW, channel="job", type="slow"), message("b", FromNow(60_000), channel="webhook")
        store.schedule([due, waiting])
        store.beat("here", beat(lanes=["echo"]))
        watch.tick()
        assert log.errors == [], "a server that restarts is none to speak of"
        for _ in range(3):
            watch.tick()
        (line,) = log.errors
        assert line.startswith("1 message is due in the lane job:slow, the first for 0 s, and no living server")
        assert line.endswith("See the runbook, Messages that nobody serves.")
        store.beat("there", beat(lanes=["job:slow"]))
        watch.tick()
        clock.advance(3.1)  # and it is not heard of again
        for _ in range(2):
            watch.tick()
        assert len(log.errors) == 2

    def test_what_waits_without_a_handler_goes_to_the_fallback(self, store: MessageStore, clock: FakeClock) -> None:
        log = RecordingLogger()
        lanes = {"job:old": "job:any"}
        watch = ServedWatch(store, adapt(log), heartbeat_seconds=1, instead=lanes.get)
        late = message("late", FromNow(60_000), channel="job", type="old", priority=Priority.HIGH)
        store.schedule([message(id, NOW, channel="job", type=type) for id, type in (("a", "old"), ("b", "new"))])
        store.schedule([late])
        store.beat("here", beat(lanes=["job:any"]))
        watch.tick()
        assert set(store.counts().lanes) == {"job:old", "job:new"}
        watch.tick()
        assert {name: lane.scheduled for name, lane in store.counts().lanes.items()} == {"job:any": 2, "job:new": 1}
        (moved,) = log.infos
        assert moved == "No living server serves the lane job:old: 2 messages of it were moved to job:any."
        assert [line[:42] for line in log.errors] == ["1 message is due in the lane job:new, the "]
        (claim,) = take(store, 10, 1000, lanes=["job:any"]).claims
        assert (claim.id, claim.lane, claim.type) == ("a", "job:any", "old")
        store.settle([Outcome(claim, "retry", delay_ms=0)])
        assert [again.id for again in take(store, 10, 1000, lanes=["job:any"]).claims] == ["a"], "and stays there"

    def test_a_server_that_serves_it_is_enough(self, store: MessageStore) -> None:
        watch, log = self.watch(store)
        store.schedule([message("a", NOW)])
        store.beat("here", beat(lanes=["echo"]))
        for _ in range(3):
            watch.tick()
        assert log.errors == []

    def test_while_nothing_is_due_no_reports_are_read(
        self, store: MessageStore, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        watch, log = self.watch(store)
        store.schedule([message("a", FromNow(60_000), channel="webhook")])
        monkeypatch.setattr(store, "servers", lambda: pytest.fail("an idle service asks for no reports"))
        watch.tick()
        assert log.errors == []
