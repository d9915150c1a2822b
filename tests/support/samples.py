"""What ``/metrics`` may show: to compare with it what pages, alerts and dashboards ask for."""

from __future__ import annotations

import re

import pytest
from prometheus_client.parser import text_string_to_metric_families

from scheduler.message import Claim, Outcome, Priority
from scheduler.telemetry import exposition
from scheduler.telemetry.figures import Telemetry
from tests.support.api import Api
from tests.support.clock import FakeClock

SELECTOR = re.compile(r"\b(scheduler_[a-z_]+)(?:\{([^}]*)\})?")
"""A metric in a text, and what stands in its braces."""

Samples = dict[str, dict[str, set[str]]]
"""Name of a sample → label → its values."""


def family_of(sample: str) -> str:
    """Return the name of a histogram from that of its sample."""
    return re.sub(r"_(bucket|sum|count)$", "", sample)


def shown_samples(clock: FakeClock, monkeypatch: pytest.MonkeyPatch) -> Samples:
    """Return the samples of a service that shows everything that it may show."""
    api = Api(clock)
    monkeypatch.setattr(api.store, "redis_info", lambda: {"used_memory": 1, "maxmemory": 1})
    figures = Telemetry(clock)
    figures.start_at_zero(["echo", "webhook", "job"], "scheduler")
    figures.start_at_zero(["echo"], "api")
    claim = Claim("a", "t", 1, 1, "webhook", "1", None, None, None, Priority.NORMAL, 1, 0)
    figures.attempts([Outcome(claim, "release", delay_ms=1, destination="slow.example:443")])
    figures.count("scheduler_redis_clock_steps", direction="back")
    gauges = dict.fromkeys(exposition.GAUGES, 1)
    api.store.beat(
        "here/scheduler", {"role": "scheduler", "progress_age_ms": 0, "gauges": gauges, **figures.snapshot()}
    )
    api.message()  # a lane in which something waits
    api.get("/v1/stats")
    found: Samples = {}
    for family in text_string_to_metric_families(api.get("/metrics").text):
        for sample in family.samples:
            for label, value in {"": "", **sample.labels}.items():
                found.setdefault(sample.name, {}).setdefault(label, set()).add(value)
    return found
