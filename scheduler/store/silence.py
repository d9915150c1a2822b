"""Remember which nodes of a cluster hang, so that verbs do not wait for each of them again and again.

A dead node refuses connections at once.  One that hangs (a stopped process, a cut cable) costs a whole timeout per
call.  A round over all partitions would then take so long that messages claimed from the other nodes lose their locks.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from redis.exceptions import TimeoutError as RedisTimeoutError

from scheduler.errors import StoreUnavailable

ASK_AGAIN_SECONDS: Final = 1.0
"""After this time, one thread tries a silent node again; the others go on without it."""


class Silence:
    """The nodes that did not answer in time.  Thread-safe: each step is one operation on a dict."""

    def __init__(self, node_of: Callable[[int], str | None], monotonic: Callable[[], float]) -> None:
        """``node_of`` returns a partition's node; None when Redis is no cluster, which is always asked."""
        self.node_of = node_of
        self._monotonic = monotonic
        self._until: dict[str, float] = {}

    def silent(self, partition: int, *, ask: bool = True) -> StoreUnavailable | None:
        """Return an error when this partition is not to be asked now; None: ask it.

        ``ask``: False for callers that cannot wait; other callers find out when the node answers again.
        """
        if not self._until:
            return None
        node = self.node_of(partition)
        if node is None or (until := self._until.get(node)) is None:
            return None
        now = self._monotonic()
        if ask and now >= until:
            # Extended first: only this thread asks, and the others go on without the node meanwhile.
            self._until[node] = now + ASK_AGAIN_SECONDS
            return None
        return StoreUnavailable(f"node {node} of the cluster did not answer in time and is not waited for")

    def node_is_silent(self, node: str) -> bool:
        """Return whether this node is not to be asked now."""
        return self._monotonic() < self._until.get(node, 0.0)

    def answered(self, partition: int) -> None:
        """Note that the node of this partition answered."""
        if self._until and (node := self.node_of(partition)):
            self._until.pop(node, None)

    def failed(self, partition: int, error: StoreUnavailable) -> None:
        """Note that a call to this partition failed; only a timeout makes its node silent."""
        timed_out = isinstance(error.__cause__, RedisTimeoutError)
        if timed_out and (node := self.node_of(partition)):
            self.node_failed(node)

    def node_failed(self, node: str) -> None:
        """Note that this node did not answer in time."""
        self._until[node] = self._monotonic() + ASK_AGAIN_SECONDS
