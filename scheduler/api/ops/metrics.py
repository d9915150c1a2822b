"""``GET /metrics``: the figures of all processes of all servers, for Prometheus."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from flask import Blueprint, Response
from prometheus_client import CONTENT_TYPE_LATEST, Metric, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector, CollectorRegistry

from scheduler.api.http.openapi import operation
from scheduler.api.http.respond import ApiResponse
from scheduler.api.http.services import Services, services
from scheduler.api.ops.health import alive, silent_ms
from scheduler.delivery import served
from scheduler.destination import BreakerState, DestinationState
from scheduler.errors import StoreUnavailable
from scheduler.message import Priority
from scheduler.store import Counts, OutboxFigures, Overview
from scheduler.store.results import ScheduleCounts
from scheduler.telemetry import exposition

blueprint = Blueprint("metrics", __name__)


@blueprint.get("/metrics")
@operation("Figures for Prometheus", tag="health", name="health_metrics", answer=None)
def metrics() -> Response:
    """The figures of all processes of all servers, and the counts of the store.

    While Redis is away: this process's own figures, and the last that it knows of the others.
    """
    here = services()
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Figures(here))
    return ApiResponse(generate_latest(registry), content_type=CONTENT_TYPE_LATEST)


class _Figures(Collector):
    def __init__(self, here: Services) -> None:
        self._here = here

    def collect(self) -> Iterator[Metric]:
        """The metric families of this moment."""
        here = self._here
        found: Overview | None = None
        destinations: list[DestinationState] = []
        try:
            found = here.store.overview()
            here.last_reports.keep(found.servers)
            destinations = here.store.all_destinations()
        except StoreUnavailable:
            pass
        reports = here.last_reports.now()
        reports[here.process] = {
            **reports.get(here.process, {}),
            "role": "api",
            "age_ms": 0,
            **here.telemetry.snapshot(),
        }
        yield from exposition.families(reports, silent_ms(here.settings))
        yield GaugeMetricFamily("scheduler_redis_up", "1 while Redis answers this process.", value=float(bool(found)))
        if found is not None:
            redis_ms = found.counts.redis_ms
            yield from _of_store(found.counts)
            yield from _of_lanes(found.counts, alive(reports, here.settings))
            yield from _of_schedules(found.schedules)
            yield _of_destinations(destinations, redis_ms)
            yield from _of_outbox(found.outbox, redis_ms)
            yield from _of_redis(found.redis)


def _of_store(counts: Counts) -> Iterator[Metric]:
    messages = GaugeMetricFamily("scheduler_messages", "Messages in the store by state.", labels=["state"])
    scheduled = GaugeMetricFamily("scheduler_scheduled", "Scheduled messages by priority.", labels=["priority"])
    for state, number in (
        ("scheduled", sum(counts.scheduled.values())),
        ("due", counts.due),
        ("retrying", counts.retrying),
        ("processing", counts.processing),
        ("dead", counts.dead),
        ("finished", counts.finished),
        ("held_back", counts.held_back),
        ("flow_waiting", counts.flow_waiting),
    ):
        messages.add_metric([state], number)
    for priority in Priority:
        scheduled.add_metric([priority.value], counts.scheduled.get(priority, 0))
    yield messages
    yield scheduled
    yield GaugeMetricFamily(
        "scheduler_oldest_due_age_seconds",
        "For how long the message that waits longest for an attempt has been due; 0 when none is due.",
        value=(counts.oldest_due_age_ms or 0) / 1000,
    )
    yield GaugeMetricFamily(
        "scheduler_flow_keys", "Flow keys that have messages, or are pinned or paused.", value=counts.flow_keys
    )
    yield GaugeMetricFamily("scheduler_paused", "1 while claiming stands still.", value=float(counts.paused))
    yield GaugeMetricFamily(
        "scheduler_partitions_away",
        "Parts of a Redis Cluster that do not answer; their messages are not counted.",
        value=counts.partitions_away,
    )


def _of_lanes(counts: Counts, living: dict[str, dict[str, Any]]) -> Iterator[Metric]:
    due = GaugeMetricFamily("scheduler_lane_due", "Messages whose moment has come, by lane.", labels=["lane"])
    age = GaugeMetricFamily(
        "scheduler_lane_oldest_due_age_seconds",
        "For how long the first message that is due in a lane has been; 0 when none is due.",
        labels=["lane"],
    )
    has_server = GaugeMetricFamily(
        "scheduler_lane_served", "1 where a living server delivers the lane, 0 where none does.", labels=["lane"]
    )
    for lane in served.shown_lanes(counts, living.values())[: served.MOST_SHOWN]:
        due.add_metric([lane.name], lane.counts.due)
        age.add_metric([lane.name], (lane.due_for_ms(counts.redis_ms) or 0) / 1000)
        has_server.add_metric([lane.name], lane.served)
    yield from (due, age, has_server)


def _of_schedules(counts: ScheduleCounts) -> Iterator[Metric]:
    schedules = GaugeMetricFamily("scheduler_schedules", "Schedules by state.", labels=["state"])
    for state in ("active", "paused", "ended", "failing", "overdue"):
        schedules.add_metric([state], getattr(counts, state))
    yield schedules
    yield GaugeMetricFamily(
        "scheduler_oldest_overdue_schedule_seconds",
        "For how long the schedule that waits longest to be planned has been due; 0 when none is overdue.",
        value=(counts.oldest_overdue_age_ms or 0) / 1000,
    )
    skips = CounterMetricFamily("scheduler_schedule_skips", "Runs of schedules that were skipped.", labels=["reason"])
    for reason, n in counts.skips.items():
        skips.add_metric([reason], n)
    yield skips


def _of_destinations(states: Sequence[DestinationState], redis_ms: int) -> Metric:
    destinations = GaugeMetricFamily(
        "scheduler_destinations",
        "Destinations of webhooks that have failed or asked for a pause lately, by what is done about it.",
        labels=["state"],
    )
    held = sum(state.is_held(redis_ms) for state in states)
    for name in BreakerState:
        destinations.add_metric([name.value], sum(state.state(redis_ms) == name for state in states))
    destinations.add_metric(["held"], held)
    return destinations


def _of_outbox(figures: OutboxFigures, redis_ms: int) -> Iterator[Metric]:
    oldest = figures.oldest_at if figures.oldest_at is not None else redis_ms
    for name, text, value in (
        ("messages", "Finished messages that the history does not have yet.", figures.messages),
        ("bytes", "Memory that they take; History.OutboxMaxBytes is the limit.", figures.bytes),
        ("oldest_age_seconds", "For how long the first of them has been finished.", max(0, redis_ms - oldest) / 1000),
        ("dropped", "Messages that the history will never have, since this Redis is in use.", figures.dropped),
    ):
        yield GaugeMetricFamily(f"scheduler_outbox_{name}", text, value=value)


def _of_redis(info: dict[str, Any]) -> Iterator[Metric]:
    for name, text, value in (
        ("scheduler_redis_used_memory_bytes", "Memory that Redis uses.", info["used_memory"]),
        ("scheduler_redis_max_memory_bytes", "Memory that Redis may use; 0 is without limit.", info["maxmemory"]),
    ):
        if value is not None:  # a managed Redis may not tell
            yield GaugeMetricFamily(name, text, value=value)
