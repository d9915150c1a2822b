"""How much a server can begin now, per lane: what ``claim`` is asked for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from scheduler.message import Claim


class Budget(NamedTuple):
    """How much one lane may be claimed for."""

    lane: str
    most: int
    """Messages at most."""
    own: int
    """Messages of ``most`` that need no shared thread."""
    each: int
    """Messages per shared thread."""

    def without(self, taken: int) -> Budget:
        """What is left after some were taken."""
        return self._replace(most=self.most - taken, own=max(0, self.own - taken))

    def shared_by(self, taken: int) -> int:
        """How many shared threads that many messages need."""
        return -(-max(0, taken - self.own) // self.each) if self.each else 0


class Wanted(NamedTuple):
    """How much to claim now: for each lane, and of the threads that several lanes share."""

    budgets: Sequence[Budget]
    """In the order in which the lanes are served."""
    shared: int = 0
    """Shared threads that are free."""

    def without(self, claims: Sequence[Claim]) -> Wanted:
        """What may still be claimed after these."""
        taken = Counter(claim.lane for claim in claims)
        shared = self.shared - sum(budget.shared_by(taken[budget.lane]) for budget in self.budgets)
        left = [budget.without(taken[budget.lane]) for budget in self.budgets]
        return Wanted([b for b in left if b.most > 0 and (b.own or shared > 0)], max(0, shared))
