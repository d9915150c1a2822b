"""Host names to addresses, in threads of our own.

libcurl has a resolver, but which one depends on how it was built, and the threaded one of the wheel serves a fixed
number of look-ups at a time, one per transfer: 100 transfers to a name whose server is silent would keep every other
name waiting.  Here each name is looked up once at a time, whoever asks for it, and a name that is known goes on being
used while it is looked up again.
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
"""An older answer is not used: the name may have moved."""
FAILED_SECONDS = 2.0
"""A name whose look-up failed is not looked up again sooner."""
MAX_NAMES = 10_000
MAX_THREADS = 64
"""Names that hang at once before another new name has to wait; a thread is only made when it is needed."""

Lookup = Callable[..., list[Any]]


@dataclass(frozen=True, slots=True)
class Resolved:
    """What a name resolved to: addresses, or an error."""

    addresses: tuple[str, ...]
    error: str | None
    at: float
    """Monotonic seconds: when this was found out."""
    checked_at: float
    """Monotonic seconds of the last look-up: later than ``at`` when that one failed and the addresses were kept."""

    def usable(self, now: float) -> bool:
        """Whether messages may go to its addresses while it is looked up again."""
        return not self.error and now < self.at + USABLE_SECONDS

    def settled(self, now: float) -> bool:
        """Whether it need not be looked up again yet."""
        failed = self.error or self.checked_at > self.at
        return now < self.checked_at + (FAILED_SECONDS if failed else FRESH_SECONDS)


class Resolver:
    """Looks names up without ever making the caller wait.  Used by one thread; ``wake`` is called from others."""

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
        """What the name is known to be; None while that is being found out (``wake`` is called when it is)."""
        known, now = self._known.get(host), self._clock.monotonic()
        if known and known.settled(now):
            return known
        self._ask(host)
        return known if known and known.usable(now) else None

    def doubt(self, host: str) -> None:
        """Look the name up again now: no connection could be made to its addresses, so it may have moved."""
        known = self._known.get(host)
        # An endpoint that is down would else cost a look-up for each message.
        if known and self._clock.monotonic() >= known.checked_at + FAILED_SECONDS:
            self._ask(host)

    def collect(self) -> list[str]:
        """Take in what was found out since the last call; the names it concerns."""
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
            # A name server that is away for a moment would else fail all messages for a name that was known.
            resolved = replace(before, checked_at=resolved.at)
        self._known[host] = resolved

    def stop(self) -> None:
        """Let the threads end.  One that hangs in a look-up is a daemon and holds nobody up."""
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
