"""What a process measures of itself, and how the figures of all are put together."""

from __future__ import annotations

import json
import threading
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import generate_latest
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.registry import CollectorRegistry

from scheduler import telemetry
from scheduler.message import Claim, Outcome, OutcomeKind, Priority
from scheduler.telemetry import BOUNDS_MS, RECENT, SLOT_MS, SLOTS, Histogram, Telemetry
from tests.support.clock import FakeClock


def outcome(kind: OutcomeKind = "ack", *, lateness_ms: float = 0.2, duration_ms: float = 5.0) -> Outcome:
    claim = Claim("a", "t", 1, 1, "echo", "1", None, None, None, Priority.NORMAL, 1, 0)
    return Outcome(claim, kind, duration_ms, lateness_ms)


def test_a_value_on_a_bound_belongs_to_its_bucket() -> None:
    histogram = Histogram()
    for value in (0.0, 0.1, 0.11, 600_000, 600_001):
        histogram.observe(value)
    assert histogram.counts == [2, 1, *[0] * (len(BOUNDS_MS) - 3), 1, 1]
    assert histogram.total == pytest.approx(1_200_001.21)


def test_quantiles() -> None:
    histogram = Histogram()
    assert histogram.quantile(0.5) is None
    for _ in range(100):
        histogram.observe(0.7)
    assert histogram.quantile(0.5) == 0.75, "the middle of the bucket from 0.5 to 1"
    histogram.observe(10**9)
    assert histogram.quantile(1.0) == BOUNDS_MS[-1], "no more is known than that it is beyond"


@given(st.lists(st.floats(0, 600_000), min_size=1), st.floats(0.01, 1))
def test_a_quantile_lies_in_the_bucket_of_the_value_it_stands_for(values: list[float], q: float) -> None:
    histogram = Histogram()
    for value in values:
        histogram.observe(value)
    rank = -(-q * len(values) // 1)
    exact = sorted(values)[max(0, int(rank) - 1)]
    bound = next(bound for bound in BOUNDS_MS if exact <= bound)
    below = max([0.0, *[b for b in BOUNDS_MS if b < bound]])
    found = histogram.quantile(q)
    assert found is not None
    assert below <= found <= bound


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
    assert 0.1 < summary["lateness_ms"]["p50"] <= 0.25
    assert 250 < summary["lateness_ms"]["p99"] <= 500


def test_nothing_happened(clock: FakeClock) -> None:
    assert telemetry.summary({}, clock.now_ms()) == {
        "throughput": {"accepted_per_s": 0.0, "delivered_per_s": 0.0, "failed_per_s": 0.0},
        "lateness_ms": {"p50": None, "p99": None},
    }
    assert telemetry.history_points([], clock.now_ms()) == []


def test_the_charts_of_many_processes_are_one(clock: FakeClock) -> None:
    one, two = Telemetry(clock), Telemetry(clock)
    start = clock.now_ms()
    one.accepted("echo", 1)
    clock.advance(10)
    one.accepted("echo", 2)
    two.attempts([outcome(lateness_ms=0.2)])
    clock.advance(10)
    points = telemetry.history_points([two.history(), one.history()], clock.now_ms())
    assert [(p["at"], p["accepted"], p["delivered"]) for p in points] == [(start, 1, 0), (start + SLOT_MS, 2, 1)]
    assert (points[0]["p50"], points[1]["p99"] is None) == (None, False)
    clock.advance(SLOTS * 10)
    assert telemetry.history_points([two.history(), one.history()], clock.now_ms()) == []


def exposition(snapshots: dict[str, dict[str, Any]]) -> dict[str, dict[str, float]]:
    """Sample name → labels as text → value, through the official writer and the official parser."""

    class Collector:
        def collect(self) -> Any:
            return telemetry.families(snapshots)

    registry = CollectorRegistry()
    registry.register(Collector())
    found: dict[str, dict[str, float]] = {}
    for family in text_string_to_metric_families(generate_latest(registry).decode()):
        assert family.documentation
        for sample in family.samples:
            labels = ",".join(f"{name}={value}" for name, value in sorted(sample.labels.items()))
            found.setdefault(sample.name, {})[labels] = sample.value
    return found


def test_the_metrics_of_all_processes(clock: FakeClock) -> None:
    one, two = Telemetry(clock), Telemetry(clock)
    one.attempts([outcome(lateness_ms=0.2, duration_ms=5), outcome(lateness_ms=700, duration_ms=5)])
    two.accepted("echo", 4)
    found = exposition({"one": one.snapshot() | {"gauges": {"scheduler_in_flight": 3}}, "two": two.snapshot()})
    assert found["scheduler_attempts_total"] == {"channel=echo,outcome=ack,process=one": 2}
    assert found["scheduler_accepted_total"] == {"channel=echo,process=two": 4}
    assert found["scheduler_in_flight"] == {"process=one": 3}
    buckets = found["scheduler_lateness_seconds_bucket"]
    assert [buckets[f"channel=echo,le={le},process=one"] for le in ("0.0001", "0.00025", "0.5", "1", "+Inf")] == [
        0, 1, 1, 2, 2
    ]  # fmt: skip
    assert found["scheduler_lateness_seconds_count"] == {"channel=echo,process=one": 2}
    assert found["scheduler_lateness_seconds_sum"] == {"channel=echo,process=one": pytest.approx(0.7002)}
    assert len(buckets) == len(BOUNDS_MS) + 1


def test_every_figure_is_named_even_before_anything_happened(clock: FakeClock) -> None:
    names = {metric.name for metric in telemetry.families({"one": Telemetry(clock).snapshot()})}
    assert names == {*telemetry.COUNTERS, *telemetry.HISTOGRAMS, *telemetry.GAUGES}


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
