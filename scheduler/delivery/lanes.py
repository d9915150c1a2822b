"""How many messages to claim now, per lane: the one place that answers it.

A lane holds the messages of one channel (``echo``, ``webhook``) or of one job type (``job:send_email``).  Each has a
budget of its own, so that no message waits behind unrelated work.  A lane may take what its free threads can begin at
once: messages that would only wait here are better left in Redis, where another server can take them.

Pure arithmetic: the dispatcher and the workers tell the lanes what was claimed, begun and reported.  Thread-safe.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from itertools import groupby

from scheduler.channels.base import LaneSpec
from scheduler.message import Claim
from scheduler.store.budgets import Budget, Wanted

STUCK_WINDOW_SECONDS = 1.0
"""A full lane is judged by what it finished in this time."""
STUCK_SECONDS = 2.0
"""A full lane that would take longer than this to finish what it holds is stuck."""
MIXED_SECONDS = 1.0
"""For how long a lane counts as mixed after a claim that it filled with messages of several priorities.  It is then
claimed in half batches: an urgent message waits for the calls before its own, and a claim and a settlement of 100 take
Redis 2 ms each.
"""


class Lane:
    """One lane on this server: what it holds, and how much more it may take."""

    def __init__(self, spec: LaneSpec, *, batch: int, size: Callable[[], int], shares: bool) -> None:
        """``size`` returns how many messages one thread takes at once now.  ``shares``: the lane's slices run on
        threads that it shares with other lanes, and on one of its own.
        """
        self.name = spec.name
        self.shares = shares
        self.running = 0
        """Slices that were handed to threads and have not ended."""
        self.size = 1
        """Messages per slice at the last budget: what was claimed under that budget is cut by it."""
        self._spec = spec
        self._quick = not shares and spec.most is None
        self._batch = batch
        self._size_now = size
        self.held = 0
        """Claims that have no outcome yet."""
        self._unsettled: set[str] = set()
        """Ids of quick work that was claimed and is not settled: a crash would repeat it.  Its thread may have ended:
        another one settles what it reported.
        """
        self._finished = 0
        self._window: tuple[float, int] | None = None
        self._stuck = False
        self._mixed_until = -1.0

    def begun(self, claims: Sequence[Claim], slices: int) -> None:
        """Count claims as held, and the slices that carry them as running."""
        self.running += slices
        self.held += len(claims)
        if self._quick:
            self._unsettled.update(claim.id for claim in claims)

    def budget(self, now: float) -> Budget:
        """Return what may be claimed now; ``now``: monotonic seconds."""
        bound = self._spec.concurrency
        self.size = 1 if bound is not None else max(1, min(self._batch, self._size_now()))
        batch = -(-self._batch // 2) if now < self._mixed_until else self._batch
        most = max(0, min(batch, self._room(now)))
        if bound is not None:
            most = max(0, min(most, bound - self.held))
        if not self.shares:
            return Budget(self.name, most, most, 0)
        return Budget(self.name, most, 0 if self.running else min(most, self.size), self.size)

    def filled(self, claims: Sequence[Claim], now: float) -> None:
        """Note a claim that used up the budget; ``now``: monotonic seconds."""
        if len({claim.priority for claim in claims}) > 1:
            self._mixed_until = now + MIXED_SECONDS

    def reported(self, ended: int, given_back: int) -> None:
        """Count attempts that ended, and claims that were given back."""
        self.held -= ended + given_back
        self._finished += ended

    def settled(self, ids: Sequence[str]) -> None:
        """Hold quick work no longer.  An id may come twice."""
        self._unsettled.difference_update(ids)

    def _room(self, now: float) -> int:
        if self._spec.most is None:
            # One batch runs, one waits behind it, and one is being recorded: without the third, Redis has nothing to do
            # while a batch is delivered, and a drain takes a tenth longer.
            room = min(2 * self._batch - self.held, 3 * self._batch - len(self._unsettled))
            # Quick work takes whole batches, not a claim for every message that ends.
            return room if self.size < self._batch or room >= self._batch else 0
        room = self._spec.most - self.held
        if room > self._spec.most // 10:
            self._window, self._stuck = None, False
            return room
        return max(room, self._spec.overflow) if self._is_stuck(now, self._spec.most) else room

    def _is_stuck(self, now: float, most: int) -> bool:
        """Return whether the lane has been full for a while and its attempts hardly end."""
        since, before = self._window or (now, self._finished)
        if now - since >= STUCK_WINDOW_SECONDS:
            self._stuck = (self._finished - before) / (now - since) * STUCK_SECONDS < most
            since, before = now, self._finished
        self._window = (since, before)
        return self._stuck


class Lanes:
    """The lanes that this server serves."""

    def __init__(self, lanes: Iterable[Lane], *, threads: int, monotonic: Callable[[], float]) -> None:
        """``threads``: how many slices of one sharing lane may run at once: one on a thread that no other lane may
        use, the others on threads that all sharing lanes use.  ``monotonic``: seconds.
        """
        self._lanes = {lane.name: lane for lane in lanes}
        self._shared = threads - 1
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._hungry: set[str] = set()
        """Lanes in which more may be due than the last claim could take."""

    @property
    def names(self) -> list[str]:
        return sorted(self._lanes)

    @property
    def threads(self) -> int:
        """How many slices of all sharing lanes can run at once."""
        return self._shared + sum(lane.shares for lane in self._lanes.values())

    def wanted(self) -> Wanted:
        """Return how much to claim now."""
        with self._lock:
            return self._wanted()

    def took(self, wanted: Wanted, claims: Sequence[Claim]) -> None:
        """Note what a claim returned."""
        counts = Counter(claim.lane for claim in claims)
        most = {budget.lane: budget.most for budget in wanted.budgets}
        with self._lock:
            shared = any(self._lanes[name].shares for name in counts)
            for name, lane in self._lanes.items():
                if name in most and counts[name] >= most[name]:
                    lane.filled([claim for claim in claims if claim.lane == name], self._monotonic())
                # A lane that had no budget was not looked at, and one that shares threads may have found them taken.
                if counts[name] >= most.get(name, 0) or (shared and lane.shares):
                    self._hungry.add(name)
                else:
                    self._hungry.discard(name)
            for name in counts:
                # A lane that got something goes to the end: a flood in one never makes the others wait for their turn.
                self._lanes[name] = self._lanes.pop(name)

    def again(self) -> bool:
        """Return whether a lane in which more may be due can take some now."""
        with self._lock:
            return bool(self._hungry) and any(budget.lane in self._hungry for budget in self._wanted().budgets)

    def slices(self, name: str, claims: Sequence[Claim]) -> list[Sequence[Claim]]:
        """Cut what was claimed of a lane into slices, each for one thread, and count both as held."""
        with self._lock:
            lane = self._lanes[name]
            parts = [claims[first : first + lane.size] for first in range(0, len(claims), lane.size)]
            lane.begun(claims, len(parts))
            return parts

    def slice_ended(self, name: str) -> None:
        """Count a thread as free that carried a slice of this lane."""
        with self._lock:
            self._lanes[name].running -= 1

    def settled(self, claims: Iterable[Claim]) -> None:
        """Count quick work as done that was settled, or that waits for a Redis that is away.  It may come twice."""
        with self._lock:
            for name, group in groupby(claims, key=lambda claim: claim.lane):
                self._lanes[name].settled([claim.id for claim in group])

    def reported(self, name: str, ended: int, given_back: int) -> None:
        """Count attempts of a lane that ended, and claims of it that were given back."""
        with self._lock:
            self._lanes[name].reported(ended, given_back)

    def _wanted(self) -> Wanted:
        now = self._monotonic()
        busy = sum(max(0, lane.running - 1) for lane in self._lanes.values() if lane.shares)
        shared = max(0, self._shared - busy)
        budgets = [lane.budget(now) for lane in self._lanes.values()]
        return Wanted([b for b in budgets if b.most > 0 and (b.own or shared)], shared)


def serves(wanted: Sequence[str], lane: str) -> bool:
    """Return whether a server whose ``Scheduler.Serves`` is ``wanted`` serves this lane; an empty one serves all.

    ``wanted``: names of channels and lanes, such as ``echo``, ``job`` or ``job:transcode``.
    """
    return not wanted or lane in wanted or lane.partition(":")[0] in wanted
