"""Leave destinations alone whose attempts fail, or that ask for it: this server's part of the circuit breakers.

Their state is in Redis, the same for all servers.  What is kept here is a view of it that is at most a second old while
webhooks are delivered, and the counts of attempts that are not reported yet.  Destinations that work are in neither.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Callable
from typing import Final, Literal, NamedTuple

from scheduler.destination import BreakerRules, DestinationState, Tally
from scheduler.errors import StoreUnavailable
from scheduler.logs.sinks import ServiceLog
from scheduler.store.destinations import DestinationChange, Destinations

READ_SECONDS: Final = 1.0
"""How often the changes of other servers are read."""
TIDY_SECONDS: Final = 3600.0
KEPT_MS: Final = 7 * 86_400_000
"""As in ``store/lua/_destination.lua``, which forgets closed ones sooner."""


class Admission(NamedTuple):
    """Whether a message may go to its destination now."""

    kind: Literal["go", "probe", "wait"]
    delay_ms: int = 0
    """wait: for how long it is put off."""


GO: Final = Admission("go")
PROBE: Final = Admission("probe")


class Breakers:
    """Thread-safe.  ``admit`` and ``tell`` may wait for Redis; ``delay_ms`` and ``saw`` never do."""

    def __init__(
        self,
        board: Destinations,
        rules: BreakerRules,
        *,
        now_ms: Callable[[], float],
        monotonic: Callable[[], float],
        log: ServiceLog,
        uniform: Callable[[float, float], float] = random.uniform,
    ) -> None:
        """``now_ms``: Redis's clock."""
        self._board = board
        self._rules = rules
        self._now_ms = now_ms
        self._monotonic = monotonic
        self._log = log
        self._uniform = uniform
        self._lock = threading.Lock()
        self._known: dict[str, DestinationState] = {}
        """All of which something is known."""
        self._tallies: dict[str, Tally] = {}
        self._first: dict[str, int] = {}
        """Destination → the probe that a message was put off to exactly; the others come after it."""
        self._asked_at: dict[str, float] = {}
        """Destination opened by hand → when Redis was last asked whether it still is (monotonic clock)."""
        self._read_at: float | None = None
        self._tidied_at = monotonic()
        self._since = [0] * len(board.partitions)

    def admit(self, destination: str, lease_ms: int, claimed_at: float) -> Admission:
        """Decide about a message that was claimed.  An open destination gets one message as a probe when it is time.

        ``lease_ms``: the longest time that its attempt takes.  ``claimed_at``: by the monotonic clock.
        """
        self._read(self._monotonic() - READ_SECONDS)
        state = self._known.get(destination)
        if state is not None and (state.mode or state.is_held(self._now_ms())):
            # Somebody may have closed it by hand and then sent this message: it must not wait for a pause that is over.
            self._read(claimed_at)
        delay = self.delay_ms(destination)
        if delay is None:
            return GO
        if delay == 0 or (state is not None and state.by_hand and self._may_ask(destination)):
            try:
                granted, state = self._board.probe(destination, lease_ms)
            except StoreUnavailable:
                return Admission("wait", self._rules.probe_ms)
            self._learn([state])
            if granted:
                return PROBE
            delay = self.delay_ms(destination)
        return GO if delay is None else Admission("wait", max(delay, 1))

    def _may_ask(self, destination: str) -> bool:
        """Return whether to ask Redis about a destination that was opened by hand: once a second, however many messages
        wait for it.  Nothing but a hand closes it, so a Redis that has lost its data would never be believed.
        """
        now = self._monotonic()
        if now - self._asked_at.get(destination, -READ_SECONDS) < READ_SECONDS:
            return False
        self._asked_at[destination] = now
        return True

    def delay_ms(self, destination: str) -> int | None:
        """Return for how long a message has to be put off; 0: it may ask to be the probe; None: it may go."""
        state = self._known.get(destination)
        if state is None:
            return None
        now = self._now_ms()
        if state.by_hand:
            # Who closes it soon after does not want to wait long for what was put off.
            lasted = max(now - (state.opened_at or 0), self._rules.probe_ms)
            return round(self._uniform(0.5, 1) * min(lasted, self._rules.max_probe_ms))
        wait = 0.0
        if state.is_held(now):
            wait = (state.held_until or 0) - now + self._uniform(0, self._rules.probe_ms)
            if wait > self._rules.max_probe_ms:
                # A long pause is waited for in parts: somebody may close the destination by hand before it ends.
                wait = self._uniform(0.5, 1) * self._rules.max_probe_ms
        elif not state.mode:
            return None
        if state.mode:
            wait = max(wait, self._until_probe(state, now))
        return round(wait)

    def _until_probe(self, state: DestinationState, now: float) -> float:
        if state.probe_until is not None and state.probe_until > now:
            # Its end is told to all servers, and what was put off meanwhile comes soon after.
            return self._uniform(0.5, 1) * self._rules.probe_ms
        at = state.next_probe or 0
        if at <= now:
            return 0.0
        if self._first.get(state.id) != at:
            self._first[state.id] = at
            return at - now
        # A backlog comes back over the whole interval: one of it is the probe, and the others would be put off again.
        return at - now + self._uniform(0, state.probe_interval_ms or self._rules.probe_ms)

    def saw(self, destination: str, tally: Tally) -> None:
        """Count an attempt that has ended.  ``tell`` reports it."""
        trouble = tally.bad or tally.hold_ms or tally.probe
        if not trouble and destination not in self._known and destination not in self._tallies:
            return
        with self._lock:
            before = self._tallies.get(destination)
            self._tallies[destination] = before.plus(tally) if before else tally

    def tell(self) -> None:
        """Report what was counted.  While Redis is away the counts are dropped: they say little about later."""
        if not self._tallies:
            return
        with self._lock:
            tallies, self._tallies = self._tallies, {}
        try:
            changes = self._board.attempted(tallies, self._rules)
        except StoreUnavailable:
            return
        self._learn([change.state for change in changes])
        for change in changes:
            self._log_change(change)

    def _read(self, oldest: float) -> None:
        """Read what other servers have changed, unless that was done after ``oldest`` (monotonic clock)."""
        with self._lock:
            if self._read_at is not None and self._read_at > oldest:
                return
            self._read_at = self._monotonic()
        for partition, since in enumerate(self._since):
            try:
                found = self._board.destinations(partition, since=since)
            except StoreUnavailable:
                return
            self._since[partition] = found.redis_ms
            self._learn(found.states)
        self._forget()

    def _learn(self, states: list[DestinationState]) -> None:
        with self._lock:
            for state in states:
                if state.updated_at is None:
                    self._known.pop(state.id, None)
                    self._first.pop(state.id, None)
                    self._asked_at.pop(state.id, None)
                else:
                    self._known[state.id] = state

    def _forget(self) -> None:
        """Drop once an hour what Redis has forgotten: endpoints that nobody calls any more would stay for ever."""
        with self._lock:
            now = self._monotonic()
            if now - self._tidied_at < TIDY_SECONDS:
                return
            self._tidied_at = now
            long_ago = self._now_ms() - KEPT_MS
            old = [id for id, s in self._known.items() if not s.by_hand and (s.updated_at or 0) < long_ago]
            for id in old:
                if not self._known[id].is_held(self._now_ms()):
                    del self._known[id]
                    self._first.pop(id, None)
                    self._asked_at.pop(id, None)

    def _log_change(self, change: DestinationChange) -> None:
        state = change.state
        if change.change == "opened":
            failed = f"{state.failures} attempts in a row, {state.window_failures} of the last {state.window_attempts}"
            self._log.warning(
                f"destination {state.id} is left alone: failed were {failed}; the last: {state.last_error}. "
                f"One message goes there as a probe, first in {self._rules.probe_ms / 1000:g} s"
            )
        elif change.change == "closed":
            self._log.info(f"destination {state.id} works again: a probe was answered")
