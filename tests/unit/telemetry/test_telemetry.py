"""What a process measures of itself, and how the figures of all are put together."""

from __future__ import annotations

import json
import threading
from typing import Any

from scheduler.message import Claim, Outcome, OutcomeKind, Priority
from scheduler.telemetry import figures as telemetry
from scheduler.telemetry.figures import (
    NAMED_DESTINATIONS,
    RECENT,
    SHOWN_DESTINATIONS,
    SLOT_MS,
    SLOTS,
    Cause,
    Released,
    Telemetry,
)
from tests.support.clock import FakeClock


def outcome(kind: OutcomeKind = "ack", *, lateness_ms: float = 0.2, duration_ms: float = 5.0) -> Outcome:
    claim = Claim("a", "t", 1, 1, "echo", "1", None, None, None, Priority.NORMAL, 1, 0)
    return Outcome(claim, kind, duration_ms, lateness_ms)


def test_attempts_by_channel_and_outcome_a_release_is_no_delivery(clock: FakeClock) -> None:
    figures = Telemetry(clock)
    figures.attempts([outcome(), outcome(), outcome("retry"), outcome("dead"), outcome("release")])
    snapshot = figures.snapshot()
    assert {dict(labels)["outcome"]: n for _, labels, n in snapshot["counters"]} == {
        "ack": 2, "retry": 1, "dead": 1, "release": 1
    }  # fmt: skip
    assert {name: sum(counts) for name, _, counts, _ in snapshot["histograms"]} == {
        "scheduler_lateness_seconds": 4, "scheduler_delivery_seconds": 4
    }  # fmt: skip
    (slot,) = snapshot["recent"]
    assert slot[1:4] == [0, 2, 2]


def test_a_snapshot_is_json_and_does_not_change_later(clock: FakeClock) -> None:
    figures = Telemetry(clock)
    figures.accepted("echo", 3)
    snapshot = figures.snapshot()
    text = json.dumps(snapshot)
    figures.accepted("echo", 3)
    figures.attempts([outcome()])
    assert json.dumps(snapshot) == text


def test_ten_seconds_are_a_slot_and_history_holds_the_complete_ones(clock: FakeClock) -> None:
    figures = Telemetry(clock)
    figures.accepted("echo", 1)
    assert figures.history() == []
    clock.advance(10)
    figures.accepted("echo", 2)
    start = clock.now_ms() - 10_000
    assert figures.history() == [[start, 1, 0, 0, {}]]
    clock.advance(9.999)
    assert len(figures.history()) == 1
    clock.advance(0.001)
    assert [slot[:2] for slot in figures.history()] == [[start, 1], [start + SLOT_MS, 2]]


def test_the_history_is_bounded(clock: FakeClock) -> None:
    figures = Telemetry(clock)
    for _ in range(SLOTS + 20):
        figures.accepted("echo", 1)
        clock.advance(10)
    assert len(figures.history()) == SLOTS - 1
    assert len(figures.snapshot()["recent"]) == RECENT + 1


def test_the_last_minute_over_all_processes(clock: FakeClock) -> None:
    one, two = Telemetry(clock), Telemetry(clock)
    one.accepted("echo", 999)
    clock.advance(120)
    one.accepted("echo", 30)
    two.accepted("echo", 30)
    two.attempts([outcome(lateness_ms=0.2)] * 3 + [outcome("dead", lateness_ms=400)])
    clock.advance(5)
    summary = telemetry.summary({"one": one.snapshot(), "two": two.snapshot(), "new": {}}, clock.now_ms())
    assert summary["throughput"] == {
        "accepted_per_s": round(60 / 65, 2), "delivered_per_s": round(3 / 65, 2), "failed_per_s": round(1 / 65, 2)
    }  # fmt: skip
    assert 0.19 < summary["lateness_ms"]["p50"] <= 0.21
    assert 380 < summary["lateness_ms"]["p99"] <= 420


def test_nothing_happened(clock: FakeClock) -> None:
    assert telemetry.summary({}, clock.now_ms()) == {
        "throughput": {"accepted_per_s": 0.0, "delivered_per_s": 0.0, "failed_per_s": 0.0},
        "lateness_ms": {"p50": None, "p99": None},
    }
    assert telemetry.history_points([]) == []


def test_the_charts_of_many_processes_are_one(clock: FakeClock) -> None:
    one, two = Telemetry(clock), Telemetry(clock)
    start = clock.now_ms()
    one.accepted("echo", 1)
    clock.advance(10)
    one.accepted("echo", 2)
    two.attempts([outcome(lateness_ms=0.2)])
    clock.advance(10)
    points = telemetry.last_minutes(telemetry.history_points([two.history(), one.history()]), clock.now_ms())
    assert [(p["at"], p["accepted"], p["delivered"]) for p in points] == [(start, 1, 0), (start + SLOT_MS, 2, 1)]
    assert (points[0]["p50"], points[1]["p99"] is None) == (None, False)
    clock.advance(SLOTS * 10)
    points = telemetry.history_points([two.history(), one.history()])
    assert telemetry.last_minutes(points, clock.now_ms()) == []


def release(destination: str | None = "slow.example:443", *, due_at: int = 1, delay_ms: int | None = 500) -> Outcome:
    return outcome("release")._replace(
        claim=outcome().claim._replace(due_at=due_at, channel="webhook"), delay_ms=delay_ms, destination=destination
    )


def test_what_is_put_off_is_counted_by_destination(clock: FakeClock) -> None:
    figures = Telemetry(clock)
    now = clock.now_ms()
    figures.attempts([release(due_at=now - 7), release(due_at=now - 30_000), release("b:80", due_at=now)])
    figures.attempts([release(delay_ms=None)])
    held = {dict(labels)["destination"]: n for name, labels, n in figures.snapshot()["counters"] if "held" in name}
    assert held == {"slow.example:443": 2, "b:80": 1}
    assert figures.take_released() == {
        Cause("webhook", "slow.example:443", True): Released(2, now - 30_000),
        Cause("webhook", "b:80", True): Released(1, now),
        Cause("webhook", "slow.example:443", False): Released(1, 1),
    }
    assert figures.take_released() == {}


def test_destinations_of_the_last_minute_over_all_processes(clock: FakeClock) -> None:
    one, two = Telemetry(clock), Telemetry(clock)
    now = clock.now_ms()
    one.attempts([release("b:80", due_at=now)] * 3 + [release(due_at=now - 2000)] * 2)
    two.attempts([release(due_at=now - 1000)] * 2)

    def shown() -> list[dict[str, Any]]:
        reports = json.loads(json.dumps({"one": one.snapshot(), "two": two.snapshot(), "old": {}}))
        return telemetry.destinations(reports, clock.now_ms())

    clock.advance(1)
    assert shown() == [
        {"destination": "slow.example:443", "put_off": 4, "oldest_age_ms": 3000},
        {"destination": "b:80", "put_off": 3, "oldest_age_ms": 1000},
    ]
    clock.advance(70)
    assert shown() == []


def test_destinations_make_a_bounded_number_of_series(clock: FakeClock) -> None:
    figures = Telemetry(clock)
    figures.attempts([release(f"host-{n}:443") for n in range(NAMED_DESTINATIONS + 5)])
    held = {dict(labels)["destination"]: n for name, labels, n in figures.snapshot()["counters"] if "held" in name}
    assert len(held) == NAMED_DESTINATIONS + 1
    assert held["other"] == 5
    assert len(figures.snapshot()["held_back"]) == SHOWN_DESTINATIONS


def test_the_figures_of_a_server_whose_clock_is_wrong_count_all_the_same(clock: FakeClock) -> None:
    """Its clock was an hour ahead: its slots fell out of the last minute."""
    figures = Telemetry(clock, lambda: clock.now_ms() - 3_600_000)
    figures.attempts([outcome()])
    report = {"one": figures.snapshot()}
    assert telemetry.ended_lately(report, clock.now_ms() - 3_600_000) == 1
    assert telemetry.summary(report, clock.now_ms() - 3_600_000)["lateness_ms"]["p50"] is not None


def test_how_much_ended_within_the_last_minute(clock: FakeClock) -> None:
    figures = Telemetry(clock)
    figures.attempts([outcome(), outcome("retry"), outcome("release")])
    assert telemetry.ended_lately({"one": figures.snapshot()}, clock.now_ms()) == 2
    clock.advance(70)
    assert telemetry.ended_lately({"one": figures.snapshot()}, clock.now_ms()) == 0


def test_threads_lose_no_count(clock: FakeClock) -> None:
    figures = Telemetry(clock)

    def work() -> None:
        for _ in range(500):
            figures.attempts([outcome()])
            figures.count("scheduler_reaped", to="dead")

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    snapshot = figures.snapshot()
    assert [n for _, _, n in snapshot["counters"]] == [2000, 2000]
    assert snapshot["recent"][0][2] == 2000
