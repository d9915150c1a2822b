"""Which requests the event loop answers.  Flask answers all others."""

from __future__ import annotations

from scheduler.api.http.exchange import Route
from scheduler.api.kept import echo, jobs, schedule
from scheduler.api.v1 import messages

ROUTES: dict[str, Route] = {**echo.ACCEPTING, **messages.ACCEPTING, **schedule.ACCEPTING, **jobs.ACCEPTING}
"""The routes whose POST is answered here, by path."""
