"""From validated requests to what the store takes, and from stored messages to answers."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import orjson

from scheduler.api.http.body import for_handler, to_json
from scheduler.api.http.validate import check_channel
from scheduler.api.v1.models import BatchIn, MessageIn, MessagePatch
from scheduler.channels.webhook import MASK, AddressPolicy, WebhookTarget, check_url, is_masked
from scheduler.config.reading import Settings, WebhookSettings
from scheduler.errors import FieldError, InvalidInput
from scheduler.jobs import REGISTRY
from scheduler.message import Message, NewMessage, Priority
from scheduler.store import Changes
from scheduler.when import format_ms, parse_when

NOW = 0
"""A ``due_at`` that means: now, by Redis's clock.  Below it: so many ms from then."""

_MASKED = f"{MASK} is what answers show in place of a secret; give the secret itself"
"""Whoever sends back what an answer showed would have it sent to the endpoint."""


def due_at(time: Any, delay: Any, timezone: Any, now_ms: int, settings: Settings) -> int:
    """What the store takes for the moment asked for: ms, or from ``NOW`` down so many ms from now by Redis's clock.

    Raises ``InvalidInput`` for what cannot be read, and for a past moment when ``Scheduler.Past`` is ``reject``.
    """
    if time is None and delay is None:
        if timezone is not None:
            raise InvalidInput.of("timezone", "says in which zone time is meant, and time is not given")
        return NOW
    moment = parse_when(time, delay, timezone, now_ms)
    if delay is not None:
        # Counted from Redis's now: a server whose clock is wrong must not deliver early.
        return now_ms - moment
    refuse_past(moment, now_ms, settings)
    return moment


def refuse_past(moment: int, now_ms: int, settings: Settings) -> None:
    """Raises ``InvalidInput`` for a moment before now, when ``Scheduler.Past`` is ``reject``."""
    if moment < now_ms and settings.scheduler.past == "reject":
        raise InvalidInput.of("time", f"{format_ms(moment)} is in the past, and Scheduler.Past is reject")


def new_message(data: MessageIn, id: str, now_ms: int, settings: Settings) -> NewMessage:
    """A message to store under ``id``.  Raises ``InvalidInput``."""
    channel = _channel_of(data)
    payload = to_json(data.message).decode()
    type = known_type(data.job.type, "job.type") if data.job is not None else None
    return NewMessage(
        id=id,
        payload=for_handler(payload, "message") if data.job is not None else payload,
        due_at=due_at(data.time, data.delay, data.timezone, now_ms, settings),
        channel=channel,
        target=webhook_target(data.webhook, settings) if data.webhook is not None else None,
        type=type,
        lane=REGISTRY.lane_of(type) if type is not None else None,
        priority=Priority(data.priority or "normal"),
        retry=data.retry.policy(settings.retry.policy()) if data.retry is not None else None,
    )


def _channel_of(data: MessageIn) -> str:
    check_channel(data.channel)
    options = (("webhook", data.webhook), ("job", data.job))
    channel = data.channel or ("webhook" if data.webhook is not None else "job" if data.job is not None else "echo")
    for name, given in options:
        if (name == channel) != (given is not None):
            raise InvalidInput.of(name, f"is required by channel {name}, and by no other")
    return channel


def known_type(type: str, field: str) -> str:
    """A job type that has a handler.  Raises ``InvalidInput`` that names those that have."""
    if REGISTRY.get(type) is None:
        raise InvalidInput.of(field, REGISTRY.unknown(type))
    return type


@lru_cache(maxsize=8)
def _address_policy(settings: WebhookSettings) -> AddressPolicy:
    return AddressPolicy.from_settings(settings)


def check_target(url: str, settings: Settings, field: str) -> None:
    """Raises ``InvalidInput`` for an address that may not be called, as far as that can be known now."""
    check_url(url, _address_policy(settings.webhook), field)
    if is_masked(url):
        raise InvalidInput.of(field, _MASKED)


def webhook_target(target: WebhookTarget, settings: Settings) -> str:
    """The stored form of a webhook.  Raises ``InvalidInput``."""
    check_target(target.url, settings, "webhook.url")
    masked = [name for name, value in target.secret_headers().items() if value == MASK]
    if masked:
        raise InvalidInput([FieldError(f"webhook.headers.{name}", _MASKED) for name in masked])
    return target.encode()


def new_messages(batch: BatchIn, ids: Sequence[str], now_ms: int, settings: Settings) -> list[NewMessage]:
    """The messages of a batch.  Raises one ``InvalidInput`` that names every index at fault."""
    accepted: list[NewMessage] = []
    faults: list[FieldError] = []
    for index, (data, id) in enumerate(zip(batch.messages, ids, strict=True)):
        try:
            accepted.append(new_message(data, id, now_ms, settings))
        except InvalidInput as error:
            faults += [FieldError(f"messages.{index}.{fault.field}", fault.message) for fault in error.errors]
    if faults:
        raise InvalidInput(faults)
    return accepted


def changes(data: MessagePatch, now_ms: int, settings: Settings) -> Changes:
    """What a PATCH asks for.  Raises ``InvalidInput``, also when it asks for nothing."""
    if not data.model_fields_set:
        raise InvalidInput.of("", f"nothing to change; accepted: {', '.join(MessagePatch.model_fields)}")
    moment = due_at(data.time, data.delay, data.timezone, now_ms, settings)
    return Changes(
        due_at=moment if data.time is not None or data.delay is not None else None,
        payload=to_json(data.message).decode() if "message" in data.model_fields_set else None,
        target=webhook_target(data.webhook, settings) if data.webhook is not None else None,
        priority=Priority(data.priority) if data.priority is not None else None,
        retry=data.retry.policy(settings.retry.policy()) if data.retry is not None else None,
    )


def message_answer(message: Message, settings: Settings) -> dict[str, Any]:
    """A stored message as the API shows it; ``orjson.dumps`` writes it.  Nothing secret is in it."""
    answer: dict[str, Any] = {
        "id": message.id,
        "status": message.status,
        "channel": message.channel,
        # As it was accepted, digit by digit: parsing it again would change integers beyond 64 bits.
        "message": orjson.Fragment(message.payload),
        "scheduled_for": format_ms(message.scheduled_for),
        "due_at": format_ms(message.due_at),
        "due_at_ms": message.due_at,
        "priority": message.priority,
        "attempt": message.attempt,
        "max_attempts": message.retry.max_attempts if message.retry is not None else settings.retry.max_attempts,
        "created_at": format_ms(message.created_at),
        "updated_at": format_ms(message.updated_at),
        "last_error": message.last_error,
    }
    if message.channel == "webhook" and message.target is not None:
        answer["webhook"] = _webhook_answer(message.target)
    if message.channel == "job":
        answer["job"] = {"type": message.type or ""}
        answer["result"] = orjson.Fragment(message.result) if message.result is not None else None
    if message.attempts is not None:
        answer["attempts"] = [_attempt(attempt) for attempt in message.attempts]
    return answer


def _webhook_answer(target: str) -> dict[str, Any] | None:
    try:
        return WebhookTarget.decode(target).masked()
    except ValueError:
        # Stored by other means than this API.  Its delivery makes it a dead letter, which people must be able to see.
        return None


def _attempt(evidence: dict[str, Any]) -> dict[str, Any]:
    return {**evidence, "started_at": format_ms(evidence["started_at"])}
