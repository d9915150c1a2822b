"""MessageStore: the verbs.  The only package that talks to Redis for messages.

Every verb is one Lua script per partition (``scheduler/lua/``): it happens in whole or not at all, and the docstrings
say what that means.  Every verb raises ``StoreUnavailable`` when Redis does not answer.
"""

from scheduler.store.accepting import Accepting
from scheduler.store.changing import Changing
from scheduler.store.flight import Flight
from scheduler.store.reading import Reading
from scheduler.store.registry import Registry
from scheduler.store.results import Changes, Claimed, Counts, Limits, Page, Reaped, Scheduled

__all__ = ["Changes", "Claimed", "Counts", "Limits", "MessageStore", "Page", "Reaped", "Scheduled"]


class MessageStore(Accepting, Reading, Changing, Flight, Registry):
    """All verbs, over one Redis client."""
