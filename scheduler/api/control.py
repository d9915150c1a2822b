"""``/v1/pause``, ``/v1/resume`` and ``/v1/stats``: the service as a whole."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response

from scheduler import telemetry
from scheduler.api.answers import PausedOut, StatsOut
from scheduler.api.openapi import operation
from scheduler.api.respond import answer
from scheduler.api.services import services
from scheduler.config import Settings
from scheduler.message import Priority
from scheduler.store import Counts
from scheduler.when import format_ms

blueprint = Blueprint("control", __name__, url_prefix="/v1")


@blueprint.post("/pause")
@operation("Stop claiming, on all servers", tag="control", answer=PausedOut)
def pause() -> Response:
    """No message is started until resume; accepting goes on, and what is in flight finishes."""
    services().store.pause()
    return answer({"paused": True})


@blueprint.post("/resume")
@operation("Claim again, on all servers", tag="control", answer=PausedOut)
def resume() -> Response:
    """The opposite of pause."""
    services().store.resume()
    return answer({"paused": False})


@blueprint.get("/stats")
@operation("Counts, lateness, throughput, servers and Redis", tag="control", answer=StatsOut)
def stats() -> Response:
    """The service at a glance, over all servers."""
    here = services()
    counts = here.store.counts()
    snapshots = alive(here.store.servers(), here.settings)
    return answer(
        {
            **_counts(counts),
            **telemetry.summary(snapshots, counts.redis_ms),
            "servers": [_server(name, snapshot) for name, snapshot in sorted(snapshots.items())],
            "redis": here.store.redis_info(),
        }
    )


def alive(snapshots: dict[str, dict[str, Any]], settings: Settings) -> dict[str, dict[str, Any]]:
    """Those of ``store.servers()`` that missed less than three heartbeats."""
    limit_ms = 3 * settings.scheduler.heartbeat_seconds * 1000
    return {name: snapshot for name, snapshot in snapshots.items() if snapshot["age_ms"] <= limit_ms}


def oldest_due_age_ms(counts: Counts) -> int | None:
    """For how long, in ms, the due message that waits longest has been due; None when none is due."""
    return max(0, counts.redis_ms - counts.oldest_due_at) if counts.oldest_due_at is not None else None


def _counts(counts: Counts) -> dict[str, Any]:
    return {
        "messages": {
            "scheduled": sum(counts.scheduled.values()),
            "due": counts.due,
            "processing": counts.processing,
            "dead": counts.dead,
            "finished": counts.finished,
        },
        "scheduled": {priority.value: counts.scheduled.get(priority, 0) for priority in Priority},
        "paused": counts.paused,
        "oldest_due_age_ms": oldest_due_age_ms(counts),
        "next_due_at": format_ms(counts.next_due_at) if counts.next_due_at is not None else None,
        "finished_bytes": counts.finished_bytes,
    }


def _server(name: str, snapshot: dict[str, Any]) -> dict[str, Any]:
    return {
        "name": name,
        "role": snapshot["role"],
        "heartbeat_age_ms": snapshot["age_ms"],
        "in_flight": snapshot.get("in_flight", 0),
    }
