"""``stats``: the service at a glance."""

from __future__ import annotations

from typing import Any

from scheduler.cli.command import on_service
from scheduler.cli.output import Answer, facts, table
from scheduler.cli.remote import Remote


@on_service
def stats(remote: Remote) -> Answer:
    """Show the service at a glance, over all servers: counts, lateness, lanes, servers, Redis."""
    found = remote.call("GET", "/v1/stats")
    return Answer(found, lambda: _picture(found))


def _picture(found: dict[str, Any]) -> Any:
    from rich.console import Group

    speed, late, redis = found["throughput"], found["lateness_ms"], found["redis"]
    lines = [
        ("paused", found["paused"]),
        ("scheduled", found["scheduled"]["total"]),
        ("due", found["due"]),
        ("oldest due", _milliseconds(found["oldest_due_age_ms"])),
        ("next due", found["next_due_at"]),
        ("retrying", found["retrying"]),
        ("processing", found["processing"]),
        ("dead", found["dead"]),
        ("finished", found["finished"]),
        ("held back", found["held_back"]["messages"]),
        ("accepted", f"{speed['accepted_per_s']:g}/s in the last minute"),
        ("delivered", f"{speed['delivered_per_s']:g}/s"),
        ("failed", f"{speed['failed_per_s']:g}/s"),
        ("lateness", f"p50 {_milliseconds(late['p50'])}, p99 {_milliseconds(late['p99'])}"),
        ("Redis", f"{redis['version']}, {redis['persistence']}, {redis['used_memory'] or 0:,} bytes used"),
    ]
    lanes = [[lane[name] for name in ("lane", "scheduled", "due", "served")] for lane in found["lanes"]]
    servers = [
        [each["name"], each["in_flight"], _milliseconds(each["last_beat_age_ms"]), each["failure"] or "works"]
        for each in found["servers"]
    ]
    parts: list[Any] = [facts(lines)]
    if lanes:
        parts += ["", table(["lane", "scheduled", "due", "served"], lanes)]
    if servers:
        parts += ["", table(["process", "in flight", "last heartbeat", "state"], servers)]
    return Group(*parts)


def _milliseconds(value: float | None) -> str | None:
    return None if value is None else f"{value:g} ms"
