"""``/``, ``/health`` and ``/metrics``: what machines ask."""

from __future__ import annotations

from collections.abc import Iterator
from http import HTTPStatus
from typing import Any

from flask import Blueprint, Response
from prometheus_client import CONTENT_TYPE_LATEST, Metric, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector, CollectorRegistry

from scheduler import telemetry
from scheduler.api import dashboard
from scheduler.api.answers import HealthOut, RootOut
from scheduler.api.control import alive, failure, oldest_due_age_ms, patience_ms
from scheduler.api.openapi import operation
from scheduler.api.respond import ApiResponse, answer
from scheduler.api.services import services
from scheduler.config import Settings
from scheduler.errors import StoreUnavailable
from scheduler.message import Priority
from scheduler.store import Counts

blueprint = Blueprint("health", __name__)

_ROOT = {"status": 200, "data": "Scheduler service is running."}


@blueprint.get("/")
@operation("Say that the service runs", tag="health", answer=RootOut)
def root() -> Response:
    """Needs neither a token nor Redis.  A browser gets the dashboard."""
    return dashboard.page() or answer(_ROOT)


@blueprint.get("/health")
@operation("Say whether messages are accepted and delivered", tag="health", answer=HealthOut)
def health() -> Response:
    """503 when Redis is away, or when no scheduler made progress within three times its poll interval."""
    here = services()
    try:
        alive = schedulers_alive(here.store.servers(), here.settings)
        paused = here.store.counts().paused
    except StoreUnavailable as error:
        return _ill(f"{error.reason}.", HTTPStatus.SERVICE_UNAVAILABLE)
    if not alive:
        return _ill("No scheduler is making progress: nothing is delivered.", HTTPStatus.SERVICE_UNAVAILABLE)
    return answer({"status": "success", "message": "server is ok!", "schedulers": alive, "paused": paused})


def _ill(message: str, status: HTTPStatus) -> Response:
    return answer({"status": "error", "message": message}, status, {"Retry-After": "1"})


def schedulers_alive(snapshots: dict[str, dict[str, Any]], settings: Settings) -> int:
    """How many scheduler processes of the whole service made progress lately."""
    return sum(
        snapshot["role"] == "scheduler"
        and failure(snapshot, settings) is None
        and snapshot["age_ms"] + snapshot["progress_age_ms"] <= patience_ms(settings)
        for snapshot in snapshots.values()
    )


@blueprint.get("/metrics")
@operation("Figures for Prometheus", tag="health", answer=None)
def metrics() -> Response:
    """The figures of all processes of this server together, and the counts of the store."""
    here = services()
    mine = {
        name: snapshot
        for name, snapshot in alive(here.store.servers(), here.settings).items()
        if name == here.server or name.startswith(here.server + "/")
    }
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Figures(mine, here.store.counts()))
    return ApiResponse(generate_latest(registry), content_type=CONTENT_TYPE_LATEST)


class _Figures(Collector):
    def __init__(self, snapshots: dict[str, dict[str, Any]], counts: Counts) -> None:
        self._snapshots = snapshots
        self._counts = counts

    def collect(self) -> Iterator[Metric]:
        """The metric families of this moment."""
        yield from telemetry.families(self._snapshots)
        yield from _gauges(self._counts)


def _gauges(counts: Counts) -> Iterator[Metric]:
    messages = GaugeMetricFamily("scheduler_messages", "Messages in the store by state.", labels=["state"])
    scheduled = GaugeMetricFamily("scheduler_scheduled", "Scheduled messages by priority.", labels=["priority"])
    for state, number in (
        ("scheduled", sum(counts.scheduled.values())),
        ("due", counts.due),
        ("retrying", counts.retrying),
        ("processing", counts.processing),
        ("dead", counts.dead),
        ("finished", counts.finished),
    ):
        messages.add_metric([state], number)
    for priority in Priority:
        scheduled.add_metric([priority.value], counts.scheduled.get(priority, 0))
    yield messages
    yield scheduled
    yield GaugeMetricFamily(
        "scheduler_oldest_due_age_seconds",
        "For how long the due message that waits longest has been due; 0 when none is due.",
        value=(oldest_due_age_ms(counts) or 0) / 1000,
    )
    yield GaugeMetricFamily("scheduler_paused", "1 while claiming stands still.", value=float(counts.paused))
