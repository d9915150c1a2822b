"""Messages with flow keys in a chaos run, and the verdict on what docs/flow.md promises of them.

What the other side saw (begin and end of each attempt) is judged by it, and what Redis itself wrote down (its events).
A lock that ran out and was taken back frees its slot: the attempt of a server that was stopped or cut off may go on
beside the next one.  That is the only excuse, and only from the moment on at which Redis took the lock back.
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from scheduler.flow import FlowLimits, Rate
from scheduler.message import Message, Status
from tests.chaos.ledger import OF_KEY, Accepted, Delivery

KEYS: Mapping[str, FlowLimits] = {
    "pair": FlowLimits(2),
    "line": FlowLimits(ordered=True),
    "other-line": FlowLimits(ordered=True),
    "quota": FlowLimits(rate=Rate(6, 2000)),
    "all": FlowLimits(2, Rate(4, 1000), True),
}
WEIGHTS = (5, 3, 2, 2, 2)
"""About what each key can carry: messages wait at it now and then, and not ever more of them."""
SHARE = 0.4
"""Of all messages those that have a key."""
_FREES = frozenset({"delivered", "dead", "retried", "reaped", "released"})


class Step(NamedTuple):
    """An event that Redis wrote down."""

    at_ms: int
    name: str
    id: str
    attempt: int


@dataclass(frozen=True)
class Keyed:
    """What Redis holds of flow keys at the end."""

    place: Mapping[str, tuple[int, int]]
    """id → its moment (ms) and its number at the key: the order of an ordered key."""
    steps: Sequence[Step]
    """Of each partition, and with it of each key, in the order in which they happened."""
    left: Sequence[str] = ()
    """Keys that still exist, though nothing uses them."""


@dataclass
class OfKey:
    """What a key showed."""

    messages: int = 0
    attempts: int = 0
    """That the other side saw."""
    locked: int = 0
    """Most in flight at once."""
    seen: int = 0
    """Most that the other side saw at once, without those whose lock had been taken back."""
    overlapping: int = 0
    """Attempts that went on after their lock had been taken back, beside another one."""
    window: int = 0
    """Most that began in a window of its rate."""


@dataclass
class Limits:
    """What a run showed of flow keys."""

    keys: dict[str, OfKey] = field(default_factory=dict)
    offences: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))


def ask(label: str, rng: random.Random) -> tuple[str, dict[str, Any]]:
    """Return label and flow of a new message, whose own label is given; without a key as chance will have it."""
    if rng.random() >= SHARE:
        return label, {}
    (key,) = rng.choices(list(KEYS), WEIGHTS)
    limits = KEYS[key]
    flow: dict[str, Any] = {"key": key}
    if limits.concurrency:
        flow["concurrency"] = limits.concurrency
    if limits.rate:
        flow |= {"rate": limits.rate.most, "period": limits.rate.period_ms / 1000}
    if limits.ordered:
        flow["ordered"] = True
    return f"{label}{OF_KEY}{key}", {"flow": flow}


@dataclass(frozen=True)
class _Run:
    """An attempt that the other side saw."""

    id: str
    attempt: int
    at_ms: float
    ended_ms: float
    good: bool


def judge_limits(
    accepted: Sequence[Accepted], deliveries: Sequence[Delivery], messages: Mapping[str, Message], keyed: Keyed
) -> Limits:
    """Judge each key by itself."""
    found = Limits()
    if keyed.left:
        found.offences["a flow key that nothing uses is left"] += keyed.left
    flows = {entry.id: entry.flow for entry in accepted if entry.flow and entry.id in messages}
    ids = {entry.label: entry.id for entry in accepted}
    runs: dict[str, list[_Run]] = defaultdict(list)
    for delivery in deliveries:
        id = ids.get(delivery.label, "")
        if id in flows and delivery.attempt is not None and delivery.ended_ms is not None:
            runs[flows[id]].append(_Run(id, delivery.attempt, delivery.at_ms, delivery.ended_ms, delivery.good))
    for key in sorted(set(flows.values())):
        own = {id: messages[id] for id, flow in flows.items() if flow == key}
        steps = [step for step in keyed.steps if step.id in own]
        result = found.keys.setdefault(key, OfKey(len(own), len(runs[key])))
        _judge_ends(found, key, own)
        _judge_locks(found, key, result, steps)
        _judge_runs(found, key, result, runs[key], steps)
        if (rate := KEYS[key].rate) is not None:
            _judge_windows(found, key, result, rate, own, steps)
        if KEYS[key].ordered:
            _judge_order(found, key, own, runs[key], keyed.place, steps)
    return found


def _judge_ends(found: Limits, key: str, own: Mapping[str, Message]) -> None:
    for id, message in own.items():
        if message.status not in (Status.DELIVERED, Status.DEAD):
            found.offences["left waiting at a flow key"].append(f"{key}: {id} is {message.status}")


def _most(key: str) -> float:
    limits = KEYS[key]
    return 1 if limits.ordered else limits.concurrency or float("inf")


def _judge_locks(found: Limits, key: str, result: OfKey, steps: Sequence[Step]) -> None:
    """By Redis's own events there are never more locks than allowed: no fault excuses one."""
    held: dict[str, int] = {}
    for step in steps:
        if step.name == "claimed":
            held[step.id] = step.attempt
            result.locked = max(result.locked, len(held))
            if len(held) > _most(key):
                found.offences["more in flight than a flow key allows"].append(f"{key}: {held} at {step.at_ms}")
        elif step.name in _FREES:
            held.pop(step.id, None)


def _judge_runs(found: Limits, key: str, result: OfKey, runs: Sequence[_Run], steps: Sequence[Step]) -> None:
    """What the other side saw of each attempt lies within the time in which its slot was taken.  What went on after
    its lock had been taken back counts until then.
    """
    claimed = {(step.id, step.attempt): step.at_ms for step in steps if step.name == "claimed"}
    # The last one: what was given back without an attempt begins again under the same number.
    freed = {(step.id, step.attempt): step for step in steps if step.name in _FREES}
    edges: list[tuple[float, int, _Run]] = []
    for run in runs:
        attempt = (run.id, run.attempt)
        if claimed.get(attempt, float("inf")) > run.at_ms:
            found.offences["an attempt that had no slot"].append(f"{key}: {run}")
        end = freed.get(attempt)
        until = run.ended_ms if end is None else min(run.ended_ms, end.at_ms)
        lost = end is not None and end.name in ("reaped", "dead")
        if run.good and end is not None and not lost and run.ended_ms > end.at_ms + 1:
            found.offences["a slot was free before its attempt was over"].append(f"{key}: {run}, {end}")
        if run.at_ms < until:
            edges += [(run.at_ms, 1, run), (until, -1, run)]
        if lost and run.ended_ms > until:
            result.overlapping += any(
                other.id != run.id and other.at_ms < run.ended_ms and other.ended_ms > until for other in runs
            )
    now: list[_Run] = []
    for at_ms, change, run in sorted(edges, key=lambda edge: edge[:2]):
        if change < 0:
            now.remove(run)
            continue
        now.append(run)
        result.seen = max(result.seen, len(now))
        if len(now) > _most(key):
            found.offences["more attempts at once than a flow key allows"].append(f"{key}: {now} at {at_ms:.1f}")


def _judge_windows(
    found: Limits, key: str, result: OfKey, rate: Rate, own: Mapping[str, Message], steps: Sequence[Step]
) -> None:
    """Windows are laid out as docs/flow.md says.  Where the key had no message when a full window ended, it may have
    been deleted or not: the next one begins where that one ended, or with the attempt.
    """
    layouts = [_Window(-(10**15), 0)]
    begun: dict[str, int] = {}
    for at_ms, step, empty_at in _timeline(own, steps):
        if step.name == "claimed":
            begun[step.id] = at_ms
            layouts = list(dict.fromkeys(after for one in layouts for after in one.next(at_ms, rate, empty_at)))
            result.window = max(result.window, min((one.used for one in layouts), default=0))
            if not layouts:
                found.offences["more began in a window than a flow key allows"].append(f"{key}: {step}")
                layouts = [_Window(at_ms, 1)]
        elif step.name == "released":
            layouts = list(dict.fromkeys(one.given_back(begun[step.id]) for one in layouts))


class _Window(NamedTuple):
    begun: int
    used: int

    def next(self, at_ms: int, rate: Rate, empty_at: int) -> Iterator[_Window]:
        """Yield what it may be after an attempt; nothing when that is one too many."""
        ends = self.begun + rate.period_ms
        if at_ms < ends:
            if self.used < rate.most:
                yield _Window(self.begun, self.used + 1)
            return
        follows = self.used >= rate.most and at_ms < ends + rate.period_ms
        if follows:
            yield _Window(ends, 1)
        if not follows or empty_at >= ends:
            yield _Window(at_ms, 1)

    def given_back(self, claimed_ms: int) -> _Window:
        return self._replace(used=max(0, self.used - 1)) if claimed_ms >= self.begun else self


def _timeline(own: Mapping[str, Message], steps: Sequence[Step]) -> Iterator[tuple[int, Step, int]]:
    """Yield moment and event, in order, and until when (ms) the key last had no message."""
    arrivals = sorted(message.created_at for message in own.values())
    alive, arrived, empty_at = 0, 0, -(10**15)
    for step in steps:
        while arrived < len(arrivals) and arrivals[arrived] <= step.at_ms:
            if alive == 0:
                empty_at = arrivals[arrived]
            alive, arrived = alive + 1, arrived + 1
        yield step.at_ms, step, empty_at
        alive -= step.name in ("delivered", "dead")


def _judge_order(
    found: Limits,
    key: str,
    own: Mapping[str, Message],
    runs: Sequence[_Run],
    place: Mapping[str, tuple[int, int]],
    steps: Sequence[Step],
) -> None:
    """A message's first attempt begins when every message before it that was there, and every one that has begun, is
    delivered or dead.
    """
    claimed: dict[str, int] = {}
    for step in steps:
        if step.name == "claimed":
            claimed.setdefault(step.id, step.at_ms)
    began: dict[str, float] = {}
    ended: dict[str, float] = {}
    for run in runs:
        began[run.id] = min(run.at_ms, began.get(run.id, run.at_ms))
        if run.attempt == own[run.id].attempt:
            ended[run.id] = run.ended_ms
    for id, message in own.items():
        # The other side may see late that the sender of an attempt that failed has gone.
        ended[id] = min(ended.get(id, float("inf")), message.finished_at or float("inf"))
    for later, began_ms in began.items():
        for first, message in own.items():
            if first == later or ended[first] <= began_ms:
                continue
            before = place[first] < place[later] and message.created_at < claimed.get(later, 0)
            if before or began.get(first, float("inf")) < began_ms:
                found.offences["out of order"].append(
                    f"{key}: {later} {place[later]} began at {began_ms:.1f}, {first} {place[first]} ended at "
                    f"{ended[first]:.1f}"
                )
