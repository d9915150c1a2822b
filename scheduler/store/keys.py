"""The names of all Redis keys and fields.  No other module writes a key's name.

Every key of a partition carries the hash tag ``{p}``, so that the keys of a script lie on one node of a Redis Cluster.

====================================  ======  ==========================================================================
key                                   type    holds
====================================  ======  ==========================================================================
``ms1:{p}:due:<lane>:<priority>``     zset    id → due_at (ms): scheduled messages of a lane, one set for each priority
``ms1:{p}:lanes``                     zset    lane → 0: lanes that hold scheduled messages, or did until lately
``ms1:{p}:flow:keys``                 zset    flow key → 0: those that exist
``ms1:{p}:flow:key:<key>``            string  a flow key (``FLOW_WORDS``)
``ms1:{p}:flow:due:<lane>:<prio>``    zset    id → due_at (ms): scheduled messages that have a flow key
``ms1:{p}:flow:queue:<key>/<lane>:<prio>``  zset  number and id → due_at (ms), of an ordered key less 10^15 when it has
                                              begun: the scheduled messages of a flow key, the first 128 at most
``ms1:{p}:flow:bounds:<key>/<lane>:<prio>``  zset  bound → score: where the further pieces of that queue begin
``ms1:{p}:flow:piece:<key>/<lane>:<prio>/<bound>``  zset  such a piece, of at most 128 messages
``ms1:{p}:flow:turns:<lane>:<prio>``  zset    flow key → from when it may go (ms)
``ms1:{p}:locks``                     zset    id → lock expiry (ms): messages in flight
``ms1:{p}:held``                      zset    id → ``b`` (ms): put off by back-pressure and not attempted since
``ms1:{p}:dead``                      zset    id → when it became dead (ms), bounded by retention
``ms1:{p}:done``                      zset    id → when it was delivered or cancelled (ms), bounded by retention
``ms1:{p}:msg:<id>``                  hash    the message (``FIELDS``)
``ms1:{p}:outbox``                    zset    id, or ``<id>@<finish>`` → its finish (ms): not in the history yet
``ms1:{p}:copy:<id>@<finish>``        hash    such a message, as it was before a redrive
``ms1:{p}:meta``                      hash    ``paused``; ``done_bytes`` and ``dead_bytes``, for retention by size;
                                              ``retrying``: how many scheduled messages have been attempted before;
                                              ``outbox_bytes``, ``outbox_dropped``, ``archiver`` (owner and lease);
                                              ``skips_<reason>``: runs of schedules that were skipped
``ms1:{p}:idem:<key>``                string  Idempotency-Key → fingerprint of the body, and the stored ids; expires
``ms1:{p}:events``                    stream  events, one entry per script call; bounded
``ms1:{p}:sched:<schedule>``          hash    a schedule (``SCHEDULE_FIELDS``)
``ms1:{p}:plans``                     zset    schedule → when it must be planned next (ms): those that are active
``ms1:{p}:rests``                     zset    schedule → 1 paused, 2 ended: those that are not active
``ms1:{p}:failing``                   zset    schedule → when its last run became dead (ms)
``ms1:{p}:runs:<schedule>``           list    its last runs, newest first: ``outcome ended_at message origin moments``
``ms1:{p}:dest:<destination>``        hash    the circuit breaker of a destination (``DESTINATION_FIELDS``); expires
``ms1:{p}:dests``                     zset    destination → when its breaker changed, or was found open later (ms)
``ms1:meta``                          hash    ``layout`` version and number of ``partitions``, written at first start;
                                              ``moved_ms``: how far users' tests have moved the clock
``ms1:{servers}:alive``               hash    process name → its last heartbeat (JSON)
``ms1:{servers}:history``             hash    process name → its last 15 minutes (JSON)
``ms1:rate:<who and limit>``          string  requests of a client, or jobs of a user, in a time window; expires
``ms1:wake``                          pubsub  ``partition due_at``: a message was stored before all others of its lane;
                                              with `` plan`` behind it a schedule was stored, or a pause ended
====================================  ======  ==========================================================================

An id is in exactly one of the due sets, locks, dead and done at any moment.

Fields of a message have names of one letter, and fields with their default value are left out.  This keeps the hash
within 80 bytes: a pending message of 50 bytes takes 299 bytes of Redis (measured with 100,000 of them), with full names
347.
"""

from __future__ import annotations

from scheduler.message import Priority

PREFIX = "ms1"
LAYOUT = 3

FIELDS: dict[str, str] = {
    "p": "payload, JSON text",
    "c": "created_at, ms",
    "n": "channel name; left out for echo",
    "q": "priority; left out for normal",
    "t": "target: the channel's options, JSON text",
    "y": "type",
    "j": "lane; left out when it is the one that channel and type imply",
    "w": "owner",
    "r": "retry policy; left out when the settings decide",
    "s": "status; left out while scheduled",
    "d": "due_at, ms; only while not scheduled (then the due set's score holds it)",
    "m": "scheduled_for: the due_at that was asked for, ms; left out until a retry changes due_at",
    "b": "due_at before back-pressure first put this attempt off, ms; lateness counts from it",
    "k": "lock token; empty or left out when not in flight",
    "g": "when the last attempt was claimed, ms",
    "a": "attempts made",
    "o": "attempts made before the last redrive",
    "l": "attempts in a row whose lock expired",
    "e": "last error",
    "u": "updated_at, ms; left out while it equals created_at or finished_at",
    "f": "finished_at, ms",
    "x": "result, JSON text",
    "H": "id of the message of the history that this one repeats",
    "F": "its number at its flow key (base 64, in the order of acceptance), a slash, and the key",
    "G": "limits of its flow key, from messages and from the settings; only while it is dead",
    "W": "for how long its flow key kept back the last attempt, ms; left out for 0",
    "T": "``traceparent`` of the request that it came with, or of the span that accepted it",
    "z": "bytes that count for retention; until the message is finished, those of its evidence only",
    "i": "of a schedule's message: the schedule's generation, and how it came about (``catch_up``, ``backfill``, "
    "``run``; left out by plan)",
    "h:<n>": "evidence of the n-th attempt, counted over redrives: JSON text, or ``attempt started_at duration_ms "
    "lateness_ms [flow_wait_ms]`` when there is nothing else to tell of a delivery; the last 20 are kept",
}
"""The fields of ``ms1:{p}:msg:<id>``."""

SCHEDULE_FIELDS: dict[str, str] = {
    "p n q t y w r j": "the template of its messages, in the fields of a message",
    "F": "what its messages say of their flow key: key, limits, limits of the settings",
    "cron": "expression of five or six fields",
    "every": "interval, ms",
    "zone": "IANA name; left out for UTC",
    "start": "first moment that was asked for, ms",
    "from": "first moment that the plan may have, ms; left out when start says it",
    "end": "last moment that was asked for, ms",
    "max": "number of moments that was asked for",
    "last": "last moment that the plan may have, ms; left out when there is no end",
    "jitter": "ms",
    "catch": "catching up: ``policy window_ms limit``; left out for the default",
    "overlap": "``skip`` or ``buffer``; left out for allow",
    "labels": "JSON list of texts",
    "note": "given with the last pause or resume",
    "state": "``paused`` or ``ended``; left out while active",
    "c": "created_at, ms",
    "u": "updated_at, ms, and the revision: no two changes have the same; left out while it equals c",
    "gen": "the generation: the revision of the last change that concerned its messages; left out while it equals the "
    "revision",
    "next": "the next moment, ms; its message stands in its lane",
    "tail": "what the id of that message ends in, so that it belongs to this partition",
    "late": "the moment of a message that was taken back because nobody had planned for a while",
    "busy": "id of the message under way; only with overlap skip and buffer",
    "buffered": "id and origin of the message that is made when busy has ended",
    "#<outcome>": "counters: ``made``, ``delivered``, ``dead``, ``cancelled``, ``caught``, ``overlap``, ``missed``, "
    "``changed``",
}
"""The fields of ``ms1:{p}:sched:<schedule>``."""

FLOW_WORDS: dict[str, str] = {
    "flight": "messages in flight",
    "used": "attempts that began in the window",
    "begun": "when the window began, ms; 0: there was none",
    "opened": "when it last went from closed to open, ms; 0: it never did",
    "number": "number of the last message that was accepted",
    "count": "scheduled messages",
    "paused": "0: no; 1: until it is resumed; or until when, ms",
    "given": "limits that came with messages: ``concurrency,rate/period_ms,ordered``, each empty for none",
    "default": "limits of the settings",
    "pinned": "limits that were pinned",
    "queues": "the queues that hold a message: ``<lane>:<priority>``, a word each",
}
"""The words of ``ms1:{p}:flow:key:<key>``, in their order, with a blank between two.

One text, and not the fields of a hash: a call of a script reads the states of all the keys that it serves with one
command, and writes them with another.
"""

DESTINATION_FIELDS: dict[str, str] = {
    "s": "``open``, or ``hand`` (opened by hand); left out while closed",
    "n": "when the next probe may begin, ms",
    "p": "until when a probe is under way, ms",
    "h": "until when the destination asked for a pause, ms",
    "r": "failures in a row",
    "f": "since when, ms",
    "w": "when the window began, ms",
    "a": "attempts in it",
    "b": "those that failed",
    "o": "when it was opened, ms",
    "c": "when it was closed, ms",
    "i": "interval of the probes, ms",
    "e": "last error",
    "t": "note of who opened or closed it by hand",
    "u": "updated_at, ms",
}
"""The fields of ``ms1:{p}:dest:<destination>``."""

META = f"{PREFIX}:meta"
MOVED = "moved_ms"
"""The field of ``META`` for ``Test.Clock``."""
SERVERS = f"{PREFIX}:{{servers}}:alive"
HISTORY = f"{PREFIX}:{{servers}}:history"
RATES = f"{PREFIX}:rate"
WAKE = f"{PREFIX}:wake"


class PartitionKeys:
    """The keys of one partition, by the names that the headers of the scripts use."""

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
            "outbox": base + "outbox",
            "plans": base + "plans",
            "rests": base + "rests",
            "failing": base + "failing",
            "dests": base + "dests",
            # Prefixes: the scripts append a lane and a priority, or an id.  A cluster allows it because the hash tag is
            # in the prefix.
            "due": base + "due:",
            "flow": base + "flow:",
            "msg": base + "msg:",
            "idem": base + "idem:",
            "copy": base + "copy:",
            "sched": base + "sched:",
            "runs": base + "runs:",
            "dest": base + "dest:",
        }

    def __getitem__(self, name: str) -> str:
        return self._names[name]

    def using(self, **aliases: str) -> PartitionKeys:
        """Return these keys with more names for some: ``using(kept="done")``, for a script that works on any set.

        ``due:<lane>:<priority>`` names the due set of a lane.
        """
        keys = PartitionKeys(self.partition)
        keys._names.update({alias: self._of(name) for alias, name in aliases.items()})
        return keys

    def _of(self, name: str) -> str:
        prefix, found, rest = name.partition(":")
        return self._names[prefix] + rest if found else self._names[name]


def scheduled_sets(lane: str) -> list[str]:
    """Return the names, for ``PartitionKeys.using``, of the sets with the scheduled messages of a lane."""
    return [f"{kind}:{lane}:{priority}" for kind in ("due", "flow:due") for priority in Priority]
