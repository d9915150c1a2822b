"""Destinations of webhooks: their circuit breakers, which are the same for all servers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple

from scheduler.destination import BreakerRules, DestinationState, Tally
from scheduler.errors import NotFound
from scheduler.store.base import SCAN, Base

_MOVED = 100
"""How many destinations may change between two calls of a list without one being left out."""


class DestinationChange(NamedTuple):
    """A destination after its attempts were counted."""

    change: Literal["opened", "closed", ""]
    state: DestinationState


class DestinationsRead(NamedTuple):
    """Destinations that changed."""

    redis_ms: int
    states: list[DestinationState]


class Destinations(Base):
    """Verbs: attempted, probe, destinations, destination, open and close one by hand."""

    def attempted(self, tallies: Mapping[str, Tally], rules: BreakerRules) -> list[DestinationChange]:
        """Count attempts, by destination; return those destinations."""
        groups: dict[int, list[str | int]] = {}
        for id, tally in tallies.items():
            groups.setdefault(self.partition_of(id), []).extend((id, *tally[:5], tally.error))
        changed: list[DestinationChange] = []
        for partition, items in groups.items():
            rows = self.run(
                "attempted",
                partition,
                items,
                most_failures=rules.failures,
                failure_rate=rules.failure_rate,
                window_ms=rules.window_ms,
                probe_ms=rules.probe_ms,
                max_probe_ms=rules.max_probe_ms,
            )
            changed += [DestinationChange(change, _state_of(row)) for change, *row in rows]
        return changed

    def probe(self, id: str, lease_ms: int) -> tuple[bool, DestinationState]:
        """Ask whether one message may go to an open destination now.  No other one may for ``lease_ms``."""
        granted, row = self.run("probe", self.partition_of(id), id=id, lease_ms=lease_ms)
        return bool(granted), _state_of(row)

    def destinations(self, partition: int, *, since: int = 0) -> DestinationsRead:
        """Return the destinations of a partition that changed at ``since`` (ms) or later."""
        found: dict[str, DestinationState] = {}
        began, offset, more = 0, 0, 1
        while more:
            now, more, *rows = self.run("destinations", partition, since=since, offset=offset, limit=SCAN)
            found |= {state.id: state for state in map(_state_of, rows)}
            began = began or now
            # One that changes between two calls goes to the end, and those behind its place move up.
            offset += SCAN - _MOVED
        return DestinationsRead(began, list(found.values()))

    def all_destinations(self) -> list[DestinationState]:
        """Return what is known of destinations."""
        return [state for partition in range(len(self.partitions)) for state in self.destinations(partition).states]

    def destination(self, id: str) -> DestinationState:
        """Raises ``NotFound`` when nothing is known of it."""
        return self._set_destination(id, "read")

    def open_destination(self, id: str, note: str = "") -> DestinationState:
        """Let no attempt be made at a destination, and no probe, until it is closed by hand."""
        return self._set_destination(id, "open", note)

    def close_destination(self, id: str, note: str = "") -> DestinationState:
        """Let attempts be made again, and count anew.  Raises ``NotFound`` when nothing is known of it."""
        return self._set_destination(id, "close", note)

    def _set_destination(self, id: str, action: Literal["read", "open", "close"], note: str = "") -> DestinationState:
        partition = self.partition_of(id)
        self.require(partition)
        row = self.run("set_destination", partition, id=id, action=action, note=note, replicated=action != "read")
        if row is None:
            raise NotFound(f"Nothing is known of the destination {id!r}: its attempts have not failed lately.")
        return _state_of(row)


def _state_of(row: Sequence[Any]) -> DestinationState:
    id, mode, *numbers, error, note, at = row
    probe, until, held, failures, since, began, attempts, failed, opened, closed, step = map(_number, numbers)
    return DestinationState(
        id=id,
        mode=mode,
        next_probe=probe,
        probe_until=until,
        held_until=held,
        failures=failures or 0,
        failing_since=since,
        window_began=began,
        window_attempts=attempts or 0,
        window_failures=failed or 0,
        opened_at=opened,
        closed_at=closed,
        probe_interval_ms=step,
        last_error=error or None,
        note=note or None,
        updated_at=_number(at),
    )


def _number(text: str) -> int | None:
    return int(text) if text else None
