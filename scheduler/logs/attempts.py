"""The log line of an attempt (docs/logs.md)."""

from __future__ import annotations

from scheduler.message import Outcome


def attempt_line(outcome: Outcome) -> str:
    """Return the log line of an attempt."""
    c = outcome.claim
    line = f"{outcome.kind} id={c.id} channel={c.channel}"
    if c.type is not None:
        line += f" type={c.type}"
    if outcome.destination is not None:
        line += f" destination={outcome.destination}"
    line += f" attempt={c.attempt} lateness_ms={outcome.lateness_ms:.1f} duration_ms={outcome.duration_ms:.1f}"
    if c.flow_wait_ms is not None:
        line += f" flow_wait_ms={c.flow_wait_ms}"
    if outcome.kind == "retry":
        line += f" again_in_ms={outcome.delay_ms}"
    if outcome.error is not None:
        line += f" error={outcome.error}"
    if outcome.detail is not None:
        line += f" message={outcome.detail}"
    return line
