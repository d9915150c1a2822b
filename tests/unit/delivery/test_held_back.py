"""What was given back is logged in sums."""

from __future__ import annotations

from scheduler.delivery.held_back import HeldBack
from scheduler.logs.sinks import adapt
from scheduler.telemetry.figures import Telemetry
from tests.support.clock import START_MS, FakeClock
from tests.support.logger import RecordingLogger
from tests.unit.telemetry.test_telemetry import release


def test_a_line_for_each_destination_and_not_for_each_release(clock: FakeClock) -> None:
    log, figures = RecordingLogger(), Telemetry(clock)
    task = HeldBack(figures, clock, adapt(log))
    assert task.tick() == 10
    figures.attempts([release(due_at=START_MS + n) for n in range(500)])
    figures.attempts([release(None, due_at=START_MS, delay_ms=None)])
    clock.advance(10)
    task.tick()
    task.tick()
    put_off, given_back = log.infos
    assert put_off == (
        "release channel=webhook times=500 in_seconds=10 destination=slow.example:443 "
        "first_due_at=2027-01-15T08:00:00.000Z: put off, slow.example:443 takes no more now"
    )
    assert given_back == (
        "release channel=webhook times=1 in_seconds=10 first_due_at=2027-01-15T08:00:00.000Z: "
        "given back unused, for any server to take at once"
    )
