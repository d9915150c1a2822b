"""``/`` and ``/health``: whether the service runs, accepts and delivers; when a process counts as alive."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from flask import Blueprint, Response

from scheduler.api import dashboard
from scheduler.api.http.openapi import operation
from scheduler.api.http.respond import answer
from scheduler.api.http.services import services
from scheduler.api.v1.answers import HealthOut, RootOut
from scheduler.config.reading import Settings
from scheduler.delivery import served
from scheduler.delivery.redis_memory import FULL_MEANS
from scheduler.errors import StoreUnavailable
from scheduler.redis_server.refusals import LOADING
from scheduler.store import Counts
from scheduler.telemetry import figures as telemetry

blueprint = Blueprint("health", __name__)

STANDSTILL_MS = 60_000
"""When messages have been due for longer than this and nothing ends, delivery counts as stopped."""

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
        found = here.store.overview()
    except StoreUnavailable as error:
        loading = here.store.loading() if error.reason == LOADING else None
        return _ill(f"{error.reason}{f': {loading}' if loading else ''}.", HTTPStatus.SERVICE_UNAVAILABLE)
    servers, counts = found.servers, found.counts
    well = schedulers_alive(servers, here.settings)
    if not well:
        return _ill(_why_none(servers, here.settings), HTTPStatus.SERVICE_UNAVAILABLE)
    living = alive(servers, here.settings)
    if stuck := standstill(living, counts):
        return _ill(stuck, HTTPStatus.SERVICE_UNAVAILABLE)
    if found.redis["full"]:
        return _ill(FULL_MEANS, HTTPStatus.SERVICE_UNAVAILABLE)
    return answer(
        {
            "status": "success",
            "message": "server is ok!",
            "schedulers": well,
            **_state(counts),
            "warnings": [*served.warnings(counts, living.values()), *_of_history(living)],
        }
    )


def history_away(living: dict[str, dict[str, Any]]) -> list[str]:
    """Return the processes to which the database of the history did not answer at their last try."""
    return sorted(name for name, one in living.items() if one.get("gauges", {}).get("scheduler_history_up") == 0)


def _of_history(living: dict[str, dict[str, Any]]) -> list[str]:
    """Return a sentence when finished messages wait for the database.  Deliveries go on, so it is no failure."""
    away = history_away(living)
    return [f"The database of the history does not answer {', '.join(away)}: finished messages wait."] if away else []


def _state(counts: Counts) -> dict[str, Any]:
    return {"paused": counts.paused, "partitions_away": counts.partitions_away}


def _ill(message: str, status: HTTPStatus) -> Response:
    return answer({"status": "error", "message": message}, status, {"Retry-After": "1"})


def _why_none(servers: dict[str, dict[str, Any]], settings: Settings) -> str:
    """Return why no scheduler makes progress, when one of them reports a reason."""
    said = [why for one in alive(servers, settings).values() if (why := failure(one, settings)) is not None]
    return f"No scheduler is making progress: nothing is delivered{f' ({said[0]})' if said else ''}."


def silent_ms(settings: Settings) -> float:
    """A process that has not reported for longer is not alive."""
    return served.SILENT_BEATS * settings.scheduler.heartbeat_seconds * 1000


def alive(snapshots: dict[str, dict[str, Any]], settings: Settings) -> dict[str, dict[str, Any]]:
    """Return those of ``store.servers()`` that are alive."""
    return {name: snapshot for name, snapshot in snapshots.items() if snapshot["age_ms"] <= silent_ms(settings)}


def failure(snapshot: dict[str, Any], settings: Settings) -> str | None:
    """Return why this process of ``store.servers()`` delivered nothing at its last beat; None: it delivered.

    One that still beats but whose scheduler thread hangs delivers nothing.  Nor does one that has lost a channel: it
    would take messages that it cannot deliver.
    """
    # A process that is stopping claims nothing more while it finishes what it holds: that is no failure.
    if snapshot["role"] != "scheduler" or snapshot.get("stopping"):
        return None
    if snapshot.get("failure"):
        return str(snapshot["failure"])
    stuck_ms = snapshot.get("progress_age_ms", 0)
    return f"no progress for {stuck_ms / 1000:.0f} s" if stuck_ms > patience_ms(settings) else None


def patience_ms(settings: Settings) -> float:
    """Return for how long (ms) a scheduler thread may finish no step before something is wrong."""
    pace = max(settings.scheduler.poll_seconds, settings.scheduler.heartbeat_seconds)
    # A report is up to one interval old when the next one comes.
    return (3 * pace + settings.scheduler.heartbeat_seconds) * 1000


def schedulers_alive(snapshots: dict[str, dict[str, Any]], settings: Settings) -> int:
    """Return how many scheduler processes of the whole service made progress lately."""
    return sum(
        snapshot["role"] == "scheduler"
        and failure(snapshot, settings) is None
        and snapshot["age_ms"] + snapshot["progress_age_ms"] <= patience_ms(settings)
        for snapshot in snapshots.values()
    )


def standstill(living: dict[str, dict[str, Any]], counts: Counts) -> str | None:
    """Return a sentence when messages are due and nothing ends; None while all is well.

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
