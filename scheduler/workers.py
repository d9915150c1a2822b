"""The worker pool: claimed message → channel → outcome → log line, figures, settle."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

from scheduler.channels.base import Channel, cut_short
from scheduler.clock import Clock
from scheduler.deliveries import Deliveries
from scheduler.flight import InFlight
from scheduler.logs import ServiceLog
from scheduler.message import Claim, Outcome
from scheduler.notices import Outage
from scheduler.retry import RetryPolicy
from scheduler.settler import Settler
from scheduler.store import MessageStore
from scheduler.telemetry import Telemetry

STALL_SECONDS = 1.0
"""A slice that waits behind work that takes longer is given back, uncharged: another server may have free workers."""

RELEASE_SECONDS = 5.0
"""How long the last settling may take at a stop: Redis's own time limit (Redis.SocketTimeoutSeconds)."""

STOP_MARGIN_SECONDS = 5.0
"""How much longer than its grace a channel may take to stop before the stop goes on without it."""

AHEAD_SECONDS = 0.05
"""Claim what the workers finish in this time: enough that they never wait for a claim (about 1 ms), little to lose in a
crash."""


def attempt_line(outcome: Outcome) -> str:
    """The one line that the log holds of an attempt."""
    c = outcome.claim
    line = f"{outcome.kind} id={c.id} channel={c.channel}"
    if c.type is not None:
        line += f" type={c.type}"
    if outcome.destination is not None:
        line += f" destination={outcome.destination}"
    line += f" attempt={c.attempt} lateness_ms={outcome.lateness_ms:.1f} duration_ms={outcome.duration_ms:.1f}"
    if outcome.kind == "retry":
        line += f" again_in_ms={outcome.delay_ms}"
    if outcome.error is not None:
        line += f" error={outcome.error}"
    if outcome.detail is not None:
        line += f" message={outcome.detail}"
    return line


class Workers:
    """``Scheduler.Workers`` threads, each running one slice of a batch at a time."""

    def __init__(
        self,
        store: MessageStore,
        channels: Mapping[str, Channel],
        *,
        threads: int,
        batch_size: int,
        retry: RetryPolicy,
        clock: Clock,
        log: ServiceLog,
        telemetry: Telemetry,
        freed: Callable[[], None],
        in_flight: InFlight | None = None,
        outage: Outage | None = None,
    ) -> None:
        """``retry``: for messages without a policy of their own.  ``freed`` is called when there is room again.
        ``in_flight``: where claims are kept, for who else wants to know whether a lock is held.
        ``outage``: what all threads of a process share; None for one of its own.
        """
        self.in_flight = in_flight if in_flight is not None else InFlight()
        self.deliveries = Deliveries(clock)
        self._channels = channels
        self._threads = threads
        self._batch_size = batch_size
        self._retry = retry
        self._clock = clock
        self._log = log
        self._telemetry = telemetry
        self._freed = freed
        self._settler = Settler(store, clock, log, telemetry, self._settled, outage=outage)
        self._pool: ThreadPoolExecutor | None = None
        self._slices: dict[Future[None], Sequence[Claim]] = {}
        self._running: dict[int, float] = {}
        self._seconds_each = 0.0
        self.finished = 0
        """Messages that ended (ack or dead) here since the start."""

    def start(self) -> None:
        self._pool = ThreadPoolExecutor(self._threads, thread_name_prefix="worker")
        for channel in self._channels.values():
            channel.start()

    # -- how much to claim -----------------------------------------------------------------------------------------

    def room(self) -> int:
        """How many messages to claim now: what can start soon, at most a batch, 0 to wait.

        While work is quick that is a second batch beside the one that runs.  While it is slow it is what free workers
        take at once: messages that would only wait here are better left to other servers.
        """
        held = sum(len(claims) for claims in list(self._slices.values()))
        seconds = max(self._seconds_each, self._blocked_seconds())
        most = 2 * self._batch_size
        limit = max(self._threads, int(min(most, self._threads * AHEAD_SECONDS / max(seconds, 1e-6))))
        if limit == most and held > self._batch_size:
            return 0  # quick work: whole batches, not a claim for every message that ends
        # A channel that works elsewhere (webhooks) says itself how much more it can take.
        elsewhere = min((channel.capacity for channel in self._channels.values()), default=limit)
        return max(0, min(self._batch_size, limit - held, elsewhere))

    def stalled(self) -> bool:
        """True when slices wait although no worker has become free for a second."""
        return len(self._slices) > len(self._running) and self._blocked_seconds() > STALL_SECONDS

    def _blocked_seconds(self) -> float:
        """For how long no worker has been free.  One long message among quick ones blocks nobody."""
        begun = list(self._running.values())
        return 0.0 if len(begun) < self._threads else self._clock.monotonic() - max(begun)

    def failure(self) -> str | None:
        """Why this process cannot deliver on one of its channels any more; None while all is well."""
        for name, channel in self._channels.items():
            error = getattr(channel, "failure", None)  # only a channel with a thread of its own has one
            if error is not None:
                return f"channel {name}: {error}"
        hang = self.deliveries.hang()
        return str(hang) if hang is not None else None

    # -- delivering ------------------------------------------------------------------------------------------------

    def submit(self, claims: Sequence[Claim]) -> None:
        """Hand a batch to the pool, cut into slices; returns at once."""
        if self._pool is None:
            raise RuntimeError("Workers.start() comes first")
        self.in_flight.add(claims)
        groups: dict[str, list[Claim]] = {}
        for claim in claims:
            groups.setdefault(claim.channel, []).append(claim)
        for name, group in groups.items():
            size = self._channels[name].max_slice if name in self._channels else len(group)
            for first in range(0, len(group), size):
                part = group[first : first + size]
                future = self._pool.submit(self._run, name, part)
                self._slices[future] = part
                future.add_done_callback(self._slice_done)

    def release_waiting(self, channel: str | None = None) -> None:
        """Give back the slices that no worker has begun: of one channel, or of all."""
        waiting = [
            claims
            for future, claims in list(self._slices.items())
            if channel in (None, claims[0].channel) and future.cancel()
        ]
        if waiting:
            self._report([Outcome(claim, "release") for claims in waiting for claim in claims])

    def _slice_done(self, future: Future[None]) -> None:
        self._slices.pop(future, None)
        self._freed()

    def _run(self, name: str, claims: Sequence[Claim]) -> None:
        reported: set[str] = set()

        worker = threading.get_ident()

        def report(outcomes: Sequence[Outcome]) -> None:
            reported.update(outcome.claim.id for outcome in outcomes)
            self._report(outcomes)
            if threading.get_ident() == worker and any(outcome.kind == "release" for outcome in outcomes):
                # The slice gave back what waited in it.  The slices behind it are less urgent: they must not go first.
                self.release_waiting(name)

        begun = self._clock.monotonic()
        self._running[worker] = begun
        try:
            self._deliver(name, claims, report)
        except BaseException as error:  # noqa: BLE001 - whatever a channel raises, sys.exit() too, is a failed attempt
            self._log.error(f"channel {name} failed: {error}", exception=error)
            text = f"{type(error).__name__}: {error}"
            report([Outcome(c, "retry", error=text) for c in claims if c.id not in reported])
        finally:
            del self._running[worker]
            each = (self._clock.monotonic() - begun) / len(claims)
            # A moving average over about ten slices: quick to see that work became slow, slow to forget it.
            self._seconds_each += (each - self._seconds_each) * 0.1

    def _deliver(self, name: str, claims: Sequence[Claim], report: Callable[[Sequence[Outcome]], None]) -> None:
        channel = self._channels.get(name)
        if channel is None:
            report([Outcome(claim, "dead", error=f"this server has no channel {name!r}") for claim in claims])
        else:
            with self.deliveries.underway(name, getattr(channel, "takes_its_time", False)):
                channel.deliver(claims, report)

    # -- what became of it -----------------------------------------------------------------------------------------

    def _report(self, outcomes: Sequence[Outcome]) -> None:
        decided = [self._decide(outcome) if outcome.kind == "retry" else outcome for outcome in outcomes]
        # What was given back is told in sums (held_back.py): an endpoint that hangs gives back a thousand a minute.
        lines = [attempt_line(outcome) for outcome in decided if outcome.kind in ("ack", "retry")]
        if lines:
            # The echo channel has printed its messages already.
            self._log.lines(lines, attempts=decided[0].claim.channel != "echo")
        for outcome in decided:
            if outcome.kind == "dead":  # somebody has to look at it; a retry looks after itself
                self._log.error(attempt_line(outcome))
        self._telemetry.attempts(decided)
        self._settler.add(decided)

    def _decide(self, outcome: Outcome) -> Outcome:
        """A failed attempt is repeated after a backoff, or was the last one."""
        policy = outcome.claim.retry or self._retry
        if policy.exhausted(outcome.claim.attempt) and not outcome.cut_short:
            return outcome._replace(kind="dead", delay_ms=None)
        if outcome.delay_ms is None:
            return outcome._replace(delay_ms=policy.delay_ms(outcome.claim.attempt))
        return outcome

    def _settled(self, outcomes: Sequence[Outcome]) -> None:
        self.in_flight.remove(outcome.claim for outcome in outcomes)
        self.finished += sum(outcome.kind in ("ack", "dead") for outcome in outcomes)
        self._freed()

    # -- stop ------------------------------------------------------------------------------------------------------

    def stop(self, grace: float) -> None:
        """Finish what runs within ``grace`` seconds, give back the rest, end the threads.

        Renewal must go on meanwhile, or what takes long would lose its lock and be repeated elsewhere.
        """
        deadline = self._clock.monotonic() + grace
        self._stop_channels(grace)
        self.in_flight.wait_empty(self._clock, max(0.0, deadline - self._clock.monotonic()))
        self._settler.close()
        if self._pool is not None:
            # A handler that ignores the grace keeps its thread; the process ends without it, its message is given
            # back below.  Asked of the threads and not of what is in flight: a handler may have lost its lock long ago.
            self._pool.shutdown(wait=not self._running, cancel_futures=True)
        left = self.in_flight.all()
        if left:
            self._log.error(f"{len(left)} messages did not finish in {grace:g} s and are given back: they run again")
            self._report([cut_short(claim) for claim in left])
            # Another thread may have them in hand, and Redis is closed after us.
            self.in_flight.wait_empty(self._clock, RELEASE_SECONDS)

    def _stop_channels(self, grace: float) -> None:
        """Tell all channels at once, and return when all have stopped: each has the whole grace.

        One after the other, a webhook that hangs would leave jobs no time, and cut short those that only had to hear of
        the stop.
        """
        threads = [
            threading.Thread(target=self._stop_channel, args=(channel, grace), name=f"stops {name}", daemon=True)
            for name, channel in self._channels.items()
        ]
        for thread in threads:
            thread.start()
        self.release_waiting()
        for thread in threads:
            thread.join(grace + STOP_MARGIN_SECONDS)

    def _stop_channel(self, channel: Channel, grace: float) -> None:
        try:
            channel.stop(grace)
        except Exception as error:  # noqa: BLE001 - a defect in one channel must not keep the others' messages
            self._log.error(f"channel {channel.name} could not be stopped: {error}", exception=error)
