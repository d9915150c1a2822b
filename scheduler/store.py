"""MessageStore: the verbs.  The only module that talks to Redis for messages.

Every verb is one Lua script per partition (``scheduler/lua/``): it happens in whole or not at all, and the docstrings here
say what that means.  Every verb raises ``StoreUnavailable`` when Redis does not answer.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

from scheduler.message import Claim, Message, NewMessage, Outcome, Priority, Status
from scheduler.retry import RetryPolicy


class Scheduled(NamedTuple):
    """An accepted message."""

    id: str
    due_at: int
    """ms"""


class Claimed(NamedTuple):
    """What ``claim`` found."""

    claims: list[Claim]
    wait_ms: float | None
    """Nothing more is due; come back in so many milliseconds (fractions count).  0: more is due already.  None: nothing
    is waiting at all, or the service is paused."""
    redis_ms: float
    """Redis's clock when the claim was made, ms with fractions."""


class Page(NamedTuple):
    messages: list[Message]
    next_cursor: str | None
    """Opaque.  None: there is no more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """What ``update`` changes; None leaves a field as it is."""

    due_at: int | None = None
    """ms; 0 is now, by Redis's clock"""
    payload: str | None = None
    target: str | None = None
    priority: Priority | None = None
    retry: RetryPolicy | None = None


@dataclass(slots=True)
class Counts:
    """How many messages are where, over all partitions; each id is counted once."""

    scheduled: dict[Priority, int] = field(default_factory=dict)
    due: int = 0
    """Those of ``scheduled`` whose moment has come (the backlog)."""
    processing: int = 0
    dead: int = 0
    finished: int = 0
    """Delivered and cancelled, within retention."""
    finished_bytes: int = 0
    oldest_due_at: int | None = None
    """ms: due_at of the message that has waited longest, None when none is due"""
    next_due_at: int | None = None
    """ms: when the next one is due"""
    paused: bool = False
    redis_ms: int = 0


class Limits(NamedTuple):
    """Retention of one set of finished messages."""

    count: int
    age_ms: int
    bytes: int


class MessageStore:
    def schedule(
        self,
        messages: Sequence[NewMessage],
        *,
        idempotency_key: str | None = None,
        fingerprint: str = "",
    ) -> list[Scheduled]:
        """Accept messages, all or none (one script call when they share a partition; see docs for several).

        ``idempotency_key``: the first call with a key stores, later ones within ``Api.IdempotencySeconds`` return the
        same answer.  Ids must then have been derived from the key by ``idempotent_id``.
        Raises ``Conflict`` when an id exists, or the key was used with another ``fingerprint`` (hash of the body).
        """
        raise NotImplementedError

    def idempotent_ids(self, key: str, count: int) -> list[str]:
        """The ids that messages accepted under an Idempotency-Key get: the same for the same key."""
        raise NotImplementedError

    def new_ids(self, count: int) -> list[str]:
        """Fresh ids that share a partition, so that a batch of them is stored by one script."""
        raise NotImplementedError

    def get(self, id: str) -> Message:
        """The message with its attempts.  Raises ``NotFound``."""
        raise NotImplementedError

    def list(
        self,
        *,
        status: Status | None = None,
        channel: str | None = None,
        priority: Priority | None = None,
        type: str | None = None,
        owner: str | None = None,
        since: int | None = None,
        until: int | None = None,
        limit: int = 50,
        cursor: str | None = None,
    ) -> Page:
        """A page.  ``scheduled``: soonest due first.  The others: newest first by the time they got there.  Without a
        status: processing, scheduled, dead, finished, in that order.

        The cost depends on ``limit``, not on how many messages there are: a filter that matches little gives short
        (even empty) pages with a cursor.  ``since``/``until`` (ms) bound the time that the status is ordered by.
        Raises ``InvalidInput`` for a cursor that is not one.
        """
        raise NotImplementedError

    def update(self, id: str, changes: Changes) -> Message:
        """Change a scheduled message.  Raises ``NotFound``, ``Conflict`` (in flight or finished)."""
        raise NotImplementedError

    def cancel(self, id: str) -> Message:
        """scheduled → cancelled.  Raises ``NotFound``, ``Conflict``."""
        raise NotImplementedError

    def cancel_matching(self, due_at: int, payload: str, *, channel: str = "echo") -> list[str]:
        """Cancel every scheduled message of this channel due at exactly this moment with exactly this payload; their ids."""
        raise NotImplementedError

    def redrive(self, id: str) -> Message:
        """dead → scheduled, due now, attempts reset.  Raises ``NotFound``, ``Conflict``."""
        raise NotImplementedError

    def redrive_many(self, *, limit: int, channel: str | None = None, dry_run: bool = False) -> int:
        """Redrive up to ``limit`` dead letters, oldest first; how many it was, or would be."""
        raise NotImplementedError

    def pause(self) -> None:
        """All servers stop claiming; accepting goes on."""
        raise NotImplementedError

    def resume(self) -> None:
        """The opposite of ``pause``."""
        raise NotImplementedError

    def counts(self) -> Counts:
        """O(log n) per partition."""
        raise NotImplementedError

    def ping(self) -> None:
        """Raises ``StoreUnavailable`` when Redis does not answer."""
        raise NotImplementedError

    # -- the scheduler's side --------------------------------------------------------------------------------------

    def claim(self, limit: int, lock_ms: int) -> Claimed:
        """Take up to ``limit`` due messages, most urgent first, each under a lock that lives ``lock_ms``."""
        raise NotImplementedError

    def settle(self, outcomes: Sequence[Outcome]) -> list[bool]:
        """Report outcomes, in bulk.  False where the lock was lost: nothing was changed for that message."""
        raise NotImplementedError

    def renew(self, claims: Sequence[Claim], lock_ms: int) -> list[Claim]:
        """Push the expiry of these locks; those that were lost."""
        raise NotImplementedError

    def reap(self, limit: int) -> tuple[int, int]:
        """Return messages whose lock expired: (how many to scheduled, how many to dead)."""
        raise NotImplementedError

    def trim(self, which: Literal["done", "dead"], limits: Limits, limit: int) -> int:
        """Forget finished messages beyond the limits, oldest first, at most ``limit`` of them; how many."""
        raise NotImplementedError

    # -- servers ---------------------------------------------------------------------------------------------------

    def beat(self, server: str, snapshot: dict[str, Any], ttl_ms: int) -> None:
        """Report that this process is alive, with its figures (telemetry.py); forgotten ``ttl_ms`` after the last beat."""
        raise NotImplementedError

    def leave(self, server: str) -> None:
        """Take this process off the list of those alive (a clean stop)."""
        raise NotImplementedError

    def servers(self) -> dict[str, dict[str, Any]]:
        """Snapshots of the processes alive by name, each with ``age_ms`` since its last beat."""
        raise NotImplementedError

    def redis_info(self) -> dict[str, Any]:
        """``version, used_memory, maxmemory, maxmemory_policy, aof_enabled, rdb, connected_clients, keys``."""
        raise NotImplementedError
