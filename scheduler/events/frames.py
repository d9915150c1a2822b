"""Read a viewer's request, and make its frames: JSON arrays of events, made once for all viewers with one filter."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import parse_qs, urlsplit

import orjson

from scheduler.channels.registry import CHANNELS
from scheduler.errors import FieldError, InvalidInput
from scheduler.events.access import JOBS_PATH
from scheduler.events.stream import Batch, Cursor, Event
from scheduler.message import Status

STATUS_AFTER: Final = {
    "scheduled": Status.SCHEDULED,
    "claimed": Status.PROCESSING,
    "delivered": Status.DELIVERED,
    "retried": Status.SCHEDULED,
    "released": Status.SCHEDULED,
    "dead": Status.DEAD,
    "cancelled": Status.CANCELLED,
    "updated": Status.SCHEDULED,
    "redriven": Status.SCHEDULED,
    "reaped": Status.SCHEDULED,
}
"""Event → the status of its message afterwards."""

FRAME_EVENTS: Final = 500
"""Events in one frame at most: about 75 KB, which every WebSocket client accepts."""
GAP: Final = b'{"type":"gap"}'
_MOST_VALUES: Final = 100
_CHANNELS: Final = (*CHANNELS, "schedule", "destination")
"""Those of messages, and those under which schedules and destinations are told."""
_PARAMETERS: Final = ("status", "channel", "id", "last_event_id")


JOB_STATUS_AFTER: Final = {
    "scheduled": "queued",
    "claimed": "active",
    "delivered": "completed",
    "retried": "retrying",
    "released": "queued",
    "dead": "failed",
    "cancelled": "cancelled",
    "updated": "queued",
    "redriven": "queued",
    "reaped": "queued",
}
"""The same for ``/api/ws``, with the status names of ``/api/jobs``."""


@dataclass(frozen=True, slots=True)
class Filter:
    """The events that a viewer wants.  An empty set means all."""

    statuses: frozenset[str] = frozenset()
    channels: frozenset[str] = frozenset()
    ids: frozenset[str] = frozenset()
    jobs_words: bool = False
    """For ``/api/ws``: one JSON object per event, with the status names of ``/api/jobs``, and no other frames."""

    def wants(self, event: Event) -> bool:
        return (
            (not self.ids or event.id in self.ids)
            and (not self.channels or event.channel in self.channels)
            and (not self.statuses or STATUS_AFTER.get(event.event) in self.statuses)
        )


@dataclass(frozen=True, slots=True)
class Request:
    """The parameters of a viewer's request."""

    wanted: Filter
    cursor: Cursor | None
    """The last event that the viewer has seen; None: send only new events."""

    @classmethod
    def parse(cls, address: str, partitions: int) -> Request:
        """Read ``address`` (path and query).  Raises ``InvalidInput``."""
        if urlsplit(address).path == JOBS_PATH:
            # The older system with this path ignored the query, and its clients rely on that.
            return cls(Filter(channels=frozenset({"job"}), jobs_words=True), None)
        try:
            given = parse_qs(urlsplit(address).query, keep_blank_values=True, max_num_fields=_MOST_VALUES)
        except ValueError:
            raise InvalidInput.of("", f"more than {_MOST_VALUES} parameters") from None
        values = {name: [part for text in texts for part in text.split(",") if part] for name, texts in given.items()}
        _check(values)
        cursors = values.get("last_event_id", [])
        statuses, channels, ids = (frozenset(values.get(name, ())) for name in ("status", "channel", "id"))
        return cls(
            Filter(statuses, channels, ids),
            Cursor.parse(cursors[0], partitions) if cursors else None,
        )


def _check(values: dict[str, list[str]]) -> None:
    faults = [
        FieldError(name, f"unknown; accepted: {', '.join(_PARAMETERS)}") for name in values if name not in _PARAMETERS
    ]
    for name, known in (("status", tuple(Status)), ("channel", _CHANNELS)):
        if strange := sorted(set(values.get(name, ())) - set(known)):
            faults.append(FieldError(name, f"unknown: {', '.join(strange)}; accepted: {', '.join(known)}"))
    faults += [FieldError(name, f"more than {_MOST_VALUES}") for name in values if len(values[name]) > _MOST_VALUES]
    if len(values.get("last_event_id", ())) > 1:
        faults.append(FieldError("last_event_id", "given more than once"))
    if faults:
        raise InvalidInput(faults)


class Frames:
    """A batch as JSON texts: each event is serialised once, for however many viewers."""

    def __init__(self, batch: Batch) -> None:
        self._events = batch.events
        self._gap = [GAP] * batch.gap
        self._texts = [orjson.dumps(_as_json(event)) for event in batch.events]
        self._by_id: dict[str, list[int]] | None = None

    def for_viewer(self, wanted: Filter) -> list[bytes]:
        """Return the frames for a filter; empty when no event passes it."""
        if wanted.jobs_words:
            return [orjson.dumps(_as_job(event)) for event in self._events if wanted.wants(event)]
        if wanted == Filter():
            return self._gap + _frames(self._texts)
        # With hundreds of viewers of one message each, look up events by id instead of testing every event for every
        # viewer.
        numbers = self._numbers_of(wanted.ids) if wanted.ids else range(len(self._events))
        return self._gap + _frames([self._texts[n] for n in numbers if wanted.wants(self._events[n])])

    def _numbers_of(self, ids: Iterable[str]) -> list[int]:
        if self._by_id is None:
            self._by_id = {}
            for number, event in enumerate(self._events):
                self._by_id.setdefault(event.id, []).append(number)
        return sorted(number for id in ids for number in self._by_id.get(id, ()))


def hello(server: str, wanted: Filter, *, resumed: bool) -> list[bytes]:
    """Return the first frame of a viewer; empty at ``/api/ws``, which has none."""
    return [] if wanted.jobs_words else [orjson.dumps({"type": "hello", "server": server, "resumed": resumed})]


def _as_job(event: Event) -> dict[str, str | float]:
    found: dict[str, str | float] = {"job_id": event.id, "status": JOB_STATUS_AFTER.get(event.event, event.event)}
    if event.again_in_ms is not None:
        found["retry_in"] = event.again_in_ms / 1000
    return found


def _as_json(event: Event) -> dict[str, str | int]:
    found: dict[str, str | int] = {
        "type": "event",
        "event_id": str(event.place),
        "id": event.id,
        "event": event.event,
        "channel": event.channel,
        "attempt": event.attempt,
        "at": event.at,
    }
    if event.again_in_ms is not None:
        found["again_in_ms"] = event.again_in_ms
    return found


def _frames(texts: Sequence[bytes]) -> list[bytes]:
    return [
        b"[" + b",".join(texts[first : first + FRAME_EVENTS]) + b"]" for first in range(0, len(texts), FRAME_EVENTS)
    ]
