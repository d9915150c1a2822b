"""The event streams in Redis, all partitions' as one: reading on from a place, and knowing whether it still exists."""

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
"""Entries of all partitions together that one read asks for: at most 2,000 events."""
ENOUGH = 1000
"""Events after which a batch is not added to any more."""
CLUSTER_SKEW_MS = 1000
"""How far the clocks of a Redis Cluster's nodes may be apart."""
AWAY = (RedisError, RedisClusterException, OSError)
"""What reading raises while Redis is away, starting, or failing over."""
_LAST_SEQ = 2**64 - 1


class StreamId(NamedTuple):
    """The id of a stream entry."""

    ms: int
    """By Redis's clock, when it was written."""
    seq: int

    @classmethod
    def of(cls, text: str) -> StreamId:
        ms, _, seq = text.partition("-")
        return cls(int(ms), int(seq))

    def before(self) -> StreamId:
        """The place that a read has to go on from to get this entry first."""
        return StreamId(self.ms, self.seq - 1) if self.seq else StreamId(max(0, self.ms - 1), _LAST_SEQ)

    def __str__(self) -> str:
        return f"{self.ms}-{self.seq}"


START = StreamId(0, 0)
_NEVER = StreamId(2**63, 0)
Positions = Mapping[int, StreamId]
"""How far each partition has been read."""


class Cursor(NamedTuple):
    """The place of one event: its ``event_id``."""

    partition: int
    entry: StreamId
    line: int

    @classmethod
    def parse(cls, text: str, partitions: int) -> Cursor:
        """The opposite of ``str``.  Raises ``InvalidInput`` for what is no event id of this service."""
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
    """retried: when the next attempt is due, from ``at`` on."""


@dataclass(frozen=True, slots=True)
class Batch:
    """What one reading came to."""

    events: list[Event]
    """In the order of their time."""
    positions: Positions
    """Where the next reading goes on."""
    full: bool = False
    """There is more already."""
    gap: bool = False
    """Redis did not keep everything since the positions that this was read from."""


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
        """Whether ``read`` can wait for something to come.  One connection cannot wait for several cluster nodes."""
        return not self._clustered

    @property
    def partitions(self) -> int:
        return len(self._keys)

    def newest(self) -> Positions:
        """The end of every stream, as of now."""
        return {partition: self._info(partition).last for partition in self._keys}

    def read(self, positions: Positions, block_ms: int = 0, until: Positions | None = None) -> Batch:
        """What came after ``positions``, and not after ``until``: some ``ENOUGH`` events, or fewer when there are no
        more.  Waits up to ``block_ms`` for the first one.
        """
        batch = self._read(positions, block_ms, until)
        events, gap = batch.events, batch.gap
        while batch.full and len(events) < ENOUGH:
            batch = self._read(batch.positions, 0, until)
            events, gap = events + batch.events, gap or batch.gap
        return Batch(events, batch.positions, batch.full, gap)

    def after(self, cursor: Cursor) -> Batch:
        """Where to read on from to get what followed this event; the rest of the event's own entry is in it already.
        ``gap``: Redis has not kept all that followed.

        With several partitions, the others are read again from the same millisecond on: who came first within one is
        not known.
        """
        skew = CLUSTER_SKEW_MS if self._clustered else 0
        others = StreamId(max(0, cursor.entry.ms - skew), 0).before()
        positions: dict[int, StreamId] = {}
        gap = False
        for partition in self._keys:
            info = self._info(partition)
            mine = partition == cursor.partition
            positions[partition] = min(cursor.entry if mine else others, info.last)
            # Where the entry itself is gone, its successors may be gone as well.
            gap = gap or ((info.first or _NEVER) > cursor.entry if mine else self._forgot(info, others))
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
        # Beyond the end of a reading that was cut off, other partitions' events would overtake what is still to come.
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
        # Only who is far behind can have lost anything: the streams keep more entries than one reading takes.
        gap = any(self._forgot(self._info(partition), positions[partition]) for partition in full)
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

    def _forgot(self, info: _Info, place: StreamId) -> bool:
        """Whether entries after ``place`` may have been dropped.  A stream that was never full has dropped none."""
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
    """What Redis says of one stream."""

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
