"""Compare this machine's clock with Redis's, and notice when Redis's clock is set.

Redis's clock decides which messages are due.  This machine's clock stamps log lines, and misleads their readers when it
is wrong.  When Redis's clock is set, messages come early or late by as much, and nothing else would explain it.
"""

from __future__ import annotations

from scheduler.clock import Clock
from scheduler.logs.sinks import ServiceLog
from scheduler.telemetry.figures import Telemetry

LIMIT_MS = 1000.0
"""Smaller differences are not reported: heartbeats take time, and NTP keeps machines within a few ms."""


class ClockWatch:
    """Checks the clocks at each heartbeat; logs once when they differ, and once when they agree again."""

    def __init__(self, clock: Clock, telemetry: Telemetry, log: ServiceLog) -> None:
        self._clock = clock
        self._telemetry = telemetry
        self._log = log
        self.skew_ms: float | None = None
        """How far this machine's clock is ahead of Redis's; None before the first check."""
        self._skewed = False
        self._offset_ms: float | None = None
        telemetry.count("scheduler_redis_clock_steps", 0, direction="forward")
        telemetry.count("scheduler_redis_clock_steps", 0, direction="back")

    def check(self, redis_ms: float, asked_at: float) -> None:
        """Check Redis's time ``redis_ms``, which answers a call of ``asked_at`` (monotonic seconds)."""
        answered_at = self._clock.monotonic()
        took_ms = (answered_at - asked_at) * 1000
        if took_ms > LIMIT_MS:
            return  # the call took too long: it is unknown when Redis read its clock
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
