"""Between the scripts' flat replies and the types of message.py: pure, no I/O."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from scheduler.message import Claim, Message, NewMessage, Outcome, Priority, Status, lane_of
from scheduler.retry import RetryPolicy

Cell = str | None

PAGE_FIELDS = ("p", "c", "n", "q", "t", "y", "w", "r", "s", "d", "g", "a", "e", "u", "f", "x", "m", "b")
"""What a list needs of a message: everything but the evidence of its attempts."""

_PRIORITIES: dict[str | None, Priority] = {None: Priority.NORMAL, **{p.value: p for p in Priority}}


def schedule_items(messages: Sequence[NewMessage]) -> list[str | int]:
    """The list that schedule.lua takes."""
    items: list[str | int] = []
    for m in messages:
        retry = m.retry.encode() if m.retry else ""
        # str() would be 0.2 µs more per message than the enum's own value.
        items += (
            m.id,
            m.payload,
            m.due_at,
            m.channel,
            m.priority.value,
            m.target or "",
            m.type or "",
            m.owner or "",
            retry,
            m.lane or "",
        )
    return items


def claim_of(row: Sequence[Any], token: str, partition: int) -> Claim:
    """One row of claim.lua's reply."""
    id, since, attempt, payload, channel, target, type, retry, priority, created_at, lane = row
    return Claim(
        id,
        token,
        attempt,
        int(since),
        channel or "echo",
        payload,
        target,
        type,
        RetryPolicy.decode(retry) if retry else None,
        _PRIORITIES[priority],
        int(created_at),
        partition,
        lane or lane_of(channel or "echo", type),
    )


_NAMES = {"ack": "delivered", "retry": "failed", "dead": "failed"}


def evidence_of(outcome: Outcome) -> str:
    """The record of one attempt, as JSON text; ``started_at`` in ms by Redis's clock.  Empty for a release: an attempt
    that is not charged leaves none.
    """
    if outcome.kind == "release":
        return ""
    started_at = round(outcome.claim.due_at + outcome.lateness_ms)
    if outcome.kind == "ack" and not outcome.evidence:
        # The usual case in 30 bytes: JSON's 90 would turn the message's compact hash into a table of four times the
        # size (hash-max-listpack-value, 64 by default).
        return f"{outcome.claim.attempt} {started_at} {outcome.duration_ms:.3f} {outcome.lateness_ms:.3f}"
    head = (
        f'{{"attempt":{outcome.claim.attempt},"started_at":{started_at},'
        f'"duration_ms":{outcome.duration_ms:.3f},"lateness_ms":{outcome.lateness_ms:.3f},'
        f'"outcome":"{_NAMES[outcome.kind]}"'
    )
    more: dict[str, Any] = {"error": outcome.error} if outcome.error is not None else {}
    more.update(outcome.evidence or {})
    if not more:
        return head + "}"
    return head + "," + json.dumps(more, ensure_ascii=False, separators=(",", ":"))[1:]


def settle_items(outcomes: Sequence[Outcome], records: Sequence[str]) -> list[str | int]:
    """The list that settle.lua takes.  Raises ``ValueError`` for a retry without a delay (``retry.after_failure``)."""
    items: list[str | int] = []
    for o, record in zip(outcomes, records, strict=True):
        delay = "" if o.delay_ms is None else o.delay_ms
        if o.kind == "retry" and delay == "":
            raise ValueError(f"the retry of message {o.claim.id} has no delay")
        items += (o.claim.id, o.claim.token, o.kind, delay, o.error or "", record, o.result or "")
    return items


def _pairs(flat: Sequence[str]) -> dict[str, str]:
    return dict(zip(flat[::2], flat[1::2], strict=True))


def _int(value: Cell) -> int | None:
    # Lua's numbers reach Redis as "1.795e+12" only beyond 2^53; scores may come as "1795000000000".
    return int(float(value)) if value else None


def message_of(id: str, due_at: Cell, fields: Mapping[str, Cell]) -> Message:
    """A message from its hash; ``due_at`` is the due set's score while it is scheduled."""
    created_at = _int(fields.get("c")) or 0
    retry = fields.get("r")
    status = Status(fields.get("s") or "scheduled")
    return Message(
        id=id,
        status=status,
        channel=fields.get("n") or "echo",
        payload=fields.get("p") or "null",
        due_at=_int(due_at) or 0,
        priority=_PRIORITIES[fields.get("q")],
        attempt=_int(fields.get("a")) or 0,
        created_at=created_at,
        updated_at=_int(fields.get("f")) or _int(fields.get("u")) or created_at,
        target=fields.get("t"),
        type=fields.get("y"),
        owner=fields.get("w"),
        retry=RetryPolicy.decode(retry) if retry else None,
        started_at=_int(fields.get("g")),
        finished_at=_int(fields.get("f")),
        # What went wrong before it was delivered is told by its attempts: a delivered message must not look failed.
        last_error=fields.get("e") if status is not Status.DELIVERED else None,
        result=fields.get("x"),
        moved_from=_int(fields.get("m") or fields.get("b")),
    )


def _attempt_of(record: str) -> dict[str, Any]:
    if record.startswith("{"):
        attempt: dict[str, Any] = json.loads(record)
        return attempt
    number, started_at, duration_ms, lateness_ms = record.split(" ")
    return {
        "attempt": int(number),
        "started_at": int(started_at),
        "duration_ms": float(duration_ms),
        "lateness_ms": float(lateness_ms),
        "outcome": "delivered",
    }


def whole_message(id: str, snapshot: Sequence[Any]) -> Message:
    """A message with its attempts, from the reply of _message.lua's ``snapshot``."""
    fields = _pairs(snapshot[1])
    message = message_of(id, snapshot[0], fields)
    numbered = sorted((int(name[2:]), record) for name, record in fields.items() if name.startswith("h:"))
    message.attempts = [_attempt_of(record) for _, record in numbered]
    return message


def listed_message(row: Sequence[Any]) -> Message:
    """A message without its attempts, from a row of page.lua's reply."""
    id, score, *cells = row
    fields = dict(zip(PAGE_FIELDS, cells, strict=True))
    return message_of(id, fields["d"] or score, fields)
