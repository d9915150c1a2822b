"""The history summed up for charts.  Pure, no I/O."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from scheduler.history.database import HOUR_MS, HourCount
from scheduler.telemetry.histograms import Spread
from scheduler.when import format_ms

HOURS_OF = {"hour": 1, "day": 24}
"""Hours of a slot, by its name."""


@dataclass(slots=True)
class _Slot:
    ended: dict[str, int] = field(default_factory=lambda: {"delivered": 0, "dead": 0, "cancelled": 0})
    lateness: Spread = field(default_factory=Spread)


def slots(counted: Iterable[HourCount], by: str) -> list[dict[str, Any]]:
    """Return the slots of ``GET /v1/history/summary``, oldest first; ``by``: ``hour`` or ``day`` (UTC)."""
    hours = HOURS_OF[by]
    found: dict[tuple[int, str], _Slot] = {}
    for one in counted:
        slot = found.setdefault((one.hour // hours * hours, one.channel), _Slot())
        slot.ended[one.status] = slot.ended.get(one.status, 0) + one.n
        if one.lateness_bucket is not None:
            slot.lateness.add({str(one.lateness_bucket): one.n})
    return [_shown(hour, channel, found[hour, channel]) for hour, channel in sorted(found)]


def _shown(hour: int, channel: str, slot: _Slot) -> dict[str, Any]:
    attempted = slot.ended["delivered"] + slot.ended["dead"]
    return {
        "at": format_ms(hour * HOUR_MS),
        "channel": channel,
        "delivered": slot.ended["delivered"],
        "dead": slot.ended["dead"],
        "cancelled": slot.ended["cancelled"],
        "failure_rate": round(slot.ended["dead"] / attempted, 4) if attempted else None,
        "lateness_ms": {"p50": slot.lateness.quantile(0.5), "p99": slot.lateness.quantile(0.99)},
    }
