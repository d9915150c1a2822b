"""Which partition an id or a flow key belongs to, and ids that belong to a given one."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from zlib import crc32

from scheduler.message import ENDINGS


def partition_of(id: str, partitions: int) -> int:
    """Return the partition of a message or flow key: ``crc32(id) mod partitions``."""
    return crc32(id.encode()) % partitions


def run_id(schedule: str, moment: int | str, partitions: int) -> str:
    """Return the id of a schedule's message for this moment (ms): the same on every server.

    ``moment``: a new id for a message that no plan knows.  The id belongs to the schedule's partition.  Where
    ``schedule:moment`` does not, a number behind it makes it fit.
    """
    base = f"{schedule}:{moment}"
    if partitions == 1:
        return base
    partition, so_far = partition_of(schedule, partitions), crc32(base.encode())
    if so_far % partitions == partition:
        return base
    ends = (f".{n}" for n in count())
    return base + next(end for end in ends if crc32(end.encode(), so_far) % partitions == partition)


def ending_in(partition: int, partitions: int) -> Callable[[str, int], str | None]:
    """Return a chooser for ``IdGenerator.ending`` that makes ids of this partition."""

    def choose(start: str, begin: int) -> str | None:
        # crc32 continues from the value of the first characters: a try costs a tenth of making another id.
        so_far = crc32(start.encode())
        for place in range(begin, begin + len(ENDINGS)):
            end = ENDINGS[place % len(ENDINGS)]
            if crc32(end.encode(), so_far) % partitions == partition:
                return end
        return None

    return choose
