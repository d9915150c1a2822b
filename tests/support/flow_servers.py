"""Servers that do nothing but claim and settle messages with flow keys, and a ledger of what they have in flight."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress

from scheduler.errors import StoreUnavailable
from scheduler.flow import Flow, FlowLimits
from scheduler.message import Claim, NewMessage, Outcome
from scheduler.store import MessageStore
from tests.support.store import take


class Ledger:
    """What is in flight of each key, as those who deliver see it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.now: Counter[str] = Counter()
        self.most: Counter[str] = Counter()
        self.order: dict[str, list[str]] = {}

    def begins(self, claim: Claim) -> None:
        key = claim.payload.strip('"')
        with self._lock:
            self.now[key] += 1
            self.most[key] = max(self.most[key], self.now[key])
            self.order.setdefault(key, []).append(claim.id)

    def ends(self, claim: Claim) -> None:
        with self._lock:
            self.now[claim.payload.strip('"')] -= 1


def fill(store: MessageStore, count: int, limits: dict[str, FlowLimits]) -> None:
    for key, allowed in limits.items():
        ids = store.ids_for([key] * count)
        store.schedule([NewMessage(id, f'"{key}"', 1, flow=Flow(key, allowed)) for id in ids])


def deliver(store: MessageStore, ledger: Ledger, done: Callable[[], bool], lock_ms: int = 30_000) -> None:
    """What a server does, as fast as it can; while Redis is away it tries again."""
    rest = threading.Event()
    while not done():
        claims: Sequence[Claim] = ()
        with suppress(StoreUnavailable):
            claims = take(store, 7, lock_ms).claims
        for claim in claims:
            ledger.begins(claim)
        for claim in claims:
            # Before it is settled: from then on another server may begin the next one.
            ledger.ends(claim)
        settled = not claims
        while not settled:
            with suppress(StoreUnavailable):
                store.settle([Outcome(claim, "ack") for claim in claims])
                settled = True
        if not claims:
            rest.wait(0.001)
