"""Report that a process is alive, with its figures."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from scheduler.clock import Clock, RedisTime
from scheduler.logs.sinks import ServiceLog
from scheduler.store.registry import ServerRegistry
from scheduler.telemetry.figures import Telemetry
from scheduler.telemetry.skew import ClockWatch

_FORGET_SERVERS_MS = 900_000
"""The charts show 15 minutes: a process that has been silent for longer is on none of them."""
_CLEAN_SECONDS = 300
_IDENTITY = ("host", "pid", "started_at")
"""What tells two processes apart that report under one name."""


class Heartbeat:
    """A ``scheduler.delivery.maintenance.Task``."""

    name = "beat"

    def __init__(
        self,
        store: ServerRegistry,
        process: str,
        telemetry: Telemetry,
        describe: Callable[[], Mapping[str, Any]],
        *,
        every: float,
        clock: Clock,
        log: ServiceLog,
        redis_time: RedisTime | None = None,
    ) -> None:
        """``describe``: called at every beat, returns more fields to report.  ``redis_time``: set at every beat."""
        self._store = store
        self._process = process
        self._telemetry = telemetry
        self._describe = describe
        self._every = every
        self._clock = clock
        self._redis_time = redis_time
        self._clocks = ClockWatch(clock, telemetry, log)
        self._reported = -1
        self._beats = 0
        self._log = log
        self._cleaned = clock.monotonic()

    def tick(self) -> float:
        history = self._telemetry.history()
        newest = history[-1][0] if history else 0
        changed = newest != self._reported
        report = self.report()
        cleans = self._clock.monotonic() - self._cleaned >= _CLEAN_SECONDS
        if self._beats == 1 or cleans:
            self._warn_of_namesake(report)
        self._beats += 1
        asked_at = self._clock.monotonic()
        redis_ms = self._store.beat(self._process, report, history if changed else None)
        if self._redis_time is not None:
            self._redis_time.synchronise(redis_ms + self._store.moved_ms())
        self._clocks.check(redis_ms, asked_at)
        self._reported = newest
        if cleans:
            self._cleaned = self._clock.monotonic()
            self._store.delete_old_servers(_FORGET_SERVERS_MS)
        return self._every

    def _warn_of_namesake(self, mine: Mapping[str, Any]) -> None:
        """Warn when the last beat under this name came from another process.

        Not before the second beat: what a server left that was killed is replaced by the first one.
        """
        last = self._store.last_beat(self._process)
        if last and any(last.get(field) != mine.get(field) for field in _IDENTITY):
            self._log.warning(
                f"Another server has the name of this one: {self._process} is also process {last.get('pid')} on "
                f"{last.get('host')}. /health, /v1/stats and /metrics count the two as one. Give each a Server.Name of "
                "its own."
            )

    def report(self) -> dict[str, Any]:
        """Return what a beat at this moment reports."""
        report = {**self._telemetry.snapshot(), **self._describe()}
        if (skew_ms := self._clocks.skew_ms) is not None:
            report["clock_skew_ms"] = round(skew_ms)
            report["gauges"] = {**report.get("gauges", {}), "scheduler_clock_skew_seconds": round(skew_ms / 1000, 3)}
        return report
