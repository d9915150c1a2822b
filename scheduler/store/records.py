"""Convert between the flat lists of the scripts and the types of message.py.  Pure, no I/O."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from scheduler.message import Claim, Due, FromNow, Message, NewMessage, Outcome, Priority, Status, lane_of
from scheduler.retry import RetryPolicy

Cell = str | None

_FLOW_NUMBER = 5
"""Characters of the number in front of a flow key, in messages without a slash behind it (``_flow_keys.lua``)."""

PAGE_FIELDS = (
    "p", "c", "n", "q", "t", "y", "w", "r", "s", "d", "g", "a", "e", "u", "f", "x", "m", "b", "i", "H", "F", "W",
)  # fmt: skip
"""The fields that a list shows: all but the evidence of attempts."""

_PRIORITIES: dict[str | None, Priority] = {None: Priority.NORMAL, **{p.value: p for p in Priority}}


def due_cell(due: Due) -> str | int:
    """Return how a script is told when a message is to be due: ms since the epoch, or ``+`` and the ms from now."""
    return f"+{due.ms}" if isinstance(due, FromNow) else due


def schedule_items(messages: Sequence[NewMessage]) -> list[str | int]:
    """Return the list of items for schedule.lua."""
    items: list[str | int] = []
    for m in messages:
        retry = m.retry.encode() if m.retry else ""
        # .value: str() takes 0.2 µs more per message.
        items += (
            m.id,
            m.payload,
            due_cell(m.due_at),
            m.channel,
            m.priority.value,
            m.target or "",
            m.type or "",
            m.owner or "",
            retry,
            m.lane or "",
            m.flow.encode() if m.flow else "",
            m.trace or "",
        )
    return items


_NONE = (None, None, None, None)
"""What claim.lua leaves out when a message has none of it: lane, run, wait for the flow key, trace."""


def claim_of(row: Sequence[Any], token: str, partition: int) -> Claim:
    """Return the claim of one row of the reply of claim.lua."""
    id, since, attempt, payload, channel, target, type, retry, priority, created_at = row[:10]
    lane, run, flow_wait, trace = row[10:] or _NONE
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
        run,
        None if flow_wait is None else int(flow_wait),
        trace,
    )


_NAMES = {"ack": "delivered", "retry": "failed", "dead": "failed"}


def evidence_of(outcome: Outcome) -> str:
    """Return the record of one attempt as text (field ``h:<n>`` of a message); ``started_at`` in ms by Redis's clock.

    It is empty for a release: an attempt that is not charged leaves no record.
    """
    if outcome.kind == "release":
        return ""
    started_at = round(outcome.claim.late_from + outcome.lateness_ms)
    if outcome.kind == "ack" and not outcome.evidence:
        # 30 bytes for the usual case.  JSON takes 90, and one value above hash-max-listpack-value (64 by default) makes
        # Redis store the whole hash as a table of four times the size.
        usual = f"{outcome.claim.attempt} {started_at} {outcome.duration_ms:.3f} {outcome.lateness_ms:.3f}"
        return f"{usual} {outcome.claim.flow_wait_ms}" if outcome.claim.flow_wait_ms is not None else usual
    head = (
        f'{{"attempt":{outcome.claim.attempt},"started_at":{started_at},'
        f'"duration_ms":{outcome.duration_ms:.3f},"lateness_ms":{outcome.lateness_ms:.3f},'
        f'"outcome":"{_NAMES[outcome.kind]}"'
    )
    more: dict[str, Any] = {"error": outcome.error} if outcome.error is not None else {}
    if outcome.claim.flow_wait_ms is not None:
        more["flow_wait_ms"] = outcome.claim.flow_wait_ms
    more.update(outcome.evidence or {})
    if not more:
        return head + "}"
    return head + "," + json.dumps(more, ensure_ascii=False, separators=(",", ":"))[1:]


def settle_items(outcomes: Sequence[Outcome], records: Sequence[str]) -> list[str | int]:
    """Return the list of items for settle.lua.  Raises ``ValueError`` for a retry without a delay."""
    items: list[str | int] = []
    for o, record in zip(outcomes, records, strict=True):
        delay = "" if o.delay_ms is None else o.delay_ms
        if o.kind == "retry" and delay == "":
            raise ValueError(f"the retry of message {o.claim.id} has no delay")
        texts = len(o.claim.payload.encode()) + len((o.claim.target or "").encode())
        items += (o.claim.id, o.claim.token, o.kind, delay, o.error or "", record, o.result or "", texts)
    return items


def _pairs(flat: Sequence[str]) -> dict[str, str]:
    return dict(zip(flat[::2], flat[1::2], strict=True))


def _flow_key(mark: str | None) -> str | None:
    """Return the flow key of a message from its field ``F``."""
    if mark is None:
        return None
    _, slash, key = mark.partition("/")
    return key if slash else mark[_FLOW_NUMBER:]


def _int(value: Cell) -> int | None:
    # int(float()): a score may be written as a float.
    return int(float(value)) if value else None


def message_of(id: str, due_at: Cell, fields: Mapping[str, Cell]) -> Message:
    """Return the message of a hash; ``due_at`` is the score in the due set while it is scheduled."""
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
        # A delivered message must not look failed; its attempts still show the earlier errors.
        last_error=fields.get("e") if status is not Status.DELIVERED else None,
        result=fields.get("x"),
        moved_from=_int(fields.get("m") or fields.get("b")),
        run=fields.get("i"),
        redriven_from=fields.get("H"),
        flow_key=_flow_key(fields.get("F")),
        flow_wait_ms=_int(fields.get("W")) or 0,
    )


def _attempt_of(record: str) -> dict[str, Any]:
    if record.startswith("{"):
        attempt: dict[str, Any] = json.loads(record)
        return attempt
    number, started_at, duration_ms, lateness_ms, *flow_wait_ms = record.split(" ")
    return {
        "attempt": int(number),
        "started_at": int(started_at),
        "duration_ms": float(duration_ms),
        "lateness_ms": float(lateness_ms),
        "outcome": "delivered",
        **({"flow_wait_ms": int(flow_wait_ms[0])} if flow_wait_ms else {}),
    }


def finished_message(id: str, flat: Sequence[str]) -> Message:
    """Return a finished message with its attempts, from all fields of its hash."""
    due_at = flat[flat.index("d") + 1] if "d" in flat[::2] else None
    return whole_message(id, [due_at, flat])


def whole_message(id: str, snapshot: Sequence[Any]) -> Message:
    """Return a message with its attempts, from the reply of ``snapshot`` in _message.lua."""
    fields = _pairs(snapshot[1])
    message = message_of(id, snapshot[0], fields)
    numbered = sorted((int(name[2:]), record) for name, record in fields.items() if name.startswith("h:"))
    message.attempts = [_attempt_of(record) for _, record in numbered]
    return message


def listed_message(row: Sequence[Any]) -> Message:
    """Return a message without its attempts, from a row of the reply of page.lua."""
    id, score, *cells = row
    fields = dict(zip(PAGE_FIELDS, cells, strict=True))
    return message_of(id, fields["d"] or score, fields)
