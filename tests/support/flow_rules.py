"""What must hold of the flow keys of a partition at any moment, whatever happened before."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from scheduler.message import lane_of
from scheduler.store.keys import FLOW_WORDS

AHEAD = 10**15
"""What is taken from the score of a message that has begun, in the queue of an ordered key."""
NUMBER = 5
"""Digits of a message's number in its queue."""
DIGITS = "-0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz"

Hashes = Mapping[str, Mapping[str, str]]


def state_of(text: str) -> dict[str, str]:
    """The words of a flow key by name, and what is in force: ``concurrency``, ``rate``, ``period``, ``ordered``; empty
    for none.
    """
    words = text.split(" ", len(FLOW_WORDS) - 1)
    state = dict(zip(FLOW_WORDS, words, strict=True))
    places = [state[name].split(",") for name in ("default", "given", "pinned")]
    concurrency, rate, ordered = (
        next((one for one in reversed(each) if one), "") for each in zip(*places, strict=True)
    )
    most, _, period = rate.partition("/")
    in_force = {"concurrency": concurrency, "rate": most, "period": period, "ordered": "1" if ordered == "1" else ""}
    return {**state, **in_force}


def lane_and_priority(fields: Mapping[str, str]) -> str:
    """The name of a message's queue."""
    lane = fields.get("j") or lane_of(fields.get("n", "echo"), fields.get("y"))
    return f"{lane}:{fields.get('q', 'normal')}"


def number_of(mark: str) -> int:
    """Return the number that a message has at its key: it counts them as they were accepted."""
    number = 0
    for digit in mark.partition("/")[0]:
        number = number * len(DIGITS) + DIGITS.index(digit)
    return number


def place_of(mark: str, id: str) -> str:
    """Return the member of a queue for a message."""
    return mark.partition("/")[0].rjust(NUMBER, DIGITS[0]) + id


def opens_at(key: Mapping[str, str], now: int) -> int | None:
    """From when a key may go, as far as its limits say; None: a message has to end first, or somebody resumes it."""
    most = 1 if key["ordered"] else int(key["concurrency"]) if key["concurrency"] else None
    if key["paused"] == "1" or (most is not None and int(key["flight"]) >= most):
        return None
    at = int(key["paused"])
    if key["rate"] and int(key["used"]) >= int(key["rate"]):
        at = max(at, int(key["begun"]) + int(key["period"]))
    return max(at, now)


def in_one_piece(state: dict[str, Any]) -> dict[str, Any]:
    """Return a partition with each queue as one set, and without the bounds of its pieces.

    A place in the wrong piece is a failure here: nobody would find it.
    """
    whole = {name: value for name, value in state.items() if not name.startswith(("flow:piece:", "flow:bounds:"))}
    pieces = {name.removeprefix("flow:piece:") for name in state if name.startswith("flow:piece:")}
    for name, bounds in state.items():
        if not name.startswith("flow:bounds:"):
            continue
        queue = name.removeprefix("flow:bounds:")
        begins = [(score, bound.split(" ")[0]) for bound, score in bounds.items()]
        found = [state[f"flow:queue:{queue}"], *(state[f"flow:piece:{queue}/{bound}"] for bound in bounds)]
        for piece, begin, end in zip(found, [None, *begins], [*begins, None], strict=True):
            places = [(score, place) for place, score in piece.items()]
            assert begin is None or begin <= min(places), (
                f"{places} stand in the piece of {queue} that begins at {begin}"
            )
            assert end is None or max(places) < end, f"{places} stand in the piece of {queue} that ends at {end}"
        whole[f"flow:queue:{queue}"] = {place: score for piece in found for place, score in piece.items()}
        pieces -= {f"{queue}/{bound}" for bound in bounds}
    assert not pieces, f"nothing leads to the pieces {sorted(pieces)}"
    return whole


def broken_flow_rules(state: Mapping[str, Any], hashes: Hashes, now: int) -> Iterator[str]:
    """``state``: a partition as ``dump`` gives it; ``hashes``: its messages by id."""
    keys = {
        name.removeprefix("flow:key:"): state_of(text) for name, text in state.items() if name.startswith("flow:key:")
    }
    if set(keys) != set(state.get("flow:keys", {})):
        yield f"keys {sorted(keys)} exist, and {sorted(state.get('flow:keys', {}))} are listed"
    locks = state.get("locks", {})
    flight = Counter(fields["F"].partition("/")[2] for id, fields in hashes.items() if id in locks and "F" in fields)
    for key in flight.keys() - keys.keys():
        yield f"{key} has messages in flight, and does not exist"
    for key, fields in keys.items():
        if int(fields["flight"]) != flight[key]:
            yield f"{key} counts {fields['flight']} in flight, and {flight[key]} are locked"
        yield from _broken_key(key, fields, state, now)
    yield from _broken_queues(state, hashes)


def _broken_key(key: str, fields: Mapping[str, str], state: Mapping[str, Any], now: int) -> Iterator[str]:
    queues = {name.split("/", 1)[1]: queue for name, queue in state.items() if name.startswith(f"flow:queue:{key}/")}
    heads = {name: min((score, place) for place, score in queue.items()) for name, queue in queues.items()}
    if not queues.keys() <= set(fields["queues"].split()):
        yield f"{key} has the queues {sorted(queues)} and knows {fields['queues']}"
    if int(fields["count"]) != sum(map(len, queues.values())):
        yield f"{key} counts {fields['count']} scheduled messages, and {sum(map(len, queues.values()))} wait"
    opens = opens_at(fields, now)
    if fields["ordered"] and heads:
        first = min(heads, key=lambda name: (heads[name][0], heads[name][1][:NUMBER]))
        heads = {first: heads[first]}
    for name, (score, _) in heads.items():
        due_at = score if score >= 0 else score + AHEAD
        turn = state.get(f"flow:turns:{name}", {}).get(key)
        if opens is not None and (turn is None or turn > max(opens, due_at)):
            yield f"{key} may go in {name} at {max(opens, due_at)}, and its turn is {turn}"
    unused = fields["flight"] == "0" and fields["paused"] == "0" and fields["pinned"] == ",,"
    idle = not queues and unused
    if idle and not any(key in turns for name, turns in state.items() if name.startswith("flow:turns:")):
        yield f"{key} has nothing, and is not deleted"


def _broken_queues(state: Mapping[str, Any], hashes: Hashes) -> Iterator[str]:
    waiting: dict[tuple[str, str, str], int] = {}
    for id, fields in hashes.items():
        if "F" in fields and "s" not in fields:
            name = lane_and_priority(fields)
            key = fields["F"].partition("/")[2]
            waiting[key, name, place_of(fields["F"], id)] = state.get(f"flow:due:{name}", {}).get(id)
    queued = {
        (*name.removeprefix("flow:queue:").split("/", 1), place): score if score >= 0 else score + AHEAD
        for name, queue in state.items()
        if name.startswith("flow:queue:")
        for place, score in queue.items()
    }
    if waiting != queued:
        yield f"{waiting} are scheduled, and {queued} stand in queues"
    places = {id for name, ids in state.items() if name.startswith("flow:due:") for id in ids}
    stray = places - {place[NUMBER:] for _, _, place in waiting}
    if stray:
        yield f"{sorted(stray)} stand among the messages with a flow key"
