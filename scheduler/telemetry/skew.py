"""Compares clocks: this machine's with Redis's, and Redis's with itself.

Redis's clock decides what is due.  This machine's stamps log lines; where it is wrong they mislead, and whoever reads
them should know.  When Redis's clock is set, messages come early or late by as much, and nothing else tells why.
"""

from __future__ import annotations

from scheduler.clock import Clock
from scheduler.logs.sinks import ServiceLog
from scheduler.telemetry.figures import Telemetry

LIMIT_MS = 1000.0
"""Below this a difference is no news: heartbeats take time, and NTP keeps machines within a few ms."""


class ClockWatch:
    """Is told Redis's time now and then; warns once when something is wrong, and again when it is well."""

    def __init__(self, clock: Clock, telemetry: Telemetry, log: ServiceLog) -> None:
        self._clock = clock
        self._telemetry = telemetry
        self._log = log
        self.skew_ms: float | None = None
        """So far this machine's clock is ahead of Redis's; None until Redis was heard."""
        self._skewed = False
        self._offset_ms: float | None = None
        telemetry.count("scheduler_redis_clock_steps", 0, direction="forward")
        telemetry.count("scheduler_redis_clock_steps", 0, direction="back")

    def heard(self, redis_ms: float, asked_at: float) -> None:
        """Redis said what time it is, in answer to a question of ``asked_at`` (monotonic seconds)."""
        answered_at = self._clock.monotonic()
        took_ms = (answered_at - asked_at) * 1000
        if took_ms > LIMIT_MS:
            return  # nobody knows when in this time Redis looked at its clock
        middle = (asked_at + answered_at) / 2 * 1000
        self._step(redis_ms - middle)
        self.skew_ms = self._clock.now_ms() - took_ms / 2 - redis_ms
        self._compare(self.skew_ms)

    def _step(self, offset_ms: float) -> None:
        before, self._offset_ms = self._offset_ms, offset_ms
        step_ms = 0.0 if before is None else offset_ms - before
        if abs(step_ms) <= LIMIT_MS:
            return
        direction = "forward" if step_ms > 0 else "back"
        self._telemetry.count("scheduler_redis_clock_steps", direction=direction)
        effect = "due so much too early" if step_ms > 0 else "due so much too late"
        self._log.error(
            f"Redis's clock was set {direction} by {abs(step_ms) / 1000:.1f} s (or another Redis answers now, or this "
            f"machine slept): it decides what is due, so what was accepted before is {effect}. Nothing is lost."
        )

    def _compare(self, skew_ms: float) -> None:
        if abs(skew_ms) > LIMIT_MS and not self._skewed:
            self._skewed = True
            side = "ahead of" if skew_ms > 0 else "behind"
            self._log.warning(
                f"This machine's clock is {abs(skew_ms) / 1000:.1f} s {side} Redis's. Messages are due by Redis's, so "
                "nothing comes early or late; times in the logs are wrong by as much. Set one of the clocks (NTP)."
            )
        elif abs(skew_ms) <= LIMIT_MS / 2 and self._skewed:
            self._skewed = False
            self._log.info("This machine's clock agrees with Redis's again.")
