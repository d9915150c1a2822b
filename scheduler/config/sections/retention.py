"""Section Retention: how many finished messages Redis keeps, and how long."""

from __future__ import annotations

from scheduler.config.fields import DAY, PIB, YEARS, Section, number, whole


class RetentionSettings(Section):
    max_count: int = whole(10_000, 0, 1_000_000_000)
    """Delivered and cancelled messages that are kept."""
    max_age_seconds: float = number(7 * DAY, 0, YEARS)
    """How long delivered and cancelled messages are kept."""
    max_bytes: int = whole(64 * 2**20, 0, PIB)
    """Memory in Redis that delivered and cancelled messages may take."""
    dead_max_count: int = whole(100_000, 0, 1_000_000_000)
    """Dead letters that are kept."""
    dead_max_age_seconds: float = number(30 * DAY, 0, YEARS)
    """How long dead letters are kept."""
    dead_max_bytes: int = whole(256 * 2**20, 0, PIB)
    """Memory in Redis that dead letters may take."""
    trim_seconds: float = number(1.0, 0.01, 3600)
    """Time between two deletions of finished messages beyond these limits."""
