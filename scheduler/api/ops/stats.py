"""``GET /v1/stats``: the service at a glance, over all servers."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from flask import Blueprint, Response, request

from scheduler.access import EVENTS_PATH
from scheduler.api.http.openapi import operation
from scheduler.api.http.respond import answer
from scheduler.api.http.services import Services, services
from scheduler.api.ops.health import alive, failure, history_away
from scheduler.api.v1.answers import StatsOut
from scheduler.config.reading import Settings
from scheduler.delivery import served
from scheduler.message import Priority
from scheduler.store import Counts, OutboxFigures
from scheduler.store.results import ScheduleCounts
from scheduler.telemetry import figures as telemetry
from scheduler.when import format_ms

blueprint = Blueprint("stats", __name__, url_prefix="/v1")

SHOWN_MS = 60_000
"""For how long a silent process is still listed, so that an operator sees that it is gone."""


@blueprint.get("/stats")
@operation("Counts, lateness, throughput, servers and Redis", tag="control", name="control_stats", answer=StatsOut)
def stats() -> Response:
    """The service at a glance, over all servers."""
    here = services()
    counts, schedules, outbox, known, history, redis = here.store.overview()
    living = alive(known, here.settings)
    lanes = served.shown_lanes(counts, living.values())
    return answer(
        {
            **_counts(counts),
            **telemetry.summary(living, counts.redis_ms),
            "held_back": _held_back(living, counts),
            "flow": _flow(counts),
            "schedules": _schedules(schedules),
            "lanes": [_lane(lane, counts) for lane in lanes[: served.MOST_SHOWN]],
            "history": here.last_chart.points(history, counts.redis_ms),
            "servers": [
                _server(name, known[name], here.settings) for name in sorted(known) if known[name]["age_ms"] <= SHOWN_MS
            ],
            "redis": redis,
            "archive": _archive(living, counts, outbox, here) if here.history is not None else None,
            "events_url": _events_url(living, here),
        }
    )


def _held_back(living: dict[str, dict[str, Any]], counts: Counts) -> dict[str, Any]:
    oldest = counts.oldest_held_at
    return {
        "messages": counts.held_back,
        "oldest_age_ms": max(0, counts.redis_ms - oldest) if oldest is not None else None,
        "destinations": telemetry.destinations(living, counts.redis_ms),
    }


def _flow(counts: Counts) -> dict[str, Any]:
    oldest = counts.oldest_waiting_at
    return {
        "keys": counts.flow_keys,
        "waiting": counts.flow_waiting,
        "oldest_age_ms": max(0, counts.redis_ms - oldest) if oldest is not None else None,
    }


def _schedules(counts: ScheduleCounts) -> dict[str, Any]:
    return {
        "active": counts.active,
        "paused": counts.paused,
        "ended": counts.ended,
        "failing": counts.failing,
        "overdue": counts.overdue,
        "oldest_overdue_age_ms": counts.oldest_overdue_age_ms,
    }


def _lane(lane: served.ShownLane, counts: Counts) -> dict[str, Any]:
    return {
        "lane": lane.name,
        "scheduled": lane.counts.scheduled,
        "due": lane.counts.due,
        "oldest_due_age_ms": lane.due_for_ms(counts.redis_ms),
        "served": lane.served,
    }


def _counts(counts: Counts) -> dict[str, Any]:
    return {
        "redis_time": format_ms(counts.redis_ms),
        "scheduled": {
            "total": sum(counts.scheduled.values()),
            **{priority.value: counts.scheduled.get(priority, 0) for priority in Priority},
        },
        "due": counts.due,
        "retrying": counts.retrying,
        "processing": counts.processing,
        "dead": counts.dead,
        "finished": counts.finished,
        "paused": counts.paused,
        "partitions_away": counts.partitions_away,
        "oldest_due_age_ms": counts.oldest_due_age_ms,
        "next_due_at": format_ms(counts.next_due_at) if counts.next_due_at is not None else None,
        "finished_bytes": counts.finished_bytes,
    }


def _server(name: str, snapshot: dict[str, Any], settings: Settings) -> dict[str, Any]:
    # A server of another version may report fewer fields.
    started_at = snapshot.get("started_at")
    return {
        "name": name,
        "role": snapshot["role"],
        "in_flight": snapshot.get("in_flight", 0),
        "last_beat_age_ms": snapshot["age_ms"],
        "progress_age_ms": snapshot.get("progress_age_ms"),
        "failure": failure(snapshot, settings),
        "clock_skew_ms": snapshot.get("clock_skew_ms"),
        "log_lines_lost": snapshot.get("log_lines_lost"),
        "version": snapshot.get("version"),
        "pid": snapshot.get("pid"),
        "host": snapshot.get("host"),
        "started_at": format_ms(started_at) if started_at is not None else None,
    }


def _archive(
    living: dict[str, dict[str, Any]], counts: Counts, figures: OutboxFigures, here: Services
) -> dict[str, Any]:
    oldest = figures.oldest_at
    return {
        "messages": figures.messages,
        "bytes": figures.bytes,
        "max_bytes": here.settings.history.outbox_max_bytes,
        "oldest_age_ms": max(0, counts.redis_ms - oldest) if oldest is not None else None,
        "dropped": figures.dropped,
        "away": history_away(living),
    }


def _events_url(living: dict[str, dict[str, Any]], here: Services) -> str | None:
    """Where live events are: under ``Server.PublicUrl``; without it at this server, else at any other, under the host
    name that the client used for us.
    """
    ports = {name: snapshot["events_port"] for name, snapshot in living.items() if snapshot.get("events_port")}
    if ports and here.settings.server.public_url:
        # ws:// for http://, wss:// for https://
        return here.address(EVENTS_PATH).replace("http", "ws", 1)
    port = next((ports[name] for name in sorted(ports) if name.startswith(f"{here.server}/")), None)
    port = port or next((ports[name] for name in sorted(ports)), None)
    try:
        host = urlsplit(f"//{request.host}").hostname
    except ValueError:
        host = None
    if port is None or not host:
        return None
    return f"ws://{f'[{host}]' if ':' in host else host}:{port}{EVENTS_PATH}"
