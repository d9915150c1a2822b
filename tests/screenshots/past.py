"""Two days that the pictured service did not run: finished messages, written into its history before it starts."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator

from scheduler.history import Finished, open_database
from scheduler.telemetry.histograms import bucket_of

HOURS = 48
HOUR_MS = 3_600_000
SHAPES = {"echo": (30, 0.0, 1.0), "job": (60, 0.004, 1.4), "webhook": (90, 0.02, 1.9)}
"""By channel: messages in a middling hour, the share of dead letters, and how late the middling one was (ms)."""


def write(url: str, now_ms: int) -> None:
    """Fill the history at ``url`` up to now."""
    database = open_database(url)
    database.prepare()
    database.write(list(_rows(now_ms)))
    database.close()


def _rows(now_ms: int) -> Iterator[Finished]:
    chance = random.Random(11)
    first = now_ms - now_ms % HOUR_MS - HOURS * HOUR_MS
    for hour in range(HOURS + 1):
        for channel, (middle, failing, late_ms) in SHAPES.items():
            # Busy by day, quiet by night.
            for n in range(round(middle * (1 + 0.7 * math.sin(hour / 24 * 2 * math.pi)))):
                at = first + hour * HOUR_MS + chance.randrange(HOUR_MS)
                if at > now_ms:
                    continue
                dead = chance.random() < failing * (4 if hour in (31, 32) else 1)
                yield _row(
                    f"past-{hour}-{channel}-{n}", channel, at, dead, chance.lognormvariate(math.log(late_ms), 0.6)
                )


def _row(id: str, channel: str, at: int, dead: bool, late_ms: float) -> Finished:
    return Finished(
        id=id,
        finished_at=at,
        status="dead" if dead else "delivered",
        channel=channel,
        type="resize_image" if channel == "job" else None,
        owner=None,
        priority="normal",
        schedule_id=None,
        run=None,
        flow_key=None,
        destination="hooks.example.com" if channel == "webhook" else None,
        created_at=at - 60_000,
        scheduled_for=at,
        due_at=at,
        started_at=at,
        attempt=1,
        lateness_bucket=bucket_of(late_ms),
        retry=None,
        target=None,
        redriven_from=None,
        payload='"a day ago"',
        payload_sha256=None,
        last_error="HTTP 503" if dead else None,
        result=None,
        attempts="[]",
    )
