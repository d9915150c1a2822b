"""The plan of a schedule: at which moments it comes, computed from its text, its zone and its bounds.  Pure.

``plan.py`` is the door: ``Recurrence``.  Beside it ``catch_up.py`` (what to make of missed moments) and ``jitter.py``.
No clock is read here and nothing depends on the machine's own zone.
"""

from scheduler.recurrence.catch_up import CatchUp, CaughtUp, catch_up
from scheduler.recurrence.jitter import check_jitter, jittered
from scheduler.recurrence.plan import MOST_RUNS, Recurrence, Run

__all__ = ["MOST_RUNS", "CatchUp", "CaughtUp", "Recurrence", "Run", "catch_up", "check_jitter", "jittered"]
