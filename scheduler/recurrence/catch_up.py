"""What to make of moments that were missed: none of them, the latest, or all; within a window and up to a limit.

Only what is to be made is looked up, one by one from the latest backwards; what is given up is counted.  A schedule of
every second that was away for a year takes no longer than one that was away for a minute.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple

from scheduler.recurrence.plan import Recurrence


@dataclass(frozen=True, slots=True)
class CatchUp:
    """The policy of a schedule."""

    policy: Literal["none", "latest", "all"] = "latest"
    window_ms: int = 3_600_000
    """Moments that lie further back are given up."""
    limit: int = 100
    """How many are made at most, the latest ones.  Only for ``all``."""


class CaughtUp(NamedTuple):
    """The answer: what is to be made, in order, and what is not."""

    moments: tuple[int, ...]
    given_up: int


def catch_up(plan: Recurrence, after_ms: int, now_ms: int, policy: CatchUp) -> CaughtUp:
    """Return what to make of the moments of ``plan`` that lie after ``after_ms`` and not after ``now_ms``."""
    most = {"none": 0, "latest": 1, "all": policy.limit}[policy.policy]
    since = max(after_ms + 1, now_ms - policy.window_ms)
    moments: list[int] = []
    moment = plan.latest_at(now_ms) if most else None
    while moment is not None and moment >= since:
        moments.append(moment)
        moment = plan.latest_at(moment - 1) if len(moments) < most else None
    return CaughtUp(tuple(reversed(moments)), plan.count(after_ms, now_ms) - len(moments))
