"""What a process reports of itself, and when it leaves the list."""

from __future__ import annotations

import pytest

from scheduler.delivery.heartbeat import Heartbeat
from scheduler.logs.sinks import adapt
from scheduler.telemetry.figures import Telemetry
from tests.support.clock import FakeClock
from tests.support.delivery import FlakyStore
from tests.support.logger import RecordingLogger


def test_a_beat_puts_the_process_on_the_list_with_its_figures(
    store: FlakyStore, clock: FakeClock, telemetry: Telemetry
) -> None:
    telemetry.count("scheduler_accepted", 3, channel="test")
    beat = Heartbeat(
        store,
        "one/scheduler",
        telemetry,
        lambda: {"role": "scheduler"},
        every=1,
        clock=clock,
        log=adapt(RecordingLogger()),
    )
    assert beat.tick() == 1
    assert beat.tick() == 1
    clock.advance(2.5)
    server = store.servers()["one/scheduler"]
    assert server["role"] == "scheduler"
    assert server["age_ms"] == 2500
    assert ["scheduler_accepted", [["channel", "test"]], 3] in server["counters"]
    assert (server["clock_skew_ms"], server["gauges"]) == (0, {"scheduler_clock_skew_seconds": 0.0})


def test_the_history_is_sent_only_when_ten_seconds_more_of_it_are_complete(
    store: FlakyStore, clock: FakeClock, telemetry: Telemetry, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[bool] = []

    def note(_process: str, _snapshot: object, history: object) -> int:
        sent.append(history is not None)
        return clock.now_ms()

    monkeypatch.setattr(store, "beat", note)
    beat = Heartbeat(store, "one/scheduler", telemetry, dict, every=1, clock=clock, log=adapt(RecordingLogger()))
    for _ in range(21):
        beat.tick()
        clock.advance(1)
    assert sent.count(True) == 3  # the first beat, and after 10 and 20 s


def test_a_process_that_is_long_gone_leaves_the_list(store: FlakyStore, clock: FakeClock, telemetry: Telemetry) -> None:
    Heartbeat(store, "gone/scheduler", telemetry, dict, every=1, clock=clock, log=adapt(RecordingLogger())).tick()
    beat = Heartbeat(store, "here/scheduler", telemetry, dict, every=1, clock=clock, log=adapt(RecordingLogger()))
    clock.advance(800)
    beat.tick()
    assert set(store.servers()) == {"gone/scheduler", "here/scheduler"}
    clock.advance(301)
    beat.tick()
    assert set(store.servers()) == {"here/scheduler"}
