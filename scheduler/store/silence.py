"""Nodes of a cluster that hang: each is waited for once, and not again by every verb on each of its partitions.

A node that is dead refuses at once.  One that hangs (a stopped process, a cut cable) costs a whole time limit per call:
a round over its partitions would hold up those of the others, and what was claimed meanwhile would lose its locks.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from redis.exceptions import TimeoutError as RedisTimeoutError

from scheduler.errors import StoreUnavailable

ASK_AGAIN_SECONDS: Final = 1.0
"""A silent node is asked again after this time, by one thread; the others go on without it."""


class Silence:
    """Which nodes did not answer in time.  Thread-safe, as each step is one operation on a dict."""

    def __init__(self, node_of: Callable[[int], str | None], monotonic: Callable[[], float]) -> None:
        """``node_of``: a partition's node; None for a Redis that is no cluster: it is always asked."""
        self.node_of = node_of
        self._monotonic = monotonic
        self._until: dict[str, float] = {}

    def silent(self, partition: int, *, ask: bool = True) -> StoreUnavailable | None:
        """Why this partition is not to be asked now; None: ask it.

        ``ask``: False for those who cannot wait: they leave it to others to find out that it answers again.
        """
        if not self._until:
            return None
        node = self.node_of(partition)
        if node is None or (until := self._until.get(node)) is None:
            return None
        now = self._monotonic()
        if ask and now >= until:
            # One thread asks; the others go on without it meanwhile.
            self._until[node] = now + ASK_AGAIN_SECONDS
            return None
        return StoreUnavailable(f"node {node} of the cluster did not answer in time and is not waited for")

    def node_is_silent(self, node: str) -> bool:
        """Whether this node is not to be waited for now."""
        return self._monotonic() < self._until.get(node, 0.0)

    def answered(self, partition: int) -> None:
        """The node of this partition answers."""
        if self._until and (node := self.node_of(partition)):
            self._until.pop(node, None)

    def failed(self, partition: int, error: StoreUnavailable) -> None:
        """This partition did not give an answer; only a time limit that passed counts."""
        timed_out = isinstance(error.__cause__, RedisTimeoutError)
        if timed_out and (node := self.node_of(partition)):
            self.node_failed(node)

    def node_failed(self, node: str) -> None:
        """This node did not answer in time."""
        self._until[node] = self._monotonic() + ASK_AGAIN_SECONDS
