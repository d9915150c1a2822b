"""The worker pool: claimed message → channel → outcome → log line, figures, settle."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from itertools import groupby
from typing import TYPE_CHECKING

from scheduler.channels.base import Channel, cut_short
from scheduler.clock import Clock
from scheduler.delivery.hangs import Deliveries
from scheduler.delivery.in_flight import InFlight
from scheduler.delivery.lanes import Lane, Lanes
from scheduler.delivery.lanes import serves as is_served
from scheduler.delivery.settler import Settler
from scheduler.logs.attempts import attempt_line
from scheduler.logs.notices import Outage
from scheduler.logs.sinks import ServiceLog
from scheduler.message import Claim, Outcome
from scheduler.retry import RetryPolicy, after_failure
from scheduler.store.claiming import Claiming
from scheduler.telemetry.figures import Telemetry

if TYPE_CHECKING:
    from scheduler.otel.tracing import Tracing

STOP_MARGIN_SECONDS = 5.0
"""How much longer than its grace a channel may take to stop before the stop goes on without it."""


class Workers:
    """``Scheduler.Workers`` threads for quick channels, others for jobs; each runs one slice of a batch at a time."""

    def __init__(
        self,
        store: Claiming,
        channels: Mapping[str, Channel],
        *,
        threads: int,
        job_threads: int,
        batch_size: int,
        release_seconds: float,
        serves: Sequence[str] = (),
        retry: RetryPolicy,
        clock: Clock,
        log: ServiceLog,
        telemetry: Telemetry,
        freed: Callable[[], None],
        in_flight: InFlight | None = None,
        outage: Outage | None = None,
        tracing: Tracing | None = None,
    ) -> None:
        """``job_threads``: each lane of a slow channel has one of its own; the others are shared by all of them.

        ``release_seconds``: how long a stop waits at most for Redis to take back messages that did not finish.
        ``serves``: the lanes of this server (``Scheduler.Serves``).  ``retry``: for messages without a policy of their
        own.  ``freed`` is called when a lane can take more again.  ``in_flight``: shared with the renewer, which must
        know which locks this process holds.  ``outage``: reports a Redis that is away, once for all threads of a
        process; None: one of its own.  ``tracing``: None where traces are not exported.
        """
        self.in_flight = in_flight if in_flight is not None else InFlight()
        self.deliveries = Deliveries(clock)
        self._channels = channels
        self._threads = threads
        self.lanes = Lanes(
            [
                Lane(spec, batch=batch_size, size=partial(channel.slice_size, spec.name), shares=channel.slow)
                for channel in channels.values()
                for spec in channel.lanes()
                if is_served(serves, spec.name)
            ],
            threads=job_threads,
            monotonic=clock.monotonic,
        )
        self._release_seconds = release_seconds
        self._retry = retry
        self._clock = clock
        self._log = log
        self._telemetry = telemetry
        self._tracing = tracing
        self._freed = freed
        self._settler = Settler(store, clock, log, telemetry, self._settled, waits=self._waits, outage=outage)
        self._pools: dict[bool, ThreadPoolExecutor] = {}
        """By ``Channel.slow``: slow work never occupies the threads of quick channels."""
        self._slices: dict[Future[None], Sequence[Claim]] = {}
        self._running: set[int] = set()
        self.finished = 0
        """Messages that ended here (ack or dead) since the start."""

    def start(self) -> None:
        self._pools = {
            False: ThreadPoolExecutor(self._threads, thread_name_prefix="worker"),
            True: ThreadPoolExecutor(max(1, self.lanes.threads), thread_name_prefix="job-worker"),
        }
        for channel in self._channels.values():
            channel.start()

    def failure(self) -> str | None:
        """Return why this process cannot deliver on one of its channels any more; None while all is well."""
        for name, channel in self._channels.items():
            if channel.failure is not None:
                return f"channel {name}: {channel.failure}"
        hang = self.deliveries.hang()
        return str(hang) if hang is not None else None

    # -- delivering ------------------------------------------------------------------------------------------------

    def submit(self, claims: Sequence[Claim]) -> None:
        """Hand a batch to the threads, cut into slices; return at once."""
        if not self._pools:
            raise RuntimeError("Workers.start() comes first")
        self.in_flight.add(claims)
        groups: dict[str, list[Claim]] = {}
        for claim in claims:
            groups.setdefault(claim.lane, []).append(claim)
        for lane, group in groups.items():
            channel = self._channels[group[0].channel]
            for part in self.lanes.slices(lane, group):
                future = self._pools[channel.slow].submit(self._run, channel, part)
                self._slices[future] = part
                future.add_done_callback(self._slice_done)

    def release_waiting(self) -> None:
        """Give back the slices that no worker has begun."""
        waiting = [claims for future, claims in list(self._slices.items()) if future.cancel()]
        if waiting:
            self._report([Outcome(claim, "release") for claims in waiting for claim in claims])

    def _slice_done(self, future: Future[None]) -> None:
        claims = self._slices.pop(future)
        self.lanes.slice_ended(claims[0].lane)
        self._freed()

    def _run(self, channel: Channel, claims: Sequence[Claim]) -> None:
        reported: set[str] = set()

        worker = threading.get_ident()

        def report(outcomes: Sequence[Outcome]) -> None:
            reported.update(outcome.claim.id for outcome in outcomes)
            self._report(outcomes)

        self._running.add(worker)
        try:
            with self.deliveries.underway(channel.name, channel.slow):
                channel.deliver(claims, report)
        except BaseException as error:  # noqa: BLE001 - any error of a channel, sys.exit() too, is a failed attempt
            self._log.error(f"channel {channel.name} failed: {error}", exception=error)
            text = f"{type(error).__name__}: {error}"
            report([Outcome(c, "retry", error=text) for c in claims if c.id not in reported])
        finally:
            self._running.discard(worker)

    # -- what became of it -----------------------------------------------------------------------------------------

    def _report(self, outcomes: Sequence[Outcome]) -> None:
        decided = [self._decide(outcome) if outcome.kind == "retry" else outcome for outcome in outcomes]
        # Releases are logged as sums (held_back.py): one hanging endpoint gives back a thousand messages a minute.
        lines = [attempt_line(outcome) for outcome in decided if outcome.kind in ("ack", "retry")]
        if lines:
            # The echo channel has printed its messages already.
            self._log.lines(lines, attempts=decided[0].claim.channel != "echo")
        for outcome in decided:
            if outcome.kind == "dead":  # a person has to look at it; a retry needs nobody
                self._log.error(attempt_line(outcome))
        self._telemetry.attempts(decided)
        if self._tracing is not None:
            self._tracing.ended(decided)
        self._count(decided)
        self._settler.add(decided)

    def _count(self, outcomes: Sequence[Outcome]) -> None:
        """Tell the lanes which claims they no longer hold."""
        for lane, group in groupby(outcomes, key=lambda outcome: outcome.claim.lane):
            given_back = [outcome.kind == "release" for outcome in group]
            self.lanes.reported(lane, ended=given_back.count(False), given_back=sum(given_back))

    def _decide(self, outcome: Outcome) -> Outcome:
        """Return the outcome of a failed attempt: a retry with its delay, or dead."""
        claim = outcome.claim
        delay_ms = after_failure(
            claim.retry or self._retry, claim.attempt, asked_ms=outcome.delay_ms, cut_short=outcome.cut_short
        )
        return outcome._replace(kind="dead" if delay_ms is None else "retry", delay_ms=delay_ms)

    def _settled(self, outcomes: Sequence[Outcome]) -> None:
        claims = [outcome.claim for outcome in outcomes]
        self.in_flight.remove(claims)
        self.lanes.settled(claims)
        self.finished += sum(outcome.kind in ("ack", "dead") for outcome in outcomes)
        self._freed()

    def _waits(self, outcomes: Sequence[Outcome]) -> None:
        self.lanes.settled(outcome.claim for outcome in outcomes)
        self._freed()

    # -- stop ------------------------------------------------------------------------------------------------------

    def stop(self, grace: float) -> None:
        """Let attempts finish within ``grace`` seconds, give back the rest, end the threads.

        Renewal must go on meanwhile: a long attempt would lose its lock, and another server would repeat it.
        """
        deadline = self._clock.monotonic() + grace
        self._stop_channels(grace)
        self.in_flight.wait_empty(self._clock, max(0.0, deadline - self._clock.monotonic()))
        self._settler.close()
        for pool in self._pools.values():
            # A handler that ignores the grace keeps its thread.  The process ends without it, and its message is given
            # back below.  The threads are asked, and not the claims in flight: a handler may have lost its lock.
            pool.shutdown(wait=not self._running, cancel_futures=True)
        left = self.in_flight.all()
        if left:
            self._log.error(f"{len(left)} messages did not finish in {grace:g} s and are given back: they run again")
            self._report([cut_short(claim) for claim in left])
            # Another thread may be settling them, and Redis is closed after this.
            self.in_flight.wait_empty(self._clock, self._release_seconds)

    def _stop_channels(self, grace: float) -> None:
        """Tell all channels at once, and return when all have stopped: each has the whole grace.

        Stopped one after the other, a webhook that hangs would leave no time to jobs.
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
