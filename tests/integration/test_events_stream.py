"""Reading the event streams of a real Redis: order over partitions, places, and what is no longer kept."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
import redis

from scheduler.events.stream import ENOUGH, START, Batch, Cursor, Event, EventStream, Positions, StreamId
from scheduler.store.keys import PartitionKeys

KEPT = 100


class Streams:
    """Writes entries as the scripts do, at chosen moments, and reads them."""

    def __init__(self, client: redis.Redis, partitions: int = 1) -> None:
        self.client = client
        self.stream = EventStream(client, partitions, KEPT)
        self.start: Positions = dict.fromkeys(range(partitions), START)

    def write(self, place: str, *ids: str, partition: int = 0) -> None:
        """One entry with an event for each id."""
        lines = "\n".join(f"claimed {id} echo 1" for id in ids)
        self.client.xadd(PartitionKeys(partition)["events"], {"at": "7", "e": lines}, id=place)

    def trim(self, length: int, partition: int = 0) -> None:
        self.client.xtrim(PartitionKeys(partition)["events"], maxlen=length, approximate=False)


def ids(events: Sequence[Event]) -> list[str]:
    return [event.id for event in events]


@pytest.fixture
def one(redis_client: redis.Redis) -> Streams:
    return Streams(redis_client)


@pytest.fixture
def three(redis_client: redis.Redis) -> Streams:
    return Streams(redis_client, 3)


def read_all(streams: Streams, batch: Batch) -> list[Event]:
    """The batch's events and all that follow."""
    events = list(batch.events)
    while True:
        batch = streams.stream.read(batch.positions)
        if not batch.events:
            return events
        events += batch.events


def test_an_event_has_everything_that_was_written(one: Streams) -> None:
    lines = ("scheduled a:b webhook 0", "retried c echo 3 1500", "retried d echo 1")
    one.client.xadd(PartitionKeys(0)["events"], {"at": "77", "e": "\n".join(lines)}, id="5-1")
    assert one.stream.read(one.start).events == [
        Event(Cursor(0, StreamId(5, 1), 0), "scheduled", "a:b", "webhook", 0, 77),
        Event(Cursor(0, StreamId(5, 1), 1), "retried", "c", "echo", 3, 77, 1500),
        Event(Cursor(0, StreamId(5, 1), 2), "retried", "d", "echo", 1, 77),  # by a server before this field
    ]


def test_nothing_yet(one: Streams) -> None:
    assert one.stream.newest() == one.start
    assert one.stream.read(one.start, block_ms=10) == Batch([], one.start)


def test_reads_on_from_a_place(one: Streams) -> None:
    one.write("5-0", "a")
    first = one.stream.read(one.stream.newest())
    assert first.events == []
    one.write("6-0", "b")
    assert ids(one.stream.read(first.positions).events) == ["b"]


def test_partitions_come_in_the_order_of_time(three: Streams) -> None:
    three.write("5-0", "a", partition=2)
    three.write("6-0", "b", partition=0)
    three.write("6-1", "c", partition=1)
    three.write("7-0", "d", partition=2)
    assert ids(three.stream.read(three.start).events) == ["a", "b", "c", "d"]


def test_a_busy_partition_is_not_overtaken_by_the_others(three: Streams) -> None:
    for number in range(ENOUGH + 50):
        three.write(f"{number + 1}-0", f"busy{number}")
    three.write(f"{ENOUGH + 40}-1", "late", partition=1)
    batch = three.stream.read(three.start)
    assert (batch.full, "late" in ids(batch.events)) == (True, False)
    everything = ids(read_all(three, Batch([], three.start)))
    assert len(everything) == ENOUGH + 51
    assert everything.index("late") == everything.index(f"busy{ENOUGH + 39}") + 1


def test_a_batch_is_not_much_larger_than_enough(one: Streams) -> None:
    for number in range(60):
        one.write(f"{number + 1}-0", *map(str, range(100)))
    batch = one.stream.read(one.start)
    assert ENOUGH <= len(batch.events) <= 3 * ENOUGH
    assert batch.full


def test_reading_ends_where_it_is_told_to(three: Streams) -> None:
    for place, partition in (("5-0", 0), ("6-0", 1), ("7-0", 0), ("8-0", 1)):
        three.write(place, place, partition=partition)
    until = {0: StreamId(5, 0), 1: StreamId(6, 0), 2: StreamId(3, 0)}
    batch = three.stream.read(three.start, until=until)
    assert ids(batch.events) == ["5-0", "6-0"]
    assert batch.positions == until


class TestAfter:
    def test_the_rest_of_its_entry_and_all_that_followed(self, one: Streams) -> None:
        one.write("5-0", "a", "b", "c")
        one.write("6-0", "d")
        batch = one.stream.after(Cursor(0, StreamId(5, 0), 0))
        assert not batch.gap
        assert ids(batch.events) == ["b", "c"]
        assert ids(read_all(one, batch)) == ["b", "c", "d"]

    def test_the_newest_event(self, one: Streams) -> None:
        one.write("5-0", "a")
        batch = one.stream.after(Cursor(0, StreamId(5, 0), 0))
        assert (batch.events, batch.gap, batch.positions) == ([], False, one.stream.newest())

    def test_other_partitions_miss_nothing_and_repeat_a_millisecond_at_most(self, three: Streams) -> None:
        for place, partition in (("4-9", 1), ("5-0", 1), ("5-0", 0), ("5-3", 2), ("6-0", 1)):
            three.write(place, f"{place}/{partition}", partition=partition)
        batch = three.stream.after(Cursor(0, StreamId(5, 0), 0))
        assert not batch.gap
        assert ids(read_all(three, batch)) == ["5-0/1", "5-3/2", "6-0/1"]

    def test_an_entry_that_is_no_longer_kept_is_a_gap(self, one: Streams) -> None:
        for number in range(5):
            one.write(f"{number + 1}-0", str(number))
        one.trim(3)
        assert one.stream.after(Cursor(0, StreamId(2, 0), 0)).gap
        assert not one.stream.after(Cursor(0, StreamId(3, 0), 0)).gap

    def test_a_stream_that_is_gone_is_a_gap(self, one: Streams) -> None:
        assert one.stream.after(Cursor(0, StreamId(2, 0), 0)).gap

    def test_another_partition_that_forgot_is_a_gap_and_one_that_is_young_is_none(self, three: Streams) -> None:
        three.write("5-0", "mine")
        three.write("9-0", "young", partition=1)
        cursor = Cursor(0, StreamId(5, 0), 0)
        assert not three.stream.after(cursor).gap
        for number in range(KEPT + 10):
            three.write(f"{number + 10}-0", str(number), partition=2)
        three.trim(KEPT, partition=2)
        assert three.stream.after(cursor).gap

    def test_a_place_in_the_future_is_the_end(self, one: Streams) -> None:
        one.write("5-0", "a")
        assert one.stream.after(Cursor(0, StreamId(10**15, 0), 0)).positions == one.stream.newest()


def test_who_is_so_far_behind_that_entries_were_dropped_is_told(one: Streams) -> None:
    for number in range(2 * KEPT):
        one.write(f"{number + 1}-0", str(number))
    behind = {0: StreamId(KEPT - 1, 0)}
    assert not one.stream.read(behind).gap
    one.trim(KEPT)
    assert one.stream.read(behind).gap
    assert not one.stream.read({0: StreamId(KEPT + 1, 0)}).gap
