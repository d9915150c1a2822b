"""The reports of all processes as Prometheus reads them."""

from __future__ import annotations

import json
from typing import Any

import pytest
from prometheus_client import generate_latest
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.registry import CollectorRegistry

from scheduler.telemetry import exposition
from scheduler.telemetry.figures import Telemetry
from scheduler.telemetry.histograms import BOUNDS_MS
from tests.support.clock import FakeClock
from tests.unit.telemetry.test_telemetry import outcome

SILENT_MS = 3000
GONE = {"age_ms": SILENT_MS + 1}


def report(figures: Telemetry, role: str = "scheduler", age_ms: float = 0, **more: Any) -> dict[str, Any]:
    """As it comes out of Redis."""
    found: dict[str, Any] = json.loads(json.dumps({"role": role, **figures.snapshot(), **more}))
    return found | {"age_ms": age_ms}


def exposed(reports: dict[str, dict[str, Any]]) -> dict[str, dict[str, float]]:
    """Sample name → labels as text → value, through the official writer and the official parser."""

    class Collector:
        def collect(self) -> Any:
            return exposition.families(reports, SILENT_MS)

    registry = CollectorRegistry()
    registry.register(Collector())
    found: dict[str, dict[str, float]] = {}
    for family in text_string_to_metric_families(generate_latest(registry).decode()):
        assert family.documentation
        for sample in family.samples:
            labels = ",".join(f"{name}={value}" for name, value in sorted(sample.labels.items()))
            found.setdefault(sample.name, {})[labels] = sample.value
    return found


def test_every_process_of_every_server(clock: FakeClock) -> None:
    one, two, api = Telemetry(clock), Telemetry(clock), Telemetry(clock)
    one.attempts([outcome(lateness_ms=0.2, duration_ms=5), outcome(lateness_ms=700, duration_ms=5)])
    two.attempts([outcome()])
    api.accepted("echo", 4)
    found = exposed(
        {
            "one/scheduler": report(one, gauges={"scheduler_in_flight": 3}),
            "worker-without-http/scheduler": report(two),
            "one/api-7": report(api, "api"),
        }
    )
    assert found["scheduler_attempts_total"] == {
        "channel=echo,outcome=ack,process=scheduler,server=one": 2,
        "channel=echo,outcome=ack,process=scheduler,server=worker-without-http": 1,
    }
    assert found["scheduler_accepted_total"] == {"channel=echo,process=api,server=one": 4}
    assert found["scheduler_in_flight"] == {"process=scheduler,server=one": 3}
    buckets = found["scheduler_lateness_seconds_bucket"]
    label = "channel=echo,le={},process=scheduler,server=one"
    assert [buckets[label.format(le)] for le in ("0.0001", "0.00025", "0.6", "1", "+Inf")] == [0, 1, 1, 2, 2]
    assert found["scheduler_lateness_seconds_count"]["channel=echo,process=scheduler,server=one"] == 2
    assert found["scheduler_lateness_seconds_sum"]["channel=echo,process=scheduler,server=one"] == pytest.approx(0.7002)
    assert len(buckets) == 2 * (len(BOUNDS_MS) + 1)
    assert found["scheduler_processes"] == {"process=scheduler": 2, "process=api": 1}


def test_the_api_processes_of_a_server_are_one_series_without_their_process_ids(clock: FakeClock) -> None:
    figures = Telemetry(clock)
    figures.accepted("echo", 2)
    found = exposed({f"one/api-{pid}": report(figures, "api") for pid in (7, 8, 9)})
    assert found["scheduler_accepted_total"] == {"channel=echo,process=api,server=one": 6}
    assert found["scheduler_processes"]["process=api"] == 3


def test_one_that_went_silent_keeps_its_counters_until_another_takes_its_place(clock: FakeClock) -> None:
    figures = Telemetry(clock)
    figures.accepted("echo", 5)
    gone = report(figures, "api", gauges={"scheduler_in_flight": 3}) | GONE
    older = report(figures, "api", 90_000)
    found = exposed({"one/api-7": gone, "one/api-6": older})
    assert found["scheduler_accepted_total"] == {"channel=echo,process=api,server=one": 5}
    assert "scheduler_in_flight" not in found
    assert found["scheduler_processes"] == {"process=scheduler": 0, "process=api": 0}
    figures.accepted("echo", 1)
    found = exposed({"one/api-7": gone, "one/api-8": report(figures, "api")})
    assert found["scheduler_accepted_total"] == {"channel=echo,process=api,server=one": 6}


def test_progress_ages_while_a_process_does_not_report(clock: FakeClock) -> None:
    figures = Telemetry(clock)
    found = exposed({"one/scheduler": report(figures, "scheduler", 42_000, progress_age_ms=500)})
    assert found["scheduler_progress_age_seconds"] == {"process=scheduler,server=one": 42.5}
    assert "scheduler_progress_age_seconds" not in exposed({"one/api-7": report(figures, "api")})


def test_a_rolling_upgrade_that_changes_the_buckets(clock: FakeClock) -> None:
    """It was answered by 500, through all of the upgrade."""
    figures = Telemetry(clock)
    figures.attempts([outcome()])
    other = {
        "role": "scheduler", "age_ms": 0, "bounds": [1, 100],
        "histograms": [["scheduler_lateness_seconds", [["channel", "echo"]], [4, 2, 1], 500.0]],
    }  # fmt: skip
    before_bounds_were_reported = {**other, "bounds": None}
    del before_bounds_were_reported["bounds"]
    found = exposed(
        {
            "new/scheduler": report(figures),
            "other/scheduler": other,
            "old/scheduler": before_bounds_were_reported,
        }
    )
    buckets = found["scheduler_lateness_seconds_bucket"]
    label = "channel=echo,le={},process=scheduler,server=other"
    assert [buckets[label.format(le)] for le in ("0.0005", "0.001", "0.06", "0.1", "+Inf")] == [0, 4, 4, 6, 7]
    assert {key.rpartition("=")[2] for key in buckets} == {"new", "other"}


def test_every_figure_is_named_even_before_anything_happened(clock: FakeClock) -> None:
    reports = {"one/scheduler": report(Telemetry(clock))}
    names = {metric.name for metric in exposition.families(reports, SILENT_MS)}
    assert names == {
        *exposition.COUNTERS, *exposition.HISTOGRAMS, *exposition.GAUGES, exposition.PROGRESS, exposition.PROCESSES
    }  # fmt: skip


def test_series_begin_at_zero(clock: FakeClock) -> None:
    """Prometheus's increase() does not see the first dead letter of a series that begins with it."""
    scheduler, api = Telemetry(clock), Telemetry(clock)
    scheduler.start_at_zero(["echo", "webhook"], "scheduler")
    api.start_at_zero(["echo"], "api")
    found = exposed({"one/scheduler": report(scheduler), "one/api-7": report(api, "api")})
    assert found["scheduler_attempts_total"] == {
        f"channel={channel},outcome={kind},process=scheduler,server=one": 0
        for channel in ("echo", "webhook") for kind in ("ack", "retry", "dead", "release")
    }  # fmt: skip
    assert found["scheduler_locks_lost_total"] == {"process=scheduler,server=one": 0}
    assert set(found["scheduler_reaped_total"].values()) == set(found["scheduler_trimmed_total"].values()) == {0}
    assert found["scheduler_lateness_seconds_count"]["channel=webhook,process=scheduler,server=one"] == 0
    assert found["scheduler_accepted_total"] == {"channel=echo,process=api,server=one": 0}


def test_the_skew_of_a_server_s_processes_is_the_worst(clock: FakeClock) -> None:
    figures = Telemetry(clock)
    reports = {
        f"one/api-{n}": report(figures, "api", gauges={"scheduler_clock_skew_seconds": skew})
        for n, skew in enumerate((0.2, -7.0))
    }
    assert exposed(reports)["scheduler_clock_skew_seconds"] == {"process=api,server=one": -7}
