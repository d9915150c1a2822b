"""Lateness: how long after its moment an attempt began.  The one place that computes it, for every channel."""

from __future__ import annotations

from scheduler.message import Claim


def lateness_ms(claim: Claim, begun_ms: float) -> float:
    """Return how late an attempt that began at ``begun_ms`` is, in ms; never below 0.

    ``begun_ms``: by Redis's clock (``RedisTime.now_ms``), which also says when a message is due.  That clock is only
    estimated between two calls, and an estimate may fall before the moment at which Redis gave the message out.
    """
    return max(0.0, begun_ms - claim.late_from)
