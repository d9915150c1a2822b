"""The whole Redis layout, in one place.  Nothing else in the service spells a key.

Every key of a partition carries the hash tag ``{p}``, so that one script's keys live on one node of a Redis Cluster.

====================================  ======  ==========================================================================
key                                   type    holds
====================================  ======  ==========================================================================
``ms1:{p}:due:<lane>:<priority>``     zset    id → due_at (ms): what waits in a lane, for each priority one set
``ms1:{p}:lanes``                     zset    lane → 0: the lanes in which something waits, or lately waited
``ms1:{p}:locks``                     zset    id → lock expiry (ms): what is in flight
``ms1:{p}:held``                      zset    id → ``b`` (ms): what back-pressure put off and nobody has attempted since
``ms1:{p}:dead``                      zset    id → when it was given up (ms)
``ms1:{p}:done``                      zset    id → when it was delivered or cancelled (ms), bounded by retention
``ms1:{p}:msg:<id>``                  hash    the message (``FIELDS``)
``ms1:{p}:meta``                      hash    ``paused``; ``done_bytes`` and ``dead_bytes``, for retention by size;
                                              ``retrying``: how many scheduled messages have an attempt behind them
``ms1:{p}:idem:<key>``                string  Idempotency-Key → fingerprint of the body and the ids it got; expires
``ms1:{p}:events``                    stream  what happened, bounded; one entry per script call
``ms1:meta``                          hash    ``layout`` version and number of ``partitions``, written at first start
``ms1:{servers}:alive``               hash    process name → its last heartbeat (JSON)
``ms1:{servers}:history``             hash    process name → its last 15 minutes (JSON)
``ms1:rate:<who and limit>``          string  how many requests a client sent, or jobs a user, in a window; expires
``ms1:wake``                          pubsub  ``partition due_at``: a message became the earliest one of its partition
====================================  ======  ==========================================================================

An id is in exactly one of the due sets, locks, dead and done at any moment.

Field names of a message are one letter, and what has its default value is left out, because a hash of at most 80 bytes
is what keeps a pending message of 50 bytes at 299 bytes of Redis (measured with 100,000; names spelled out: 347).
"""

from __future__ import annotations

from collections.abc import Callable
from zlib import crc32

from scheduler.message import ENDINGS

PREFIX = "ms1"
LAYOUT = 2

FIELDS: dict[str, str] = {
    "p": "payload, JSON text",
    "c": "created_at, ms",
    "n": "channel name; left out for echo",
    "q": "priority; left out for normal",
    "t": "target: the channel's options, JSON text",
    "y": "type",
    "j": "lane; left out where it follows from channel and type",
    "w": "owner",
    "r": "retry policy; left out when the settings decide",
    "s": "status; left out while scheduled",
    "d": "due_at, ms; only while not scheduled (then the due set's score holds it)",
    "m": "scheduled_for: the moment first asked for, ms; left out until a retry moves due_at away from it",
    "b": "the moment due_at was before back-pressure first put this attempt off, ms; lateness counts from it",
    "k": "lock token; empty or left out when not in flight",
    "g": "when the last attempt was claimed, ms",
    "a": "attempts made",
    "o": "attempts made before the last redrive",
    "l": "attempts in a row that ended with an expired lock",
    "e": "last error",
    "u": "updated_at, ms; left out while it equals created_at or finished_at",
    "f": "finished_at, ms",
    "x": "result, JSON text",
    "z": "bytes counted against retention; until it is finished, those of its evidence",
    "h:<n>": "evidence of the n-th attempt in its whole life: JSON text, or ``attempt started_at duration_ms "
    "lateness_ms`` for a delivered one with nothing more to say; the last 20 are kept",
}
"""The fields of ``ms1:{p}:msg:<id>``."""

META = f"{PREFIX}:meta"
SERVERS = f"{PREFIX}:{{servers}}:alive"
HISTORY = f"{PREFIX}:{{servers}}:history"
RATES = f"{PREFIX}:rate"
WAKE = f"{PREFIX}:wake"


class PartitionKeys:
    """The keys of one partition by the names that the scripts' headers use."""

    def __init__(self, partition: int) -> None:
        self.partition = partition
        base = f"{PREFIX}:{{{partition}}}:"
        self._names = {
            "lanes": base + "lanes",
            "locks": base + "locks",
            "held": base + "held",
            "dead": base + "dead",
            "done": base + "done",
            "meta": base + "meta",
            "events": base + "events",
            # Prefixes, not keys: the scripts append a lane and a priority, or an id.  Allowed in a cluster, as the hash
            # tag is in the prefix.
            "due": base + "due:",
            "msg": base + "msg:",
            "idem": base + "idem:",
        }

    def __getitem__(self, name: str) -> str:
        return self._names[name]

    def using(self, **aliases: str) -> PartitionKeys:
        """These keys, with further names for some: ``using(kept="done")`` for a script that works on any set.

        ``due:<lane>:<priority>`` names the due set of a lane.
        """
        keys = PartitionKeys(self.partition)
        keys._names.update({alias: self._of(name) for alias, name in aliases.items()})
        return keys

    def _of(self, name: str) -> str:
        prefix, found, rest = name.partition(":")
        return self._names[prefix] + rest if found else self._names[name]


def partition_of(id: str, partitions: int) -> int:
    """The partition where a message lives: ``crc32(id) mod partitions``."""
    return crc32(id.encode()) % partitions


def ending_in(partition: int, partitions: int) -> Callable[[str, int], str | None]:
    """For ``IdGenerator.ending``: choose the end of an id so that it belongs to this partition."""

    def choose(start: str, begin: int) -> str | None:
        # crc32 goes on from where the 14 characters took it: a try costs a tenth of making another id.
        so_far = crc32(start.encode())
        for place in range(begin, begin + len(ENDINGS)):
            end = ENDINGS[place % len(ENDINGS)]
            if crc32(end.encode(), so_far) % partitions == partition:
                return end
        return None

    return choose
