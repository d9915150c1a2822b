"""Flow keys: what they allow, what waits at them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from scheduler.errors import NotFound
from scheduler.flow import FlowLimits, FlowState
from scheduler.store.base import Base
from scheduler.store.results import FlowPage

_MOST_LOCKS = 100_000
"""Locks that a reset looks at: about 0.1 s of Redis's time."""

_Action = Literal["read", "pin", "unpin", "pause", "resume", "reset"]


class Flows(Base):
    """Verbs: flow, flows, pin, unpin, pause, resume and reset a flow key."""

    def flow(self, key: str) -> FlowState:
        """Return a flow key.  Raises ``NotFound``."""
        return self._flow(key, "read")

    def flows(self, *, limit: int = 50, after: str = "") -> FlowPage:
        """Return flow keys by name, those after ``after``."""
        rows = [
            row
            for partition in range(len(self.partitions))
            for row in self.run("flows", partition, after=after, limit=limit + 1)
        ]
        found = sorted((_state_of(row) for row in rows), key=lambda state: state.key)
        more = len(found) > limit
        return FlowPage(found[:limit], found[limit - 1].key if more else None)

    def pin_flow(self, key: str, limits: FlowLimits) -> FlowState:
        """Fix these limits, whatever messages say; what was pinned before is replaced.  The key need not exist."""
        return self._flow(key, "pin", limits.encode())

    def unpin_flow(self, key: str) -> FlowState:
        """Let messages and settings decide again.  Raises ``NotFound``."""
        return self._flow(key, "unpin")

    def pause_flow(self, key: str, until: int | None = None) -> FlowState:
        """Let no message of a key begin until ``until`` (ms); None: until ``resume_flow``.  The key need not exist."""
        return self._flow(key, "pause", "1" if until is None else str(until))

    def resume_flow(self, key: str) -> FlowState:
        """End a pause.  Raises ``NotFound``."""
        return self._flow(key, "resume")

    def reset_flow(self, key: str) -> FlowState:
        """Begin a new window, and count again what is in flight.  Raises ``NotFound``."""
        return self._flow(key, "reset")

    def _flow(self, key: str, action: _Action, value: str = "") -> FlowState:
        partition = self.partition_of(key)
        self.require(partition)
        row = self.run(
            "flow", partition, key=key, action=action, value=value, limit=_MOST_LOCKS, replicated=action != "read"
        )
        if row is None:
            raise NotFound(f"There is no flow key {key!r}: it has no message, and is neither pinned nor paused.")
        return _state_of(row)


def _state_of(row: Sequence[Any]) -> FlowState:
    key, in_flight, used, ends_at, paused, given, default, pinned, scheduled, waiting, oldest, next_at = row
    return FlowState(
        key=key,
        scheduled=scheduled,
        waiting=waiting,
        in_flight=in_flight,
        from_messages=FlowLimits.decode(given),
        from_settings=FlowLimits.decode(default),
        pinned=FlowLimits.decode(pinned),
        used=used,
        window_ends_at=_moment(ends_at),
        paused=bool(paused),
        paused_until=_moment(paused) if paused != "1" else None,
        oldest_due_at=_moment(oldest),
        next_at=_moment(next_at),
    )


def _moment(value: str | int) -> int | None:
    return int(value) if value != "" else None
