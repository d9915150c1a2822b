"""Accept messages, for every route that does: store them once, count them once, recognise a repeated request."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from functools import partial

from scheduler import traceparent
from scheduler.api.http.exchange import Exchange
from scheduler.api.http.idempotency import NONE, Idempotency
from scheduler.errors import NotFound, StoreUnavailable
from scheduler.message import Message, NewMessage, Status
from scheduler.store import Scheduled


def new_ids(x: Exchange, count: int, once: Idempotency = NONE) -> list[str]:
    """Return new ids of one partition, so that one script stores them; with a key, of the partition that keeps it."""
    store = x.here.store
    return store.idempotent_ids(once.key, count) if once.key is not None else store.new_ids(count)


def with_ids(x: Exchange, messages: Sequence[NewMessage], once: Idempotency = NONE) -> list[NewMessage]:
    """Return the messages, with a new id where there is none (''), of the partition of the message's flow key."""
    flow_keys = [message.flow.key if message.flow else None for message in messages]
    ids = x.here.store.ids_for(flow_keys, once.key) if any(flow_keys) else new_ids(x, len(messages), once)
    return [message if message.id else message._replace(id=id) for message, id in zip(messages, ids, strict=True)]


async def accept(x: Exchange, message: NewMessage, once: Idempotency = NONE, *, own_id: bool = False) -> Scheduled:
    """Store one message.  ``own_id``: its id was chosen by the client, and may exist.

    Return what an earlier call with the same key stored, if there was one.  Raises ``Conflict`` when the id exists, or
    when the key was used with another body.
    """
    given, tracing = _given_trace(x), x.here.tracing
    if tracing is None:
        return await _store(x, message if given is None else message._replace(trace=given), once, own_id)
    with tracing.send([message], given) as sending:
        stored = await _store(x, message._replace(trace=sending.trace), once, own_id)
        if is_replay(stored):
            sending.repeats(stored.id)
        return stored


async def _store(x: Exchange, message: NewMessage, once: Idempotency, own_id: bool) -> Scheduled:
    if once.key is not None or own_id:
        return (await _store_all(x, [message], once))[0]
    # The usual case: messages that are accepted at the same time share a script call.
    stored = await x.waits.store(message)
    x.here.telemetry.accepted(message.channel, 1)
    return stored


async def accept_all(x: Exchange, messages: Sequence[NewMessage], once: Idempotency = NONE) -> list[Scheduled]:
    """Store messages, all or none; answers and errors as of ``accept``."""
    given, tracing = _given_trace(x), x.here.tracing
    if tracing is None:
        return await _store_all(x, _with_trace(messages, given) if given else messages, once)
    with tracing.send(messages, given) as sending:
        stored = await _store_all(x, _with_trace(messages, sending.trace), once)
        if any(map(is_replay, stored)):
            sending.repeats(None)
        return stored


async def _store_all(x: Exchange, messages: Sequence[NewMessage], once: Idempotency) -> list[Scheduled]:
    schedule = x.here.store.schedule
    stored = await x.waits.call(partial(schedule, messages, idempotency_key=once.key, fingerprint=once.fingerprint))
    _count(x, messages, stored)
    return stored


def _given_trace(x: Exchange) -> str | None:
    """Return the trace that the request belongs to; one that cannot be read counts as none."""
    given = x.headers.get(traceparent.HEADER, "")
    return given if given and traceparent.is_valid(given) else None


def _with_trace(messages: Sequence[NewMessage], trace: str | None) -> Sequence[NewMessage]:
    return [message._replace(trace=trace) for message in messages]


def is_replay(stored: Scheduled) -> bool:
    """Return whether an earlier call stored it."""
    return stored.created_at is None


def _count(x: Exchange, messages: Sequence[NewMessage], stored: Sequence[Scheduled]) -> None:
    fresh = Counter(message.channel for message, one in zip(messages, stored, strict=True) if not is_replay(one))
    for channel, number in fresh.items():
        x.here.telemetry.accepted(channel, number)


async def stored_message(x: Exchange, message: NewMessage, stored: Scheduled) -> Message:
    """Return the message as it was accepted, or, when an earlier call stored it, as it is now, without its attempts."""
    here = x.here
    if is_replay(stored):
        # It may be deleted by now, or Redis may be away: the answer says all the same that it was accepted.
        with suppress(NotFound, StoreUnavailable):
            found = await x.waits.call(partial(here.store.get, stored.id))
            found.attempts = None
            return found
    created_at = stored.created_at if stored.created_at is not None else here.now_ms()
    return Message(
        id=stored.id,
        status=Status.SCHEDULED,
        channel=message.channel,
        payload=message.payload,
        due_at=stored.due_at,
        priority=message.priority,
        attempt=0,
        created_at=created_at,
        updated_at=created_at,
        retry=message.retry,
        target=message.target,
        type=message.type,
        owner=message.owner,
        flow_key=message.flow.key if message.flow else None,
        redriven_from=message.redriven_from,
    )
