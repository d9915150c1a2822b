"""How many messages to claim now, per lane: the one place that answers it.

A lane is what waits for one channel (``echo``, ``webhook``) or for one job type (``job:send_email``).  Each has a
budget of its own, so that nothing waits behind what it has nothing to do with.  A lane may take what its free threads
can begin at once: messages that would only wait here are better left in Redis, where another server can take them.

Pure arithmetic: who claims, runs and reports tells the lanes what happened.  Thread-safe.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterable, Sequence

from scheduler.channels.base import LaneSpec
from scheduler.message import Claim
from scheduler.store.budgets import Budget, Wanted

STUCK_WINDOW_SECONDS = 1.0
"""A full lane is judged by what it finished in this time."""
STUCK_SECONDS = 2.0
"""A full lane that would take longer than this to finish what it holds is stuck."""


class Lane:
    """What a lane holds on this server."""

    def __init__(self, spec: LaneSpec, *, batch: int, size: Callable[[], int], shares: bool) -> None:
        """``size``: how many messages one thread takes at once, now.  ``shares``: its slices run on threads that it
        shares with other lanes, and on one of its own.
        """
        self.name = spec.name
        self.shares = shares
        self.held = 0
        """Claims that were not reported on yet; of quick work those whose thread has not come back: until then what it
        reported is being settled, and what is claimed beyond it is what a crash would repeat.
        """
        self.running = 0
        """Slices that were handed to the threads and have not ended."""
        self.size = 1
        """Messages per slice, as it was when the last budget was made: what was claimed by it is cut by it."""
        self._spec = spec
        self._quick = not shares and spec.most is None
        self._batch = batch
        self._size_now = size
        self._finished = 0
        self._window: tuple[float, int] | None = None
        self._stuck = False

    def budget(self, now: float) -> Budget:
        """What may be claimed now; ``now``: monotonic seconds."""
        bound = self._spec.concurrency
        self.size = 1 if bound is not None else max(1, min(self._batch, self._size_now()))
        most = max(0, min(self._batch, self._room(now)))
        if bound is not None:
            most = max(0, min(most, bound - self.held))
        if not self.shares:
            return Budget(self.name, most, most, 0)
        return Budget(self.name, most, 0 if self.running else min(most, self.size), self.size)

    def reported(self, ended: int, given_back: int) -> None:
        """Attempts that ended, and claims that were given back."""
        if not self._quick:
            self.held -= ended + given_back
        self._finished += ended

    def slice_ended(self, claims: int) -> None:
        """A thread is free again that had so many."""
        self.running -= 1
        if self._quick:
            self.held -= claims

    def _room(self, now: float) -> int:
        if self._spec.most is None:
            # Quick work takes whole batches, not a claim for every message that ends.
            whole = self.size == self._batch and self.held > self._batch
            return 0 if whole else 2 * self._batch - self.held
        room = self._spec.most - self.held
        if room > self._spec.most // 10:
            self._window, self._stuck = None, False
            return room
        return max(room, self._spec.overflow) if self._is_stuck(now, self._spec.most) else room

    def _is_stuck(self, now: float, most: int) -> bool:
        """Whether a lane that has been full for a while is full of attempts that hardly end."""
        since, before = self._window or (now, self._finished)
        if now - since >= STUCK_WINDOW_SECONDS:
            self._stuck = (self._finished - before) / (now - since) * STUCK_SECONDS < most
            since, before = now, self._finished
        self._window = (since, before)
        return self._stuck


class Lanes:
    """The lanes that this server serves.  Flow control will add its keys here, beside the lanes."""

    def __init__(self, lanes: Iterable[Lane], *, threads: int, monotonic: Callable[[], float]) -> None:
        """``threads``: how many slices of one lane that shares may run at once; one of them is on a thread that no
        other lane may use, the others on threads that all have in common.  ``monotonic``: seconds.
        """
        self._lanes = {lane.name: lane for lane in lanes}
        self._shared = threads - 1
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._hungry: set[str] = set()
        """Lanes that gave all that was wanted when they were last asked: more may wait in them."""

    @property
    def names(self) -> list[str]:
        return sorted(self._lanes)

    @property
    def threads(self) -> int:
        """How many slices of lanes that share can run at once."""
        return self._shared + sum(lane.shares for lane in self._lanes.values())

    def wanted(self) -> Wanted:
        """How much to claim now."""
        with self._lock:
            return self._wanted()

    def took(self, wanted: Wanted, claims: Sequence[Claim]) -> None:
        """What a claim gave."""
        counts = Counter(claim.lane for claim in claims)
        with self._lock:
            for budget in wanted.budgets:
                if counts[budget.lane] >= budget.most:
                    self._hungry.add(budget.lane)
                else:
                    self._hungry.discard(budget.lane)
            for name in counts:
                # A lane that got something goes to the end: a flood in one never makes the others wait for their turn.
                self._lanes[name] = self._lanes.pop(name)

    def again(self) -> bool:
        """Whether a lane that gave all that was wanted can take more already."""
        with self._lock:
            return bool(self._hungry) and any(budget.lane in self._hungry for budget in self._wanted().budgets)

    def slices(self, name: str, claims: Sequence[Claim]) -> list[Sequence[Claim]]:
        """Cut what was claimed of a lane into slices, each for one thread, and count both as held."""
        with self._lock:
            lane = self._lanes[name]
            parts = [claims[first : first + lane.size] for first in range(0, len(claims), lane.size)]
            lane.held += len(claims)
            lane.running += len(parts)
            return parts

    def slice_ended(self, name: str, claims: int) -> None:
        """A thread is free again that had so many claims."""
        with self._lock:
            self._lanes[name].slice_ended(claims)

    def reported(self, name: str, ended: int, given_back: int) -> None:
        """Attempts of a lane that ended, and claims of it that were given back."""
        with self._lock:
            self._lanes[name].reported(ended, given_back)

    def _wanted(self) -> Wanted:
        now = self._monotonic()
        busy = sum(max(0, lane.running - 1) for lane in self._lanes.values() if lane.shares)
        shared = max(0, self._shared - busy)
        budgets = [lane.budget(now) for lane in self._lanes.values()]
        return Wanted([b for b in budgets if b.most > 0 and (b.own or shared)], shared)


def serves(wanted: Sequence[str], lane: str) -> bool:
    """Whether a server that is told to serve these (``echo``, ``job``, ``job:transcode``) serves this lane; told
    nothing, it serves all.
    """
    return not wanted or lane in wanted or lane.partition(":")[0] in wanted
