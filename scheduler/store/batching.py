"""Batching: what several threads bring at the same time goes to Redis in one call.

Settling (delivery/settler.py) is made of it.  A thread that brings something while nobody has the turn gets the turn,
and with it everything that waits; what comes meanwhile is the next group.  There is no timer: a lone item goes out at
once, a flood in groups as large as the flood.

The turn is carried out in a caller's thread, which costs no hand-over.  No caller ever waits for a Redis that is away:
it leaves the turn to a thread made for that.  The scheduler thread and the one that stops the service are such callers,
and a stop that waited for Redis never ended.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Generic, TypeVar

T = TypeVar("T")


class Batching(Generic[T]):
    """What waits, and whether some thread has the turn.  Thread-safe."""

    def __init__(self, most: int) -> None:
        """``most``: items per group."""
        self._most = most
        self._lock = threading.Lock()
        self._waiting: list[T] = []
        self._taken = False

    def __len__(self) -> int:
        """How many items wait."""
        return len(self._waiting)

    def add(self, items: Sequence[T]) -> bool:
        """Let these wait.  True: the caller has the turn now; False: another thread has it, and will take them."""
        with self._lock:
            self._waiting += items
            mine, self._taken = not self._taken, True
            return mine

    def take(self) -> list[T]:
        """Return the next group, for the thread that has the turn.  Empty: nothing waits, and the turn is over."""
        with self._lock:
            group, self._waiting = self._waiting[: self._most], self._waiting[self._most :]
            self._taken = bool(group)
            return group

    def put_back(self, items: Sequence[T]) -> None:
        """Let these wait again, behind what came meanwhile; the turn goes on."""
        with self._lock:
            self._waiting += items

    def drop_turn(self) -> None:
        """End the turn after a defect, whatever waits: the next ``add`` begins another.  Otherwise none ever would."""
        with self._lock:
            self._taken = False
