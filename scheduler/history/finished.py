"""What is kept of one finish of a message: a row of the database.  Pure, no I/O."""

from __future__ import annotations

from hashlib import sha256
from typing import Literal, NamedTuple

import orjson

from scheduler.channels.registry import CHANNELS
from scheduler.masking import escape
from scheduler.message import Message, Priority, Status, made_by
from scheduler.retry import RetryPolicy
from scheduler.telemetry.histograms import bucket_of

Payloads = Literal["full", "hash", "none"]


class Finished(NamedTuple):
    """One finish of one message; ``id`` and ``finished_at`` name it.  The fields are the columns of the table.

    A NamedTuple: making one takes a third of the time of a frozen dataclass.
    """

    id: str
    finished_at: int
    """ms"""
    status: str
    channel: str
    type: str | None
    owner: str | None
    priority: str
    schedule_id: str | None
    run: str | None
    """How its schedule made it, as the store keeps it."""
    flow_key: str | None
    destination: str | None
    """The host that a webhook was sent to."""
    created_at: int
    scheduled_for: int
    due_at: int
    started_at: int | None
    attempt: int
    lateness_bucket: int | None
    """Of the last attempt, as ``histograms.bucket_of``; None when none was made."""
    retry: str | None
    target: str | None
    """Secrets are masked."""
    redriven_from: str | None
    payload: str | None
    """JSON text; None when ``History.Payloads`` left it out."""
    payload_sha256: str | None
    last_error: str | None
    result: str | None
    attempts: str
    """JSON text: the evidence, oldest first."""

    def without_payload(self) -> Finished:
        """Return the same without its long texts, for a database that refuses them; of the last error, without the
        characters that one may refuse.
        """
        digest = sha256(self.payload.encode("utf-8", "replace")).hexdigest() if self.payload is not None else None
        sha256_kept = self.payload_sha256 or digest
        error = escape(self.last_error) if self.last_error else self.last_error
        return self._replace(payload=None, payload_sha256=sha256_kept, last_error=error, result=None, attempts="[]")

    def message(self) -> Message:
        """Return it as the store would."""
        attempts = orjson.loads(self.attempts)
        return Message(
            id=self.id,
            status=Status(self.status),
            channel=self.channel,
            payload="null" if self.payload is None else self.payload,
            due_at=self.due_at,
            priority=Priority(self.priority),
            attempt=self.attempt,
            created_at=self.created_at,
            updated_at=self.finished_at,
            target=self.target,
            type=self.type,
            owner=self.owner,
            retry=RetryPolicy.decode(self.retry) if self.retry else None,
            started_at=self.started_at,
            finished_at=self.finished_at,
            last_error=self.last_error,
            result=self.result,
            attempts=attempts,
            moved_from=self.scheduled_for,
            redriven_from=self.redriven_from,
            run=self.run,
            flow_key=self.flow_key,
            flow_wait_ms=attempts[-1].get("flow_wait_ms", 0) if attempts else 0,
        )


def finished_of(message: Message, finished_at: int, payloads: Payloads) -> Finished:
    """Return the row of a finished message; ``finished_at``: ms."""
    kind = CHANNELS.get(message.channel)
    kept = kind.kept(message.target) if kind is not None else None
    attempts = message.attempts or []
    late = attempts[-1].get("lateness_ms") if attempts else None
    return Finished(
        id=message.id,
        finished_at=finished_at,
        status=message.status.value,
        channel=message.channel,
        type=message.type,
        owner=message.owner,
        priority=message.priority.value,
        schedule_id=made_by(message.id, message.run).schedule if message.run else None,
        run=message.run,
        flow_key=message.flow_key,
        destination=kept.destination if kept else None,
        created_at=message.created_at,
        scheduled_for=message.scheduled_for,
        due_at=message.due_at,
        started_at=message.started_at,
        attempt=message.attempt,
        lateness_bucket=bucket_of(late) if late is not None else None,
        retry=message.retry.encode() if message.retry else None,
        target=kept.target if kept else message.target,
        redriven_from=message.redriven_from,
        payload=message.payload if payloads == "full" else None,
        payload_sha256=sha256(message.payload.encode()).hexdigest() if payloads == "hash" else None,
        last_error=message.last_error,
        result=message.result if payloads == "full" else None,
        attempts=orjson.dumps(attempts).decode(),
    )
