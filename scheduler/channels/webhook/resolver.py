"""Resolve host names in threads of this service instead of libcurl's.

The resolver of libcurl depends on how it was built.  The one in the wheel makes a look-up per transfer, a fixed number
at a time: 100 transfers to a name whose name server is silent would delay all other names.  Here, a name is looked up
once for all transfers that wait for it, and a known address is used while its name is looked up again.
"""

from __future__ import annotations

import contextlib
import queue
import socket
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from scheduler.clock import Clock

FRESH_SECONDS = 60.0
USABLE_SECONDS = 300.0
"""Older addresses are not used, as the name may have moved."""
FAILED_SECONDS = 2.0
"""Time between look-ups of a name whose look-up failed."""
MAX_NAMES = 10_000
MAX_THREADS = 64
"""Look-ups at the same time; threads are started when they are needed."""

Lookup = Callable[..., list[Any]]


@dataclass(frozen=True, slots=True)
class Resolved:
    """The result of looking up a name: addresses, or an error."""

    addresses: tuple[str, ...]
    error: str | None
    at: float
    """Monotonic seconds: when the addresses were found."""
    checked_at: float
    """Monotonic seconds of the last look-up; later than ``at`` when it failed and the addresses were kept."""

    def usable(self, now: float) -> bool:
        """Return whether its addresses may be used while the name is looked up again."""
        return not self.error and now < self.at + USABLE_SECONDS

    def settled(self, now: float) -> bool:
        """Return whether no new look-up is needed yet."""
        failed = self.error or self.checked_at > self.at
        return now < self.checked_at + (FAILED_SECONDS if failed else FRESH_SECONDS)


class Resolver:
    """Looks names up without blocking the caller.  For use by one thread; ``wake`` is called from others."""

    def __init__(self, clock: Clock, wake: Callable[[], None], lookup: Lookup = socket.getaddrinfo) -> None:
        self._clock = clock
        self._wake = wake
        self._lookup = lookup
        self._known: dict[str, Resolved] = {}
        self._pending: set[str] = set()
        self._threads: list[threading.Thread] = []
        self._asked: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._answered: queue.SimpleQueue[tuple[str, Resolved]] = queue.SimpleQueue()

    def resolve(self, host: str) -> Resolved | None:
        """Return the result for a name; None while it is being looked up.  ``wake`` is called when it is known."""
        known, now = self._known.get(host), self._clock.monotonic()
        if known and known.settled(now):
            return known
        self._ask(host)
        return known if known and known.usable(now) else None

    def refresh(self, host: str) -> None:
        """Look the name up again, because its addresses cannot be reached and it may have moved."""
        known = self._known.get(host)
        # At most every FAILED_SECONDS: an endpoint that is down must not cost a look-up for each message.
        if known and self._clock.monotonic() >= known.checked_at + FAILED_SECONDS:
            self._ask(host)

    def collect(self) -> list[str]:
        """Take over the results since the last call; return their names."""
        hosts = []
        with contextlib.suppress(queue.Empty):
            while True:
                host, resolved = self._answered.get_nowait()
                self._pending.discard(host)
                self._learn(host, resolved)
                hosts.append(host)
        while len(self._known) > MAX_NAMES:
            del self._known[next(iter(self._known))]
        return hosts

    def _learn(self, host: str, resolved: Resolved) -> None:
        before = self._known.pop(host, None)
        if resolved.error and before and before.usable(resolved.at):
            # Keep the known addresses: a name server that is away for a moment must not fail all messages for the name.
            resolved = replace(before, checked_at=resolved.at)
        self._known[host] = resolved

    def stop(self) -> None:
        """End the threads, without waiting: one that hangs in a look-up is a daemon thread."""
        for _ in self._threads:
            self._asked.put(None)

    def _ask(self, host: str) -> None:
        if host in self._pending:
            return
        self._pending.add(host)
        self._asked.put(host)
        if len(self._threads) < min(len(self._pending), MAX_THREADS):
            thread = threading.Thread(target=self._work, name="webhook-resolver", daemon=True)
            self._threads.append(thread)
            thread.start()

    def _work(self) -> None:
        while (host := self._asked.get()) is not None:
            self._answered.put((host, self._look_up(host)))
            self._wake()

    def _look_up(self, host: str) -> Resolved:
        try:
            found = self._lookup(host, None, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as error:
            reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
            return self._result((), f"{host} could not be resolved: {reason}")
        addresses = tuple(dict.fromkeys(str(entry[4][0]) for entry in found))
        return self._result(addresses, None if addresses else f"{host} has no address")

    def _result(self, addresses: tuple[str, ...], error: str | None) -> Resolved:
        now = self._clock.monotonic()
        return Resolved(addresses, error, now, now)
