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


def test_two_servers_of_one_name_are_told(store: FlakyStore, clock: FakeClock, telemetry: Telemetry) -> None:
    logs = [RecordingLogger(), RecordingLogger()]
    beats = [
        Heartbeat(
            store,
            "twin/scheduler",
            telemetry,
            lambda pid=pid: {"host": "here", "pid": pid, "started_at": 1},  # type: ignore[misc]
            every=1,
            clock=clock,
            log=adapt(log),
        )
        for pid, log in enumerate(logs)
    ]
    for beat in beats:
        beat.tick()
    assert [log.count("Another server") for log in logs] == [0, 0], "it may be what a killed one has left"
    beats[0].tick()
    beats[1].tick()
    for log, other in zip(logs, (1, 0), strict=True):
        assert log.count(f"twin/scheduler is also process {other} on here.") == 1
    for _ in range(10):
        beats[0].tick()
    assert logs[0].count("Another server") == 1, "once, and not at every beat"
    beats[1].tick()
    clock.advance(300)
    beats[0].tick()
    assert logs[0].count("Another server") == 2


def test_a_server_that_comes_back_under_its_name_is_no_namesake(
    store: FlakyStore, clock: FakeClock, telemetry: Telemetry
) -> None:
    log = RecordingLogger()
    for pid in (1, 2):
        me = {"pid": pid}
        beat = Heartbeat(store, "one/scheduler", telemetry, me.copy, every=1, clock=clock, log=adapt(log))
        beat.tick()
        beat.tick()
    assert log.count("Another server") == 0
