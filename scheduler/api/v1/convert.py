"""Turn validated requests into what the store takes, and stored messages into answers."""

from __future__ import annotations

from typing import Any

import orjson

from scheduler.api.http.body import to_json
from scheduler.api.http.validate import check_channel
from scheduler.api.v1.flow_models import FlowIn
from scheduler.api.v1.models import BatchIn, MessageIn, MessagePatch
from scheduler.channels.base import ChannelKind
from scheduler.channels.registry import CHANNELS
from scheduler.config.reading import Settings
from scheduler.errors import Conflict, FieldError, InvalidInput
from scheduler.flow import Flow, FlowLimits
from scheduler.history import Finished
from scheduler.message import NOW, Due, FromNow, Message, NewMessage, Priority, made_by
from scheduler.store import Changes
from scheduler.store.partitions import partition_of
from scheduler.when import format_ms, parse_when

_DEFAULT = next(iter(CHANNELS))
_WITH_OPTIONS = tuple(name for name, kind in CHANNELS.items() if kind.options)
"""Channels whose messages have an object of their name."""


def due_at(time: Any, delay: Any, timezone: Any, now_ms: int, settings: Settings) -> Due:
    """Return when a message is to be due.

    Raises ``InvalidInput`` for what cannot be read, and for a past moment when ``Scheduler.Past`` is ``reject``.
    """
    if time is None and delay is None:
        if timezone is not None:
            raise InvalidInput.of("timezone", "says in which zone time is meant, and time is not given")
        return NOW
    moment = parse_when(time, delay, timezone, now_ms)
    if delay is not None:
        # Counted from Redis's now: a server whose clock is wrong must not deliver early.
        return FromNow(moment - now_ms)
    refuse_past(moment, now_ms, settings)
    return moment


def refuse_past(moment: int, now_ms: int, settings: Settings) -> None:
    """Raise ``InvalidInput`` for a moment before now when ``Scheduler.Past`` is ``reject``."""
    if moment < now_ms and settings.scheduler.past == "reject":
        raise InvalidInput.of("time", f"{format_ms(moment)} is in the past, and Scheduler.Past is reject")


def new_message(data: MessageIn, id: str, now_ms: int, settings: Settings) -> NewMessage:
    """Return the message to store under ``id`` ('': an id is made later).  Raises ``InvalidInput``."""
    kind = _kind_of(data)
    payload = to_json(data.message).decode()
    moment = due_at(data.time, data.delay, data.timezone, now_ms, settings)
    address = kind.address(getattr(data, kind.name, None), payload, settings)
    flow = flow_of(data.flow, kind, address.target, settings)
    refuse_elsewhere(id, flow, settings)
    return NewMessage(
        id=id,
        payload=payload,
        due_at=moment,
        channel=kind.name,
        target=address.target,
        type=address.type,
        lane=address.lane,
        priority=Priority(data.priority or "normal"),
        retry=data.retry.policy(settings.retry.policy()) if data.retry is not None else None,
        flow=flow,
    )


def flow_of(data: FlowIn | None, kind: ChannelKind, target: str | None, settings: Settings) -> Flow | None:
    """Return the flow key of a message with its limits; None: it has none."""
    rules = settings.flow.rules
    if data is not None:
        return rules.flow_of(data.key, data.limits(), None)
    if rules.per_destination is None:
        return None
    return rules.flow_of(None, FlowLimits(), kind.destination(target))


def refuse_elsewhere(id: str, flow: Flow | None, settings: Settings) -> None:
    """Raise ``InvalidInput`` for an own id in another partition than its flow key.  ``id``: '' for none."""
    partitions = settings.redis.partitions
    if not id or flow is None or partition_of(id, partitions) == partition_of(flow.key, partitions):
        return
    raise InvalidInput.of(
        "id",
        f"lies in another of the {partitions} parts of Redis (Redis.Partitions) than the flow key {flow.key!r}, whose "
        "messages must lie together; accepted: no id, and one is made that fits",
    )


def _kind_of(data: MessageIn) -> ChannelKind:
    check_channel(data.channel)
    given = [name for name in _WITH_OPTIONS if getattr(data, name) is not None]
    channel = data.channel or (given[0] if given else _DEFAULT)
    for name in _WITH_OPTIONS:
        if (name == channel) != (name in given):
            raise InvalidInput.of(name, f"is required by channel {name}, and by no other")
    return CHANNELS[channel]


def new_messages(batch: BatchIn, now_ms: int, settings: Settings) -> list[NewMessage]:
    """Return the messages of a batch, with the id '' where none is given.

    Raises one ``InvalidInput`` that names every index at fault.
    """
    accepted: list[NewMessage] = []
    faults: list[FieldError] = []
    for index, data in enumerate(batch.messages):
        try:
            accepted.append(new_message(data, data.id or "", now_ms, settings))
        except InvalidInput as error:
            faults += [FieldError(f"messages.{index}.{fault.field}", fault.message) for fault in error.errors]
    if faults:
        raise InvalidInput(faults)
    return accepted


def changes(data: MessagePatch, now_ms: int, settings: Settings) -> Changes:
    """Return the changes of a PATCH.  Raises ``InvalidInput``, also when it changes nothing."""
    if not data.model_fields_set:
        raise InvalidInput.of("", f"nothing to change; accepted: {', '.join(MessagePatch.model_fields)}")
    moment = due_at(data.time, data.delay, data.timezone, now_ms, settings)
    kind = kind_changed(data)
    return Changes(
        due_at=moment if data.time is not None or data.delay is not None else None,
        payload=to_json(data.message).decode() if "message" in data.model_fields_set else None,
        target=kind.address(getattr(data, kind.name), "", settings).target if kind is not None else None,
        priority=Priority(data.priority) if data.priority is not None else None,
        retry=data.retry.policy(settings.retry.policy()) if data.retry is not None else None,
    )


def kind_changed(data: MessagePatch) -> ChannelKind | None:
    """Return the channel whose options are replaced; None: none is."""
    changeable = (kind for kind in CHANNELS.values() if kind.change_text)
    return next((kind for kind in changeable if getattr(data, kind.name) is not None), None)


def message_answer(message: Message, settings: Settings) -> dict[str, Any]:
    """Return a stored message as the API shows it, for ``orjson.dumps``.  Secrets are masked."""
    answer: dict[str, Any] = {
        "id": message.id,
        "status": message.status,
        "channel": message.channel,
        # As it was accepted, digit by digit: parsing it would change integers beyond 64 bits.
        "message": orjson.Fragment(message.payload),
        "scheduled_for": format_ms(message.scheduled_for),
        "due_at": format_ms(message.due_at),
        "due_at_ms": message.due_at,
        "priority": message.priority,
        "flow": None if message.flow_key is None else {"key": message.flow_key, "waited_ms": message.flow_wait_ms},
        "attempt": message.attempt,
        "max_attempts": message.retry.max_attempts if message.retry is not None else settings.retry.max_attempts,
        "created_at": format_ms(message.created_at),
        "updated_at": format_ms(message.updated_at),
        "last_error": message.last_error,
    }
    if message.redriven_from is not None:
        answer["redriven_from"] = message.redriven_from
    # A message of an unknown channel was not stored by this API, or by a newer version of it.
    if (kind := CHANNELS.get(message.channel)) is not None:
        answer.update(kind.shown(message))
    if message.run is not None:
        made = made_by(message.id, message.run)
        answer["schedule_id"], answer["origin"] = made.schedule, made.origin
    if message.attempts is not None:
        answer["attempts"] = [_attempt(attempt) for attempt in message.attempts]
    return answer


def finished_answer(row: Finished, settings: Settings, *, attempts: bool = False) -> dict[str, Any]:
    """Return a row of the history as the API shows it."""
    message = row.message()
    if not attempts:
        message.attempts = None
    answer = message_answer(message, settings)
    if row.payload is None:
        answer["message_kept"] = False
        if row.payload_sha256 is not None:
            answer["message_sha256"] = row.payload_sha256
    return answer


def message_again(row: Finished, settings: Settings) -> NewMessage:
    """Return a new message, with the id '', that repeats a row of the history.

    Raises ``Conflict`` when that kept too little.
    """
    old = row.message()
    kind = CHANNELS.get(row.channel)
    if row.payload is None or kind is None:
        raise Conflict(f"Message {row.id!r} cannot be sent again: the history did not keep its payload.")
    try:
        address = kind.again(old, settings)
    except InvalidInput as error:
        raise Conflict(f"Message {row.id!r} cannot be sent again as it was: {error}") from error
    flow = flow_of(None, kind, address.target, settings)
    if row.flow_key is not None:
        flow = settings.flow.rules.flow_of(row.flow_key, FlowLimits(), None)
    return NewMessage(
        id="",
        payload=row.payload,
        due_at=NOW,
        channel=row.channel,
        target=address.target,
        type=address.type,
        lane=address.lane,
        priority=old.priority,
        owner=row.owner,
        retry=old.retry,
        redriven_from=row.id,
        flow=flow,
    )


def _attempt(evidence: dict[str, Any]) -> dict[str, Any]:
    return {**evidence, "started_at": format_ms(evidence["started_at"])}
