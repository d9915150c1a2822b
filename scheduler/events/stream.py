"""Read the event streams of all partitions as one, from a position, and detect events that Redis no longer has."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from redis import Redis
from redis.exceptions import RedisClusterException, RedisError, ResponseError

from scheduler.errors import InvalidInput
from scheduler.redis_server.connections import cluster_of
from scheduler.store.keys import PartitionKeys

ENTRIES = 20
"""Entries that one read asks for, over all partitions: at most 2,000 events."""
ENOUGH = 1000
"""A batch with this many events is not extended any more."""
CLUSTER_SKEW_MS = 1000
"""How far the clocks of a Redis Cluster's nodes may be apart."""
AWAY = (RedisError, RedisClusterException, OSError)
"""The errors of a read while Redis is away, starting, or failing over."""
_LAST_SEQ = 2**64 - 1


class StreamId(NamedTuple):
    """The id of a stream entry."""

    ms: int
    """When it was written, by Redis's clock."""
    seq: int

    @classmethod
    def of(cls, text: str) -> StreamId:
        ms, _, seq = text.partition("-")
        return cls(int(ms), int(seq))

    def before(self) -> StreamId:
        """Return the position from which a read returns this entry first."""
        return StreamId(self.ms, self.seq - 1) if self.seq else StreamId(max(0, self.ms - 1), _LAST_SEQ)

    def __str__(self) -> str:
        return f"{self.ms}-{self.seq}"


START = StreamId(0, 0)
_NEVER = StreamId(2**63, 0)
Positions = Mapping[int, StreamId]
"""Partition → the last entry that was read."""


class Cursor(NamedTuple):
    """The position of one event; its text is the ``event_id``."""

    partition: int
    entry: StreamId
    line: int

    @classmethod
    def parse(cls, text: str, partitions: int) -> Cursor:
        """Read the text of a cursor.  Raises ``InvalidInput`` when it is not an event id of this service."""
        parts = text.split("-")
        if len(parts) == 4 and all(part.isascii() and part.isdigit() and len(part) < 20 for part in parts):
            partition, ms, seq, line = map(int, parts)
            if partition < partitions:
                return cls(partition, StreamId(ms, seq), line)
        raise InvalidInput.of("last_event_id", "no event of this service has this id; accepted: an event_id as it came")

    def __str__(self) -> str:
        return f"{self.partition}-{self.entry}-{self.line}"


class Event(NamedTuple):
    """One thing that happened to one message."""

    place: Cursor
    event: str
    id: str
    channel: str
    attempt: int
    at: int
    """ms"""
    again_in_ms: int | None = None
    """For ``retried``: time from ``at`` to the next attempt."""


@dataclass(frozen=True, slots=True)
class Batch:
    """The result of one read."""

    events: list[Event]
    """In the order of their time."""
    positions: Positions
    """Where the next read continues."""
    full: bool = False
    """More events are there already."""
    gap: bool = False
    """Redis has dropped events after the positions from which this was read."""


class EventStream:
    """Reads the events of all partitions.  Every method raises redis-py's errors as they are.  Thread-safe."""

    def __init__(self, client: Redis, partitions: int, kept: int) -> None:
        """``client`` must decode replies to str.  ``kept``: entries that a partition's stream keeps at least."""
        self._client: Any = client
        self._clustered = cluster_of(client) is not None
        self._keys = {partition: PartitionKeys(partition)["events"] for partition in range(partitions)}
        self._partition_of = {key: partition for partition, key in self._keys.items()}
        self._kept = kept
        self._entries = max(2, ENTRIES // partitions)

    @property
    def blocks(self) -> bool:
        """Return whether ``read`` can wait for events; in a cluster, one call cannot wait for several nodes."""
        return not self._clustered

    @property
    def partitions(self) -> int:
        return len(self._keys)

    def newest(self) -> Positions:
        """Return the current end of every stream."""
        return {partition: self._info(partition).last for partition in self._keys}

    def read(self, positions: Positions, block_ms: int = 0, until: Positions | None = None) -> Batch:
        """Return events after ``positions`` and up to ``until``: about ``ENOUGH``, or all that there are.

        Waits up to ``block_ms`` for the first one.
        """
        batch = self._read(positions, block_ms, until)
        events, gap = batch.events, batch.gap
        while batch.full and len(events) < ENOUGH:
            batch = self._read(batch.positions, 0, until)
            events, gap = events + batch.events, gap or batch.gap
        return Batch(events, batch.positions, batch.full, gap)

    def after(self, cursor: Cursor) -> Batch:
        """Return a batch from which ``read`` continues after this event.

        It holds the later events of the event's own stream entry.  ``gap``: Redis has dropped events that followed.
        Other partitions are read again from the same millisecond on, because the order within it is not known.
        """
        skew = CLUSTER_SKEW_MS if self._clustered else 0
        others = StreamId(max(0, cursor.entry.ms - skew), 0).before()
        positions: dict[int, StreamId] = {}
        gap = False
        for partition in self._keys:
            info = self._info(partition)
            mine = partition == cursor.partition
            positions[partition] = min(cursor.entry if mine else others, info.last)
            # If the entry itself is gone, entries after it may be gone too.
            gap = gap or ((info.first or _NEVER) > cursor.entry if mine else self._dropped(info, others))
        return Batch(self._rest_of(cursor), positions, gap=gap)

    def _rest_of(self, cursor: Cursor) -> list[Event]:
        place = str(cursor.entry)
        found = self._client.xrange(self._keys[cursor.partition], place, place)
        events = [event for _, fields in found for event in _events(cursor.partition, cursor.entry, fields)]
        return [event for event in events if event.place.line > cursor.line]

    def _read(self, positions: Positions, block_ms: int, until: Positions | None) -> Batch:
        found = {partition: entries for partition, entries in self._fetch(positions, block_ms) if entries}
        if until is not None:
            found = {p: [entry for entry in entries if entry[0] <= until[p]] for p, entries in found.items()}
        full = [partition for partition, entries in found.items() if len(entries) == self._entries]
        # When a partition has more entries than were read, events of other partitions after its last one must wait, or
        # they would overtake the rest.
        horizon = min((found[partition][-1][0] for partition in full), default=None)
        reached = dict(positions)
        taken: list[tuple[StreamId, int, dict[str, str]]] = []
        for partition, entries in found.items():
            for entry, fields in entries:
                if horizon is None or entry <= horizon:
                    taken.append((entry, partition, fields))
                    reached[partition] = entry
        if until is not None and not full:
            reached = {partition: max(place, until[partition]) for partition, place in reached.items()}
        taken.sort(key=lambda each: each[:2])
        events = [event for entry, partition, fields in taken for event in _events(partition, entry, fields)]
        # Streams keep more entries than one read returns, so only a full read can be so far behind that some are lost.
        gap = any(self._dropped(self._info(partition), positions[partition]) for partition in full)
        return Batch(events, reached, bool(full), gap)

    def _fetch(self, positions: Positions, block_ms: int) -> list[tuple[int, list[tuple[StreamId, dict[str, str]]]]]:
        streams = {self._keys[partition]: str(place) for partition, place in positions.items()}
        replies: list[Any]
        if self._clustered:
            pipeline = self._client.pipeline()
            for key, place in streams.items():
                pipeline.xread({key: place}, count=self._entries)
            replies = [stream for reply in pipeline.execute() for stream in reply or ()]
        else:
            replies = self._client.xread(streams, count=self._entries, block=block_ms or None) or []
        return [
            (self._partition_of[key], [(StreamId.of(entry), fields) for entry, fields in entries])
            for key, entries in replies
        ]

    def _dropped(self, info: _Info, place: StreamId) -> bool:
        """Return whether entries after ``place`` may be gone; a stream that was never full has dropped none."""
        return info.first is not None and info.first > place and info.length >= self._kept

    def _info(self, partition: int) -> _Info:
        try:
            info = self._client.xinfo_stream(self._keys[partition])
        except ResponseError as error:
            if "no such key" not in str(error):
                raise
            return _Info(0, None, START)
        first = info["first-entry"]
        return _Info(info["length"], StreamId.of(first[0]) if first else None, StreamId.of(info["last-generated-id"]))


class _Info(NamedTuple):
    """The state of one stream."""

    length: int
    first: StreamId | None
    last: StreamId


def _events(partition: int, entry: StreamId, fields: Mapping[str, str]) -> list[Event]:
    at = int(fields["at"])
    found = []
    for number, line in enumerate(fields["e"].split("\n")):
        name, id, channel, attempt, *more = line.split(" ")
        again_in_ms = int(more[0]) if more else None
        found.append(Event(Cursor(partition, entry, number), name, id, channel, int(attempt), at, again_in_ms))
    return found
