"""What this process has in flight: the claims whose locks it holds."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Sequence

from scheduler.clock import Clock
from scheduler.message import Claim


class InFlight:
    """The claims of this process that are not settled yet.  Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._claims: dict[str, Claim] = {}
        self._empty = threading.Event()
        self._empty.set()

    def __len__(self) -> int:
        return len(self._claims)

    def add(self, claims: Sequence[Claim]) -> None:
        with self._lock:
            self._claims.update((claim.id, claim) for claim in claims)
            if self._claims:
                self._empty.clear()

    def remove(self, claims: Iterable[Claim]) -> None:
        """Remove these claims; one whose id is in flight again under another token stays."""
        with self._lock:
            for claim in claims:
                held = self._claims.get(claim.id)
                if held is not None and held.token == claim.token:
                    del self._claims[claim.id]
            if not self._claims:
                self._empty.set()

    def holds(self, claim: Claim) -> bool:
        """Return whether this claim's lock is held here: False once it was settled, or the lock was lost."""
        held = self._claims.get(claim.id)
        return held is not None and held.token == claim.token

    def all(self) -> list[Claim]:
        with self._lock:
            return list(self._claims.values())

    def wait_empty(self, clock: Clock, seconds: float) -> bool:
        """Wait until nothing is in flight; return False when ``seconds`` ran out."""
        return clock.wait(self._empty, seconds)
