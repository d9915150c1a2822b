"""Section Tasks: retries of `POST /schedule`, a route of an earlier system."""

from __future__ import annotations

from scheduler.config.fields import YEARS, Section, number, whole


class TaskSettings(Section):
    retries: int = whole(5, -1, 1_000_000)
    """How often a task of `/schedule` is tried again after it failed; -1 is without limit."""
    retry_seconds: float = number(60.0, 0, YEARS)
    """Time between two tries of a task of `/schedule`."""
