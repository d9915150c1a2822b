"""What is explored: each exhausted, the larger ones by ``make explore`` only."""

from __future__ import annotations

import redis

from tests.explore.model import Scope
from tests.explore.search import Found, Search
from tests.explore.seeds import Seed

ALL_FAULTS = Scope("one message, any faults", due=(0,), max_attempts=2)
STALE_OWNER = Scope("one message, crashes and expiries", due=(0,), max_attempts=2, lost_replies=0)
FAULT_FREE = Scope("two messages, nothing fails", due=(0, 1), max_attempts=2, crashes=0, lost_replies=0, expiries=0)
FLOW = Scope(
    "two messages of a flow key, faults", due=(0, 1), max_attempts=2, crashes=1, lost_replies=1, expiries=1, flow=True
)
FLOW_SMALL = Scope(
    "two messages of a flow key, a crash and an expiry",
    due=(0, 1), max_attempts=2, crashes=1, lost_replies=0, expiries=1, flow=True,
)  # fmt: skip
USERS = Scope("one message, a user cancels or puts off", due=(1,), max_attempts=2, user_verbs=1)
REDRIVEN = Scope(
    "one message, redriven once", due=(0,), max_attempts=2, crashes=1, lost_replies=0, expiries=1, redrives=1
)

FULL = (
    Scope("one message, three attempts", due=(0,), max_attempts=3),
    USERS,
    Scope(
        "one message, redriven once, a user cancels or puts off",
        due=(0,), max_attempts=2, crashes=1, lost_replies=1, expiries=1, user_verbs=1, redrives=1,
    ),
    Scope("two messages, a crash and a lost answer", due=(0, 1), max_attempts=2, crashes=1, lost_replies=1, expiries=0),
    Scope(
        "two messages of a flow key, a crash, an expiry, a user cancels or puts off",
        due=(0, 1), max_attempts=2, crashes=1, lost_replies=0, expiries=1, user_verbs=1, flow=True,
    ),
    FLOW,
    Scope("two messages, a crash and an expiry", due=(0, 1), max_attempts=2, crashes=1, lost_replies=0, expiries=1),
)  # fmt: skip
"""Where the scripts must keep every rule."""

HUNTING = (STALE_OWNER, FAULT_FREE, REDRIVEN, USERS, FLOW)
"""Where a bug is looked for, one after the other until it is found."""


def hunt(connection: redis.Connection, seed: Seed) -> Found:
    """What the first scope that shows the bug came to; without a broken rule when none does."""
    for scope in HUNTING:
        found = Search(connection, scope, seed).run()
        if found.broken:
            break
    return found
