"""Messages of 50 bytes that say which one they are and when they were due, in bulk."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from scheduler.clock import SystemClock
from scheduler.config.reading import Settings
from scheduler.flow import Flow
from scheduler.message import IdGenerator, NewMessage
from scheduler.redis_server.connections import connect
from scheduler.store import MessageStore
from scheduler.store import store_for as service_store

SIZE = 50
"""Bytes of a message's text."""
BATCH = 1000
FAR_MS = 30 * 86_400_000
"""Far in the future: nothing that is due then plays a part in a run."""

clock = SystemClock()


class Mark(NamedTuple):
    """What a message's text says of it."""

    number: int
    due_at: int
    """ms"""


def text_of(number: int, due_at: int) -> str:
    """``SIZE`` bytes."""
    return f"{number:08d} {due_at:d} ".ljust(SIZE, "x")


def mark_of(text: str) -> Mark:
    """What ``text_of`` was given."""
    number, due_at, _ = text.split(" ")
    return Mark(int(number), int(due_at))


def open_store(url: str, partitions: int = 1) -> MessageStore:
    """The store that the service itself would use, on the Redis at ``url``."""
    settings = Settings.model_validate({"redis": {"partitions": partitions}})
    store = service_store(settings, connect(url, socket_timeout=60), clock)
    store.open()
    return store


def fill(
    store: MessageStore,
    count: int,
    due_at: Callable[[int], int],
    first: int = 0,
    *,
    flows: Sequence[Flow] = (),
    **fields: Any,
) -> None:
    """Schedule ``count`` messages; the one with number ``first + i`` is due at ``due_at(i)`` ms.  ``flows``: what they
    say of their flow keys, in turns.  ``fields``: more of each ``NewMessage``.
    """
    new_id = IdGenerator(clock.now_ms)
    for start in range(0, count, BATCH):
        batch = []
        for i in range(start, min(count, start + BATCH)):
            due = due_at(i)
            flow = flows[i % len(flows)] if flows else None
            payload = f'"{text_of(first + i, due)}"'
            batch.append(NewMessage(id=new_id(), payload=payload, due_at=due, flow=flow, **fields))
        store.schedule(batch)


def fill_far(store: MessageStore, count: int, first: int = 90_000_000) -> None:
    """Schedule messages that stay pending: each at a millisecond of its own, from ``FAR_MS`` ahead."""
    begin = clock.now_ms() + FAR_MS
    fill(store, count, lambda i: begin + i, first)
