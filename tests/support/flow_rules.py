"""What must hold of the flow keys of a partition at any moment, whatever happened before."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from scheduler.message import lane_of

AHEAD = 10**15
"""What is taken from the score of a message that has begun, in the queue of an ordered key."""
NUMBER = 5
DIGITS = "-0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz"

Hashes = Mapping[str, Mapping[str, str]]


def lane_and_priority(fields: Mapping[str, str]) -> str:
    """The name of a message's queue."""
    lane = fields.get("j") or lane_of(fields.get("n", "echo"), fields.get("y"))
    return f"{lane}:{fields.get('q', 'normal')}"


def number_of(mark: str) -> int:
    """Return the number that a message has at its key: it counts them as they were accepted."""
    number = 0
    for digit in mark[:NUMBER]:
        number = number * len(DIGITS) + DIGITS.index(digit)
    return number


def opens_at(key: Mapping[str, str], now: int) -> int | None:
    """From when a key may go, as far as its limits say; None: a message has to end first, or somebody resumes it."""
    most = 1 if "o" in key else int(key["c"]) if "c" in key else None
    if key.get("z") == "1" or (most is not None and int(key.get("n", 0)) >= most):
        return None
    at = int(key.get("z", 0))
    if "r" in key and int(key.get("u", 0)) >= int(key["r"]):
        at = max(at, int(key.get("b", 0)) + int(key["w"]))
    return max(at, now)


def broken_flow_rules(state: Mapping[str, Any], hashes: Hashes, now: int) -> Iterator[str]:
    """``state``: a partition as ``dump`` gives it; ``hashes``: its messages by id."""
    keys = {name.removeprefix("flow:key:"): fields for name, fields in state.items() if name.startswith("flow:key:")}
    if set(keys) != set(state.get("flow:keys", {})):
        yield f"keys {sorted(keys)} exist, and {sorted(state.get('flow:keys', {}))} are listed"
    locks = state.get("locks", {})
    flight = Counter(fields["F"][NUMBER:] for id, fields in hashes.items() if id in locks and "F" in fields)
    for key in flight.keys() - keys.keys():
        yield f"{key} has messages in flight, and does not exist"
    for key, fields in keys.items():
        if int(fields.get("n", 0)) != flight[key]:
            yield f"{key} counts {fields.get('n', 0)} in flight, and {flight[key]} are locked"
        yield from _broken_key(key, fields, state, now)
    yield from _broken_queues(state, hashes)


def _broken_key(key: str, fields: Mapping[str, str], state: Mapping[str, Any], now: int) -> Iterator[str]:
    queues = {name.split("/", 1)[1]: queue for name, queue in state.items() if name.startswith(f"flow:queue:{key}/")}
    heads = {name: min((score, place) for place, score in queue.items()) for name, queue in queues.items()}
    if not queues.keys() <= set(fields.get("q", "").split()):
        yield f"{key} has the queues {sorted(queues)} and knows {fields.get('q')}"
    opens = opens_at(fields, now)
    if "o" in fields and heads:
        first = min(heads, key=lambda name: (heads[name][0], heads[name][1][:NUMBER]))
        heads = {first: heads[first]}
    for name, (score, _) in heads.items():
        due_at = score if score >= 0 else score + AHEAD
        turn = state.get(f"flow:turns:{name}", {}).get(key)
        if opens is not None and (turn is None or turn > max(opens, due_at)):
            yield f"{key} may go in {name} at {max(opens, due_at)}, and its turn is {turn}"
    idle = not queues and not int(fields.get("n", 0)) and "z" not in fields and "x" not in fields
    if idle and not any(key in turns for name, turns in state.items() if name.startswith("flow:turns:")):
        yield f"{key} has nothing, and is not deleted"


def _broken_queues(state: Mapping[str, Any], hashes: Hashes) -> Iterator[str]:
    waiting: dict[tuple[str, str, str], int] = {}
    for id, fields in hashes.items():
        if "F" in fields and "s" not in fields:
            name = lane_and_priority(fields)
            waiting[fields["F"][NUMBER:], name, fields["F"][:NUMBER] + id] = state.get(f"flow:due:{name}", {}).get(id)
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
