"""Log what was given back unused, as sums: one hanging endpoint gives back a thousand messages a minute."""

from __future__ import annotations

from scheduler.clock import Clock
from scheduler.logs.sinks import ServiceLog
from scheduler.telemetry.figures import Cause, Released, Telemetry
from scheduler.when import format_ms

EVERY_SECONDS = 10.0


class HeldBack:
    """A task of maintenance: one line per channel and destination every ten seconds."""

    name = "tell what was given back"

    def __init__(self, telemetry: Telemetry, clock: Clock, log: ServiceLog) -> None:
        self._telemetry = telemetry
        self._clock = clock
        self._log = log
        self._told = clock.monotonic()

    def tick(self) -> float:
        now = self._clock.monotonic()
        seconds, self._told = now - self._told, now
        lines = [_line(cause, released, seconds) for cause, released in self._telemetry.take_released().items()]
        if lines:
            self._log.lines(lines)
        return EVERY_SECONDS


def _line(cause: Cause, released: Released, seconds: float) -> str:
    line = f"release channel={cause.channel} times={released.n} in_seconds={seconds:.0f}"
    if cause.destination:
        line += f" destination={cause.destination}"
    line += f" first_due_at={format_ms(released.since)}"
    if cause.put_off:
        return f"{line}: put off, {cause.destination or 'the channel'} takes no more now"
    return f"{line}: given back unused, for any server to take at once"
