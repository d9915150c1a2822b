"""The promises, as questions about what Redis held before a call and holds after it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from tests.explore.content import CONCURRENCY, DUE, IDS, KEYS, LANE, NOW, PLACES, TEXT, Content, Plain, Record, places
from tests.support.flow_rules import broken_flow_rules
from tests.support.store import STATUS_OF_SET

OF_FLOWS = ("keyed", "queue", "turns", "flows", "flow_key")
Hashes = Mapping[str, Mapping[str, str]]
Sets = Mapping[str, Mapping[str, str]]

PLACE = "each message is in exactly one place, with the status to match"
TOKEN = "a token lives exactly as long as its lock"
STALE = "who does not own the lock changes nothing"
OWNERS = "two servers never own one message"
ALIVE = "a lock holds until it expires, and a renewal pushes it"
EARLY = "never early, and next in order"
ATTEMPTS = "every attempt has its own number, none beyond max_attempts"
ONCE = "exactly once while nothing fails, at least once else"
KEPT = "nothing disappears"
COUNTERS = "the counters agree with what is there"
FLOWS = "no more in flight at a flow key than it allows, and nothing waits at one that has room"
VERB = "a verb does what it says, and nothing else"
ENDS = "when faults end, every message ends"
SCRIPT = "no script fails"


class BrokenRule(Exception):
    """A promise, and how it was broken."""

    def __init__(self, rule: str, how: str) -> None:
        super().__init__(f"{rule}: {how}")
        self.rule = rule
        self.how = how


def require(kept: bool, rule: str, how: str) -> None:
    """Raises ``BrokenRule`` unless ``kept``."""
    if not kept:
        raise BrokenRule(rule, how)


# -- what Redis may hold at any moment ----------------------------------------------------------------------------


def structure(data: Plain, messages: int, max_attempts: int) -> None:
    """Raises ``BrokenRule`` for a keyspace that no history may lead to."""
    sets = places(data)
    hashes = {id: data[KEYS["msg"] + id] for id in IDS[:messages] if KEYS["msg"] + id in data}
    known = {KEYS[name] for name in (*PLACES, "lanes", "meta", *OF_FLOWS)} | {KEYS["msg"] + id for id in hashes}
    found = Counter(id for ids in sets.values() for id in ids)
    for id in IDS[:messages]:
        require(id in hashes, KEPT, f"{id} has no hash any more")
        require(found[id] > 0, KEPT, f"{id} is in no set")
        require(found[id] == 1, PLACE, f"{id} is in {found[id]} sets")
    require(set(data) <= known, PLACE, f"unknown keys: {sorted(set(data) - known)}")
    require(set(found) <= set(hashes), PLACE, f"unknown ids: {sorted(set(found) - set(hashes))}")
    if any(sets[name] for name in DUE):
        require(
            LANE in data.get(KEYS["lanes"], {}), PLACE, "a lane in which something waits is not in the list of lanes"
        )
    for name, ids in sets.items():
        for id in ids:
            _message(id, name, hashes[id], max_attempts)
    _counters(data.get(KEYS["meta"], {}), sets, hashes)
    if KEYS["flows"] in data or any("F" in fields for fields in hashes.values()):
        _flows(data, hashes)


def _flows(data: Plain, hashes: Hashes) -> None:
    flight = [id for id in data.get(KEYS["locks"], {}) if "F" in hashes[id]]
    require(len(flight) <= CONCURRENCY, FLOWS, f"{flight} are in flight at a key of concurrency {CONCURRENCY}")
    state: dict[str, Any] = {}
    for key, pairs in data.items():
        name = key.removeprefix("ms1:{0}:")
        if TEXT in pairs:
            state[name] = pairs[TEXT]
        elif name.startswith(("msg:", "meta")):
            state[name] = pairs
        else:
            state[name] = {member: int(float(score)) for member, score in pairs.items()}
    for problem in broken_flow_rules(state, hashes, NOW):
        raise BrokenRule(FLOWS, problem)


def _message(id: str, place: str, fields: Mapping[str, str], max_attempts: int) -> None:
    status = fields.get("s")
    # tests/support/store.py spells the due sets as the keys do.
    allowed = STATUS_OF_SET[place.replace("_", f":{LANE}:")]
    require(status in allowed, PLACE, f"{id} is {status or 'scheduled'} and in {place}")
    if place in DUE:
        require(place == f"due_{fields.get('q', 'normal')}", PLACE, f"{id} is in {place}, its priority is another")
    require(
        bool(fields.get("k")) == (place == "locks"), TOKEN, f"{id} is in {place} with the token {fields.get('k')!r}"
    )
    require(
        int(fields.get("a", "0")) <= max_attempts, ATTEMPTS, f"{id} is at attempt {fields.get('a')} of {max_attempts}"
    )


def _weight(place: str) -> Callable[[Sets, Hashes], int]:
    return lambda sets, hashes: sum(int(hashes[id].get("z", "0")) for id in sets[place])


def _retrying(sets: Sets, hashes: Hashes) -> int:
    return sum(int(hashes[id].get("a", "0")) > 0 for name in DUE for id in sets[name])


COUNTED = {"done_bytes": _weight("done"), "dead_bytes": _weight("dead"), "retrying": _retrying}
"""Counters of ``meta``: what each must be."""


def _counters(meta: Mapping[str, str], sets: Sets, hashes: Hashes) -> None:
    require(set(meta) <= set(COUNTED), COUNTERS, f"unknown ones: {sorted(set(meta) - set(COUNTED))}")
    for name, count in COUNTED.items():
        stored, true = int(meta.get(name, "0")), count(sets, hashes)
        require(stored == true, COUNTERS, f"{name} is {stored} and should be {true}")


# -- what a call may change ---------------------------------------------------------------------------------------


def unchanged(before: Content, after: Content, but: Iterable[int] = ()) -> None:
    """Every message but these is as it was."""
    spared = set(but)
    for message, (old, new) in enumerate(zip(before.records, after.records, strict=True)):
        require(message in spared or old == new, VERB, f"{IDS[message]} was changed by a call about another")


def claimed(before: Content, after: Content, limit: int, rows: Sequence[tuple[int, int]], lock: int) -> None:
    """``rows``: message and attempt, as the call answered; ``lock``: the lock's life in units."""
    for message, attempt in rows:
        old, new = before.records[message], after.records[message]
        id = IDS[message]
        require(old.place != "locks", OWNERS, f"{id} was claimed while somebody held its lock")
        require(old.scheduled, VERB, f"{id} was claimed out of {old.place}")
        require(old.due <= 0, EARLY, f"{id} was claimed {old.due} before its moment")
        require(new.place == "locks", VERB, f"{id} was handed out, and is in {new.place}")
        require(new.expiry == lock, ALIVE, f"the new lock on {id} lives {new.expiry} instead of {lock}")
        require(new.due == old.due, VERB, f"{id} lost its moment")
        right = old.number("a") + 1
        require(attempt == new.number("a") == right, ATTEMPTS, f"{id} is claimed as attempt {attempt}, not {right}")
    due = sorted((r.due, m) for m, r in enumerate(before.records) if r.scheduled and r.due <= 0)
    if any("F" in dict(record.fields) for record in before.records):
        limit = min(limit, CONCURRENCY - sum(record.place == "locks" for record in before.records))
    expected = [message for _, message in due[:limit]]
    got = [message for message, _ in rows]
    require(got == expected, EARLY, f"claimed {[IDS[m] for m in got]} instead of {[IDS[m] for m in expected]}")
    unchanged(before, after, got)


def settled(id: str, kind: str, old: Record, new: Record, retry_delay: int) -> None:
    """The owner's outcome was recorded."""
    place, status = {"ack": ("done", "delivered"), "dead": ("dead", "dead")}.get(kind, (None, None))
    if place:
        told = dict(new.fields).get("s")
        require((new.place, told) == (place, status), VERB, f"{id}: {kind} left it {told} in {new.place}")
        return
    charged = old.number("a") - (kind == "release")
    require(new.scheduled, VERB, f"{id}: {kind} left it in {new.place}")
    require(new.number("a") == charged, ATTEMPTS, f"{id}: {kind} left {new.number('a')} attempts, not {charged}")
    due = old.due if kind == "release" else retry_delay
    require(new.due == due, EARLY, f"{id}: {kind} made it due in {new.due}, not in {due}")


def renewed(before: Content, after: Content, owned: Iterable[int], lock: int) -> None:
    """The locks of these were pushed."""
    for message in owned:
        old, new = before.records[message], after.records[message]
        require(new == old._replace(expiry=lock), ALIVE, f"the lock on {IDS[message]} expires in {new.expiry}")
    unchanged(before, after, owned)


def reaped(before: Content, after: Content, max_attempts: int) -> list[int]:
    """The messages whose lock was taken away, and only such whose lock had expired.

    That none is left in flight for ever is shown by the work that goes on: ``ENDS``.
    """
    expired = [m for m, r in enumerate(before.records) if r.place == "locks" and r.expiry <= 0]
    for message, (old, new) in enumerate(zip(before.records, after.records, strict=True)):
        id = IDS[message]
        if message not in expired:
            require(new == old or old.place != "locks", ALIVE, f"the lock on {id} was taken {old.expiry} too early")
        elif old.number("a") >= max_attempts:
            require(new.place == "dead" or new == old, VERB, f"{id} lost its last attempt, and is in {new.place}")
        else:
            require(new.scheduled or new == old, VERB, f"{id} was reaped into {new.place}")
            require(new.due == old.due, EARLY, f"{id} was reaped, and is due in {new.due}")
            require(new.number("a") == old.number("a"), ATTEMPTS, f"reaping changed the attempts of {id}")
    unchanged(before, after, expired)
    return [message for message in expired if after.records[message].place != "locks"]


def redriven(id: str, old: Record, new: Record) -> None:
    """A dead letter is scheduled again."""
    require(new.scheduled and new.due == 0, VERB, f"{id} was redriven into {new.place}, due in {new.due}")
    made = old.number("o") + old.number("a")
    require(
        (new.number("a"), new.number("o")) == (0, made),
        ATTEMPTS,
        f"{id} was redriven with {new.number('a')} attempts, and {new.number('o')} before",
    )
