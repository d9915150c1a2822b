"""Keep the last reports of all processes, for ``/metrics`` while Redis is away."""

from __future__ import annotations

from typing import Any

from scheduler.clock import Clock

Reports = dict[str, dict[str, Any]]


class LastReports:
    """The last reports that were read.  Thread-safe."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._kept: tuple[float, Reports] = (0.0, {})

    def keep(self, reports: Reports) -> None:
        """Keep reports that were just read from Redis."""
        self._kept = (self._clock.monotonic(), reports)

    def now(self) -> Reports:
        """Return the last reports, with their ``age_ms`` as of now."""
        kept_at, reports = self._kept
        passed_ms = (self._clock.monotonic() - kept_at) * 1000
        return {name: {**report, "age_ms": report["age_ms"] + passed_ms} for name, report in reports.items()}
