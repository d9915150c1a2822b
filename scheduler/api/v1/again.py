"""Redrive messages: dead letters of Redis, and finished messages of the history as new ones that name the old ones."""

from __future__ import annotations

from functools import partial

from scheduler.api.http.accept import accept, stored_message, with_ids
from scheduler.api.http.exchange import Exchange
from scheduler.api.http.idempotency import Idempotency
from scheduler.api.v1.convert import message_again
from scheduler.errors import Conflict, NotFound
from scheduler.history import Finished
from scheduler.message import Message, Status


async def send_again(x: Exchange, row: Finished, once: Idempotency) -> Message:
    """Store a new message that repeats a row, due now.  Raises ``Conflict`` when the row kept too little for that."""
    (message,) = with_ids(x, [message_again(row, x.here.settings)], once)
    return await stored_message(x, message, await accept(x, message, once))


async def redrive(x: Exchange, id: str) -> Message:
    """Schedule a dead letter again, without its attempts in the answer.

    One that Redis has no more is repeated by a new message, once for each time that it died.  Raises ``NotFound`` when
    the history does not have it either, ``Conflict`` when it is not dead.
    """
    try:
        message = await x.waits.call(partial(x.here.store.redrive, id))
    except NotFound:
        row = await x.waits.call(partial(x.here.history.one, id)) if x.here.history is not None else None
        if row is None:
            raise
        return await _redrive_row(x, row)
    message.attempts = None
    return message


async def _redrive_row(x: Exchange, row: Finished) -> Message:
    if row.status != Status.DEAD:
        raise Conflict(
            f"Message {row.id!r} is {row.status}; only a message that is dead can be redriven. "
            f"POST /v1/history/{row.id}/redrive sends any finished message again."
        )
    # In Redis a second redrive finds no dead letter.  Here the row stays, so a request that is sent again would make a
    # second message.  No client can send this key: it is not printable.
    once = Idempotency(f"redrive\n{row.id}@{row.finished_at}", "redrive")
    return await send_again(x, row, once)
