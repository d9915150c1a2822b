"""What Redis holds, in the form in which states are compared: small, and the same for what no script can tell apart.

Left out, because nothing that a script decides depends on it:

- *when*: every moment is counted from now, in units of ``UNIT_MS``.  The clock that the scripts are given stands still
  and time passes by moving what is stored: scripts only ever add to ``now`` and compare with it.
- *how long ago*: an expired lock is expired.  Messages that are due keep their order and not their lateness.
- *which token*: a token is only compared with the one in the message's hash, so that one ends as the message's own.
- what a flow key counts and who has a turn: ``rules.structure`` compares it with the messages, and from them it is
  written again.
- created_at, updated_at, finished_at, the moment asked for, how long a flow key kept it back, and the texts of errors
  and of evidence; their bytes stay counted.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from scheduler.store.keys import FLOW_WORDS, PartitionKeys
from tests.support.clock import START_MS
from tests.support.flow_rules import place_of

UNIT_MS = 1000
NOW = START_MS
LANE = "echo"
FLOW, CONCURRENCY = "k", 1
"""The flow key that messages have in a scope with one, and what it allows."""
_QUEUE = f"{LANE}:normal"
KEYS = PartitionKeys(0).using(
    **{f"due_{p}": f"due:{LANE}:{p}" for p in ("high", "normal", "low")},
    keyed=f"flow:due:{_QUEUE}",
    queue=f"flow:queue:{FLOW}/{_QUEUE}",
    turns=f"flow:turns:{_QUEUE}",
    flows="flow:keys",
    flow_key=f"flow:key:{FLOW}",
)
IDS = ("m1", "m2")
DUE = ("due_high", "due_normal", "due_low")
PLACES = (*DUE, "locks", "dead", "done")

OWNER = "s"
"""Tokens are ``s.k1`` for the lock on the first message, ``s.k2`` for the second, all of one length: it is counted."""
FRESH, STALE = "s.kn", "s.ko"

TEXT = "text"
Plain = dict[str, dict[str, str]]
"""Key → fields, or members with their scores; of a text, ``TEXT`` → it."""

_MOMENTS = frozenset("cgufmW")
_LOCK = re.compile(r"lock \S+ expired")


class Record(NamedTuple):
    """One message."""

    place: str
    due: int
    """Units from now; 0 once finished."""
    expiry: int
    """Units from now, of the lock; 0 when not in flight."""
    fields: tuple[tuple[str, str], ...]
    """The rest of its hash, sorted."""

    def number(self, field: str) -> int:
        return int(dict(self.fields).get(field, "0"))

    @property
    def scheduled(self) -> bool:
        return self.place in DUE

    @property
    def finished(self) -> bool:
        return self.place in ("dead", "done")


class Content(NamedTuple):
    """All of Redis: a record for each of ``IDS``, as many as there are, and the counters."""

    records: tuple[Record, ...]
    meta: tuple[tuple[str, str], ...]


def token_of(message: int) -> str:
    """The token of the lock on this message."""
    return f"{OWNER}.k{message + 1}"


def plain(keys: Sequence[tuple[str, Sequence[str]]]) -> Plain:
    """Key → content from the flat lists that the dump answers."""
    return {
        key: {flat[i]: flat[i + 1] for i in range(0, len(flat), 2)}
        for key, flat in keys
    }  # fmt: skip


def _units(ms: str) -> int:
    units, rest = divmod(int(float(ms)) - NOW, UNIT_MS)
    if rest:
        raise ValueError(f"{ms} is no whole number of units from now")
    return units


def _ms(units: int) -> str:
    return str(NOW + units * UNIT_MS)


def read(data: Plain, messages: int) -> Content:
    """What Redis holds, not yet ``canonical``.  Only for data that keeps the rules of ``rules.structure``."""
    return Content(
        tuple(_record(data, message) for message in range(messages)),
        tuple(sorted(data.get(KEYS["meta"], {}).items())),
    )


def places(data: Plain) -> Plain:
    """The sets in which a message may be, by name; one with a flow key counts as in the due set of its priority."""
    sets = {name: data.get(KEYS[name], {}) for name in PLACES}
    return {**sets, "due_normal": {**sets["due_normal"], **data.get(KEYS["keyed"], {})}}


def _record(data: Plain, message: int) -> Record:
    id = IDS[message]
    message_hash = data[KEYS["msg"] + id]
    sets = places(data)
    place = next(name for name in PLACES if id in sets[name])
    score = sets[place][id]
    due = _units(score) if place in DUE else _units(message_hash["d"]) if place == "locks" else 0
    fields = []
    for name, value in sorted(message_hash.items()):
        if name in _MOMENTS or name == "d" or name.startswith("h:"):
            continue
        fields.append((name, _bare(name, value, message)))
    return Record(place, due, _units(score) if place == "locks" else 0, tuple(fields))


def _bare(name: str, value: str, message: int) -> str:
    """Without what the token was called."""
    if name == "k" and value:
        return token_of(message)
    return _LOCK.sub(f"lock {FRESH} expired", value) if name == "e" else value


def canonical(content: Content) -> Content:
    """Expired is expired, due is due: only the order of what is due stays."""
    past = sorted({r.due for r in content.records if not r.finished and r.due <= 0}, reverse=True)
    rank = {due: -i for i, due in enumerate(past)}
    return content._replace(
        records=tuple(r._replace(due=rank.get(r.due, r.due), expiry=max(r.expiry, 0)) for r in content.records)
    )


def later(content: Content) -> Content:
    """One unit of time later."""
    return canonical(
        content._replace(
            records=tuple(
                r if r.finished else r._replace(due=r.due - 1, expiry=r.expiry - (r.place == "locks"))
                for r in content.records
            )
        )
    )


def written(content: Content) -> Plain:
    """What Redis holds once this is restored."""
    data: Plain = {KEYS["meta"]: dict(content.meta)} if content.meta else {}
    for id, record in zip(IDS, content.records, strict=False):
        fields = {"c": _ms(0), **dict(record.fields)}
        if record.place == "locks":
            fields |= {"d": _ms(record.due), "g": _ms(0)}
        if record.finished:
            fields |= {"d": _ms(0), "f": _ms(0)}
        data[KEYS["msg"] + id] = fields
        score = record.expiry if record.place == "locks" else record.due
        keyed = record.scheduled and "F" in fields
        data.setdefault(KEYS["keyed" if keyed else record.place], {})[id] = _ms(score)
        if keyed:
            data.setdefault(KEYS["queue"], {})[place_of(fields["F"], id)] = _ms(score)
    data |= _flow_key(content, data)
    if any(record.scheduled for record in content.records):
        data[KEYS["lanes"]] = {LANE: "0"}
    return data


def _flow_key(content: Content, data: Plain) -> Plain:
    """The flow key, as it follows from its messages."""
    keyed = [record for record in content.records if "F" in dict(record.fields)]
    flight = sum(record.place == "locks" for record in keyed)
    waiting = [record.due for record in keyed if record.scheduled]
    if not flight and not waiting:
        return {}
    words = {
        "flight": flight, "used": 0, "begun": 0, "opened": 0, "number": len(keyed), "count": len(waiting), "paused": 0,
        "given": f"{CONCURRENCY},,", "default": ",,", "pinned": ",,", "queues": _QUEUE,
    }  # fmt: skip
    found = {KEYS["flows"]: {FLOW: "0"}, KEYS["flow_key"]: {TEXT: " ".join(str(words[name]) for name in FLOW_WORDS)}}
    if waiting and flight < CONCURRENCY:
        found[KEYS["turns"]] = {FLOW: _ms(max(0, min(waiting)))}
    return found


def commands(data: Mapping[str, Mapping[str, str]]) -> list[list[str]]:
    """What restores it into an emptied Redis."""
    sets = {KEYS[name] for name in (*PLACES, "lanes", "keyed", "queue", "turns", "flows")}
    return [
        ["ZADD", key, *[word for id, score in pairs.items() for word in (score, id)]]
        if key in sets
        else ["SET", key, pairs[TEXT]]
        if key == KEYS["flow_key"]
        else ["HSET", key, *[word for pair in pairs.items() for word in pair]]
        for key, pairs in data.items()
    ]
