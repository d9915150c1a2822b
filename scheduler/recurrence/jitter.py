"""Spread the runs of many schedules: a delay that follows from the schedule's id and the moment.

It is the same on every server and at every try, never early, and never as late as the next moment of the plan.
"""

from __future__ import annotations

from hashlib import blake2b

from scheduler.errors import InvalidInput
from scheduler.recurrence.plan import Recurrence


def check_jitter(plan: Recurrence, jitter_ms: int) -> None:
    """Raise InvalidInput (``jitter``) unless the jitter is less than the shortest time between two runs of the plan."""
    if not 0 <= jitter_ms < plan.shortest_distance_ms:
        raise InvalidInput.of(
            "jitter",
            f"is {jitter_ms} ms, and two runs can be {plan.shortest_distance_ms} ms apart; accepted: less than that",
        )


def jittered(plan: Recurrence, schedule_id: str, moment_ms: int, jitter_ms: int) -> int:
    """Return when the run of a moment is due: from ``moment_ms`` to ``jitter_ms`` later, evenly spread.

    At a change of the clock two moments can be nearer to each other than usual.  The delay then ends before the next.
    """
    if jitter_ms <= 0:
        return moment_ms
    following = plan.next_after(moment_ms)
    most = jitter_ms if following is None else min(jitter_ms, following - moment_ms - 1)
    digest = blake2b(f"{schedule_id}\0{moment_ms}".encode(), digest_size=8).digest()
    return moment_ms + int.from_bytes(digest) * (most + 1) // 2**64
