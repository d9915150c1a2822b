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

SLACK_MS = 3000.0
"""A fault still works so long after its end: a lock's life and a look, a request that was under way."""

_OWNER = re.compile(r"\(lock ([^. ]*)\.")


@dataclass(frozen=True)
class Stored:
    """What Redis holds at the end."""

    messages: Mapping[str, Message]
    """id → message with its attempts."""
    places: Mapping[str, Sequence[str]]
    """id → the sets that hold it: due, locks, dead, done.  Also for ids without a message."""


@dataclass
class Verdict:
    """What a run showed."""

    accepted: int = 0
    delivered: int = 0
    dead: int = 0
    scheduled: int = 0
    deliveries: int = 0
    failed_attempts: int = 0
    repeats: Counter[str] = field(default_factory=Counter)
    """Fault that explains it → messages that were delivered once more."""
    lost_locks: Counter[str] = field(default_factory=Counter)
    """Fault that explains it → attempts that ended with an expired lock."""
    recovery_ms: dict[str, list[float]] = field(default_factory=dict)
    """Fault → per time that it struck: until the attempts began that delivered what had been due."""
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
    _judge_strangers(verdict, accepted, by_label, stored, set(unconfirmed))
    for fault in faults:
        verdict.recovery_ms.setdefault(fault.kind, []).append(_recovery(fault, accepted, stored))
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
    """Each attempt that was not the last one needs a fault that explains it, and each repeat such an attempt."""
    causes: list[str] = []
    for attempt in message.attempts or ():
        if attempt["outcome"] == "delivered" or entry.doomed:
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
    numbers = [delivery.attempt for delivery in good if delivery.attempt is not None]
    # Not in order: a server that was stopped may go on with its attempt after another one has made the next.
    if len(numbers) != len(set(numbers)):
        verdict.offences["repeated under the same attempt"].append(f"{entry.id}: {numbers}")
    if len(good) - 1 > len(causes):
        seen = [(round(d.at_ms), d.server, d.attempt) for d in good]
        verdict.offences["unexplained"].append(f"{entry.id}: {seen} for attempts {message.attempts}")
    for cause in causes[: max(0, len(good) - 1)]:
        verdict.repeats[cause] += 1


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
    """ms from where recovery is counted until the attempt began that delivered the last of what had been due then."""
    since = fault.counted_from_ms
    latest = since
    for entry in accepted:
        message = stored.messages.get(entry.id)
        if message is not None and message.status is Status.DELIVERED and entry.not_before_ms <= since:
            latest = max(latest, float((message.attempts or [{}])[-1].get("started_at", 0)))
    return latest - since
