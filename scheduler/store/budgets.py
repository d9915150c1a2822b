"""The arguments of a claim: how many messages of each lane a server can begin now."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from scheduler.message import Claim


class Budget(NamedTuple):
    """How many messages of one lane to claim."""

    lane: str
    most: int
    """Messages at most."""
    own: int
    """How many of ``most`` need no shared thread."""
    each: int
    """How many of the others one shared thread carries."""

    def without(self, taken: int) -> Budget:
        """Return the budget that is left after N messages were claimed."""
        # A shared thread that is not full carries more of this lane without taking another thread.
        spare = self.shared_by(taken) * self.each - max(0, taken - self.own) if self.each else 0
        return self._replace(most=self.most - taken, own=max(0, self.own - taken) + spare)

    def shared_by(self, taken: int) -> int:
        """Return how many shared threads N messages need."""
        return -(-max(0, taken - self.own) // self.each) if self.each else 0


class Wanted(NamedTuple):
    """How much to claim now: a budget for each lane, and the threads that lanes share."""

    budgets: Sequence[Budget]
    """In the order in which the lanes are served."""
    shared: int = 0
    """Shared threads that are free."""

    def without(self, claims: Sequence[Claim]) -> Wanted:
        """Return what may still be claimed after these claims."""
        taken = Counter(claim.lane for claim in claims)
        shared = self.shared - sum(budget.shared_by(taken[budget.lane]) for budget in self.budgets)
        left = [budget.without(taken[budget.lane]) for budget in self.budgets]
        return Wanted([b for b in left if b.most > 0 and (b.own or shared > 0)], max(0, shared))
