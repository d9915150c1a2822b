"""The verdict: what was promised, compared with what was written down.  Pure: files and Redis are read elsewhere."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from scheduler.message import Message, Status
from tests.chaos.faults import BY_NAME
from tests.chaos.ledger import Accepted, Delivery, Fault
from tests.chaos.limits import Keyed, OfKey, judge_limits

SLACK_MS = 3000.0
"""A fault still works so long after its end: a lock's life and a look, a request that was under way."""

_LAG_MS = 100.0
"""How long before a failover began what it makes Redis forget may have been written."""

_OWNER = re.compile(r"\(lock ([^. ]*)\.")


@dataclass(frozen=True)
class Stored:
    """What Redis holds at the end."""

    messages: Mapping[str, Message]
    """id → message with its attempts."""
    places: Mapping[str, Sequence[str]]
    """id → the sets that hold it: due, locks, dead, done.  Also for ids without a message."""
    history: Mapping[str, Sequence[int]] | None = None
    """id → the finishes (ms) that the database of the history has of it; None: it was not looked at."""
    keyed: Keyed | None = None
    """None: no message had a flow key."""


@dataclass
class Verdict:
    """What a run showed."""

    accepted: int = 0
    delivered: int = 0
    dead: int = 0
    scheduled: int = 0
    archived: int = 0
    """Finishes that are in the history."""
    deliveries: int = 0
    failed_attempts: int = 0
    repeats: Counter[str] = field(default_factory=Counter)
    """Fault that explains it → messages that were delivered once more."""
    same_attempt: Counter[str] = field(default_factory=Counter)
    """Those of them that arrived once more under the same attempt, as far as a channel shows the attempt."""
    lost_locks: Counter[str] = field(default_factory=Counter)
    """Fault that explains it → attempts that ended with an expired lock."""
    recovery_ms: dict[str, list[float]] = field(default_factory=dict)
    """Fault → per time that it struck: until the attempts began that delivered what had been due."""
    whole_ms: dict[str, list[float]] = field(default_factory=dict)
    """Fault → per time that it struck: until all was as before."""
    keys: dict[str, OfKey] = field(default_factory=dict)
    """Flow key → what it showed."""
    offences: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    """Broken promise → the messages, with what is known of each."""


def judge(
    accepted: Sequence[Accepted],
    deliveries: Sequence[Delivery],
    faults: Sequence[Fault],
    stored: Stored,
    unconfirmed: Iterable[str] = (),
) -> Verdict:
    """``unconfirmed``: labels of messages that may be stored, or not."""
    verdict = Verdict(accepted=len(accepted), deliveries=sum(delivery.good for delivery in deliveries))
    by_label: dict[str, list[Delivery]] = defaultdict(list)
    for delivery in deliveries:
        by_label[delivery.label].append(delivery)
    for entry in accepted:
        _judge_message(verdict, entry, by_label[entry.label], faults, stored.messages.get(entry.id))
    _judge_places(verdict, stored)
    _judge_history(verdict, stored, faults)
    _judge_strangers(verdict, accepted, by_label, stored, set(unconfirmed))
    if stored.keyed is not None:
        limits = judge_limits(accepted, deliveries, stored.messages, stored.keyed)
        verdict.keys = limits.keys
        verdict.offences.update(limits.offences)
    for fault in faults:
        verdict.recovery_ms.setdefault(fault.kind, []).append(_recovery(fault, accepted, stored))
        verdict.whole_ms.setdefault(fault.kind, []).append(fault.whole_ms - fault.began_ms)
    return verdict


def _judge_message(
    verdict: Verdict, entry: Accepted, deliveries: Sequence[Delivery], faults: Sequence[Fault], message: Message | None
) -> None:
    if message is None:
        verdict.offences["lost"].append(f"{entry.id}: accepted, and Redis knows nothing of it")
        return
    good = [delivery for delivery in deliveries if delivery.good]
    if message.status is Status.DELIVERED:
        verdict.delivered += 1
        if not good:
            verdict.offences["lost"].append(f"{entry.id}: {entry.channel}, delivered says Redis; nothing arrived")
    elif message.status is Status.DEAD:
        verdict.dead += 1
        if not entry.doomed and message.attempt < entry.max_attempts:
            verdict.offences["given up too early"].append(
                f"{entry.id}: {message.attempt} attempts, {message.last_error}"
            )
    elif message.status is Status.SCHEDULED and message.attempt > 0:
        verdict.scheduled += 1
    else:
        verdict.offences["stuck"].append(f"{entry.id}: {message.status}, due {message.due_at}, never tried again")
    if entry.doomed and (good or message.status is Status.DELIVERED):
        verdict.offences["delivered though refused"].append(entry.id)
    _judge_moments(verdict, entry, deliveries, message)
    _judge_attempts(verdict, entry, good, faults, message)


def _judge_moments(verdict: Verdict, entry: Accepted, deliveries: Sequence[Delivery], message: Message) -> None:
    early = [entry.not_before_ms - d.at_ms for d in deliveries if d.at_ms < entry.not_before_ms]
    early += [-attempt["lateness_ms"] for attempt in message.attempts or () if attempt.get("lateness_ms", 0) < 0]
    if early:
        verdict.offences["early"].append(f"{entry.id}: by {max(early):.3f} ms")


def _judge_attempts(
    verdict: Verdict, entry: Accepted, good: Sequence[Delivery], faults: Sequence[Fault], message: Message
) -> None:
    """Each attempt that was not the last one needs a fault that explains it.  Each repeat needs such an attempt, or a
    failover that forgot the delivery before it.
    """
    causes: list[str] = []
    for attempt in message.attempts or ():
        if attempt["outcome"] == "delivered" or entry.doomed:
            continue
        if entry.flaky and attempt["attempt"] == 1 and attempt["outcome"] == "failed":
            continue
        cause = _cause(attempt, faults)
        if attempt["outcome"] == "lost":
            verdict.lost_locks[cause or "nothing"] += 1
        else:
            verdict.failed_attempts += 1
        if cause is None:
            verdict.offences["unexplained"].append(f"{entry.id}: {attempt}")
        else:
            causes.append(cause)
    # Not the last: what was delivered last is what Redis knows of.
    forgotten = [(delivery, cause) for delivery in good[:-1] if (cause := _forgot(delivery, faults))]
    _judge_numbers(verdict, entry, good, forgotten)
    causes += [cause for _, cause in forgotten][: max(0, len(good) - 1 - len(causes))]
    if len(good) - 1 > len(causes):
        seen = [(round(d.at_ms), d.server, d.attempt) for d in good]
        verdict.offences["unexplained"].append(f"{entry.id}: {seen} for attempts {message.attempts}")
    for cause in causes[: max(0, len(good) - 1)]:
        verdict.repeats[cause] += 1


def _judge_numbers(
    verdict: Verdict, entry: Accepted, good: Sequence[Delivery], forgotten: Sequence[tuple[Delivery, str]]
) -> None:
    """No attempt arrives twice, unless a failover forgot that it was made."""
    # Not in order: a server that was stopped may go on with its attempt after another one has made the next.
    numbers = Counter(delivery.attempt for delivery in good if delivery.attempt is not None)
    for number, times in numbers.items():
        excused = [cause for delivery, cause in forgotten if delivery.attempt == number][: times - 1]
        verdict.same_attempt.update(excused)
        if times - 1 > len(excused):
            verdict.offences["repeated under the same attempt"].append(f"{entry.id}: attempt {number}, {times} times")


def _cause(attempt: Mapping[str, Any], faults: Sequence[Fault]) -> str | None:
    """The fault that explains why this attempt did not end well; None: nothing does."""
    began = float(attempt["started_at"])
    if attempt["outcome"] == "lost":
        owner = _OWNER.search(str(attempt["error"]))
        for fault in faults:
            hit = not fault.target or (owner is not None and owner[1] == fault.target)
            if BY_NAME[fault.kind].repeats and hit and _overlap(fault, began, began):
                return fault.kind
        return None
    ended = began + float(attempt["duration_ms"])
    for fault in faults:
        if BY_NAME[fault.kind].fails and _overlap(fault, began, ended):
            return fault.kind
    return None


def _forgot(delivery: Delivery, faults: Sequence[Fault]) -> str | None:
    """The failover that may have made Redis forget this delivery; None: it was none."""
    for fault in faults:
        lasting = fault.began_ms - _LAG_MS <= delivery.at_ms <= fault.ended_ms + SLACK_MS
        if BY_NAME[fault.kind].forgets and lasting:
            return fault.kind
    return None


def _overlap(fault: Fault, began: float, ended: float) -> bool:
    return began <= fault.ended_ms + SLACK_MS and ended >= fault.began_ms - SLACK_MS


def _judge_places(verdict: Verdict, stored: Stored) -> None:
    expected = {
        Status.SCHEDULED: "due",
        Status.PROCESSING: "locks",
        Status.DEAD: "dead",
        Status.DELIVERED: "done",
        Status.CANCELLED: "done",
    }
    for id in stored.messages.keys() | stored.places.keys():
        places = list(stored.places.get(id, ()))
        message = stored.messages.get(id)
        if message is None or places != [expected[message.status]]:
            verdict.offences["not in exactly one place"].append(f"{id}: {places}, {message and message.status}")


def _judge_history(verdict: Verdict, stored: Stored, faults: Sequence[Fault]) -> None:
    """Every finish is in the history, once; and nothing else is, but what a failover made Redis forget."""
    if stored.history is None:
        return
    for id, message in stored.messages.items():
        if message.finished_at is not None and message.finished_at not in stored.history.get(id, ()):
            verdict.offences["missing in the history"].append(f"{id}: {message.status} at {message.finished_at}")
    may_forget = any(BY_NAME[fault.kind].forgets for fault in faults)
    for id, finishes in stored.history.items():
        verdict.archived += len(finishes)
        known = stored.messages.get(id)
        strange = known is None or list(finishes) != [known.finished_at]
        if strange and not may_forget:
            verdict.offences["in the history, and not so in Redis"].append(f"{id}: {finishes}")


def _judge_strangers(
    verdict: Verdict,
    accepted: Sequence[Accepted],
    by_label: Mapping[str, Sequence[Delivery]],
    stored: Stored,
    unconfirmed: set[str],
) -> None:
    """Nothing is stored twice under two ids, and nothing was delivered that nobody sent."""
    known = {entry.label for entry in accepted} | unconfirmed
    labels = Counter(message.payload.strip('"') for message in stored.messages.values())
    for label, count in labels.items():
        if count > 1 or label not in known:
            verdict.offences["stored twice, or by nobody"].append(f"{label}: {count} times")
    for label in by_label.keys() - known:
        verdict.offences["delivered, and never sent"].append(label)


def _recovery(fault: Fault, accepted: Sequence[Accepted], stored: Stored) -> float:
    """The longest, ms, that anything accepted and due before the fault was over waited for the attempt that delivered
    it: since where recovery is counted from, or since it was accepted and due if that is later.  Without what waits at
    a flow key, fault or not.
    """
    longest = 0.0
    for entry in accepted:
        message = stored.messages.get(entry.id)
        if entry.flow or message is None:
            continue
        if message.status is Status.DELIVERED and entry.not_before_ms <= fault.ended_ms:
            due = max(entry.not_before_ms, message.created_at + entry.delay_ms)
            since = max(fault.counted_from_ms, due)
            longest = max(longest, float((message.attempts or [{}])[-1].get("started_at", 0)) - since)
    return longest
