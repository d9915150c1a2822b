"""``/``, ``/health`` and ``/metrics``: what machines ask."""

from __future__ import annotations

from collections.abc import Iterator
from http import HTTPStatus
from typing import Any

from flask import Blueprint, Response
from prometheus_client import CONTENT_TYPE_LATEST, Metric, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector, CollectorRegistry

from scheduler.api import dashboard
from scheduler.api.http.openapi import operation
from scheduler.api.http.respond import ApiResponse, answer
from scheduler.api.http.services import Services, services
from scheduler.api.v1.answers import HealthOut, RootOut
from scheduler.api.v1.control import alive, failure, oldest_due_age_ms, patience_ms, silent_ms
from scheduler.config.reading import Settings
from scheduler.delivery import served
from scheduler.delivery.redis_memory import FULL_MEANS
from scheduler.errors import StoreUnavailable
from scheduler.message import Priority
from scheduler.store import Counts
from scheduler.telemetry import exposition
from scheduler.telemetry import figures as telemetry

blueprint = Blueprint("health", __name__)

STANDSTILL_MS = 60_000
"""Messages that have been due for longer, while nothing ends, are not delivered any more."""

_ROOT = {"status": 200, "data": "Scheduler service is running."}


@blueprint.get("/")
@operation("Say that the service runs", tag="health", answer=RootOut)
def root() -> Response:
    """Needs neither a token nor Redis.  A browser gets the dashboard."""
    return dashboard.page() or answer(_ROOT)


@blueprint.get("/health")
@operation("Say whether messages are accepted and delivered", tag="health", answer=HealthOut)
def health() -> Response:
    """503 when Redis is away or full, no scheduler makes progress, or messages are due and nothing has ended for a
    minute.
    """
    here = services()
    if here.stopping.is_set():
        return _ill("stopping", HTTPStatus.SERVICE_UNAVAILABLE)
    try:
        servers, counts, full = here.store.servers(), here.store.counts(), here.store.full()
    except StoreUnavailable as error:
        return _ill(f"{error.reason}.", HTTPStatus.SERVICE_UNAVAILABLE)
    well = schedulers_alive(servers, here.settings)
    if not well:
        return _ill(_why_none(servers, here.settings), HTTPStatus.SERVICE_UNAVAILABLE)
    living = alive(servers, here.settings)
    if stuck := standstill(living, counts):
        return _ill(stuck, HTTPStatus.SERVICE_UNAVAILABLE)
    if full:
        return _ill(FULL_MEANS, HTTPStatus.SERVICE_UNAVAILABLE)
    return answer(
        {
            "status": "success",
            "message": "server is ok!",
            "schedulers": well,
            **_state(counts),
            "warnings": served.warnings(counts, living.values()),
        }
    )


def _state(counts: Counts) -> dict[str, Any]:
    return {"paused": counts.paused, "partitions_away": counts.partitions_away}


def _ill(message: str, status: HTTPStatus) -> Response:
    return answer({"status": "error", "message": message}, status, {"Retry-After": "1"})


def _why_none(servers: dict[str, dict[str, Any]], settings: Settings) -> str:
    """Why no scheduler makes progress, as far as one says so itself."""
    said = [why for one in alive(servers, settings).values() if (why := failure(one, settings)) is not None]
    return f"No scheduler is making progress: nothing is delivered{f' ({said[0]})' if said else ''}."


def schedulers_alive(snapshots: dict[str, dict[str, Any]], settings: Settings) -> int:
    """How many scheduler processes of the whole service made progress lately."""
    return sum(
        snapshot["role"] == "scheduler"
        and failure(snapshot, settings) is None
        and snapshot["age_ms"] + snapshot["progress_age_ms"] <= patience_ms(settings)
        for snapshot in snapshots.values()
    )


def standstill(living: dict[str, dict[str, Any]], counts: Counts) -> str | None:
    """Words for a service whose messages are due while nothing ends; None while all is well.

    What is held back does not count: one endpoint that hangs is no fault of the service.  Nor does what waits for jobs
    that run for long: to restart the server would end them too.  Nor what no server serves: a restart brings none.
    """
    lanes = served.shown_lanes(counts, living.values())
    age_ms = max((lane.due_for_ms(counts.redis_ms) or 0 for lane in lanes if lane.served), default=0)
    if counts.paused or any(one.get("working") for one in living.values()):
        return None
    if age_ms <= STANDSTILL_MS or telemetry.ended_lately(living, counts.redis_ms):
        return None
    return f"Messages have been due for {age_ms / 1000:.0f} s, and no attempt has ended for a minute."


@blueprint.get("/metrics")
@operation("Figures for Prometheus", tag="health", answer=None)
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
        found: tuple[Counts, dict[str, Any]] | None = None
        try:
            here.last_reports.keep(here.store.servers())
            found = here.store.counts(), here.store.redis_info()
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
            yield from _of_store(found[0])
            yield from _of_lanes(found[0], alive(reports, here.settings))
            yield from _of_redis(found[1])


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
    ):
        messages.add_metric([state], number)
    for priority in Priority:
        scheduled.add_metric([priority.value], counts.scheduled.get(priority, 0))
    yield messages
    yield scheduled
    yield GaugeMetricFamily(
        "scheduler_oldest_due_age_seconds",
        "For how long the message that waits longest for an attempt has been due; 0 when none is due.",
        value=(oldest_due_age_ms(counts) or 0) / 1000,
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


def _of_redis(info: dict[str, Any]) -> Iterator[Metric]:
    for name, text, value in (
        ("scheduler_redis_used_memory_bytes", "Memory that Redis uses.", info["used_memory"]),
        ("scheduler_redis_max_memory_bytes", "Memory that Redis may use; 0 is without limit.", info["maxmemory"]),
    ):
        if value is not None:  # a managed Redis may not tell
            yield GaugeMetricFamily(name, text, value=value)
