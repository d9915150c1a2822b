"""Parts of the delivery side for tests: a store that can be away, channels that do as they are told."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Any

import fakeredis

from scheduler.channels.base import Channel, LaneSpec, Report
from scheduler.clock import Clock
from scheduler.delivery.workers import Workers
from scheduler.errors import StoreUnavailable
from scheduler.logs.sinks import adapt
from scheduler.message import NOW, Claim, Due, IdGenerator, Message, NewMessage, Outcome
from scheduler.retry import RetryPolicy
from scheduler.store import MessageStore
from scheduler.store.scripts import Argument, Keys, Reply, Script
from scheduler.telemetry.figures import Telemetry
from tests.support.logger import RecordingLogger
from tests.support.store import take

LOCK_MS = 5000
PLAIN = RetryPolicy(max_attempts=5, base=1.0, factor=2.0, cap=5.0, jitter=False)
"""Backoff of 1, 2, 4, 5, 5 … s: no chance in it."""


class FlakyStore(MessageStore):
    """The real verbs over a Redis inside this process, on the test's clock, until told to be ``away`` or ``broken``."""

    def __init__(self, clock: Clock, **options: Any) -> None:
        super().__init__(
            fakeredis.FakeRedis(decode_responses=True),
            new_id=IdGenerator(clock.now_ms),
            now_ms=clock.now_ms,
            monotonic=clock.monotonic,
            **options,
        )
        self.away = False
        """Redis does not answer."""
        self.away_partitions: set[int] = set()
        """These of its nodes do not answer."""
        self.broken: Exception | None = None
        """A defect: raised by every verb."""
        self.calls: list[str] = []
        """The scripts that ran, in order."""
        self.before: Callable[[str], None] = lambda verb: None
        """Called with the verb before it runs: a place to hold it, or to interfere."""
        self.open()

    def call(
        self,
        script: Script,
        keys: Keys,
        partition: int,
        items: Sequence[Argument] = (),
        /,
        *,
        replicated: bool = False,
        **arguments: Argument,
    ) -> Reply:
        self._check(script.name)
        if partition in self.away_partitions:
            raise StoreUnavailable("Redis does not answer: this node is away")
        self.calls.append(script.name)
        return super().call(script, keys, partition, items, replicated=replicated, **arguments)

    def plain(self, *command: Argument) -> Reply:
        self._check(str(command[0]))
        return super().plain(*command)

    def anywhere(self, *command: Argument) -> Reply:
        self._check(str(command[0]))
        return super().anywhere(*command)

    def _check(self, verb: str) -> None:
        self.before(verb)
        if self.away:
            raise StoreUnavailable("Redis does not answer: connection refused")
        if self.broken:
            raise self.broken

    def add(
        self, count: int = 1, *, channel: str = "test", due_at: Due = NOW, partition: int = 0, **fields: Any
    ) -> list[str]:
        """The ids of new messages, due now unless ``due_at`` says otherwise."""
        new = [
            NewMessage(id=id, payload=f'"m{number}"', due_at=due_at, channel=channel, **fields)
            for number, id in enumerate(self.ids_in(partition, count))
        ]
        self.schedule(new)
        return [message.id for message in new]

    def claim_all(self, owner: str = "other", lock_ms: int = LOCK_MS) -> list[Claim]:
        """What is due, claimed as another server would."""
        return take(self, 1000, lock_ms, owner).claims

    def message(self, id: str) -> Message:
        return self.get(id)


class TestChannel:
    """One lane of the channel's own name, in slices of ``max_slice``."""

    __test__ = False
    failure = None

    def __init__(self, name: str, max_slice: int, slow: bool, concurrency: int | None = None) -> None:
        self.name = name
        self.max_slice = max_slice
        self.slow = slow
        self._concurrency = concurrency

    def lanes(self) -> Sequence[LaneSpec]:
        return [LaneSpec(self.name, self._concurrency)]

    def slice_size(self, lane: str) -> int:
        return self.max_slice


class HeldChannel(TestChannel):
    """Holds every slice until ``let_go``; one message per worker unless ``max_slice`` says otherwise."""

    def __init__(
        self, max_slice: int = 1, name: str = "test", *, slow: bool = True, concurrency: int | None = None
    ) -> None:
        super().__init__(name, max_slice, slow, concurrency)
        self.stopped: list[float] = []
        """The grace of each ``stop``."""
        self.begun: list[str] = []
        """Ids in the order in which workers took them."""
        self._gate = threading.Event()
        self._changed = threading.Condition()

    def start(self) -> None:
        """Nothing to start."""

    def deliver(self, claims: Sequence[Claim], report: Report) -> None:
        with self._changed:
            self.begun += [claim.id for claim in claims]
            self._changed.notify_all()
        assert self._gate.wait(30), "nobody let go"
        report([Outcome(claim, "ack") for claim in claims])

    def stop(self, grace: float) -> None:
        self.stopped.append(grace)

    def let_go(self) -> None:
        self._gate.set()

    def wait_begun(self, count: int) -> None:
        """Block until workers have taken so many messages."""
        with self._changed:
            begun = self._changed.wait_for(lambda: len(self.begun) >= count, 30)
        assert begun, f"{len(self.begun)} of {count} begun"


class DoingChannel(TestChannel):
    """Calls a function with each slice."""

    def __init__(
        self, do: Callable[[Sequence[Claim], Report], None], max_slice: int = 100, *, slow: bool = False
    ) -> None:
        super().__init__("test", max_slice, slow)
        self._do = do

    def start(self) -> None:
        """Nothing to start."""

    def deliver(self, claims: Sequence[Claim], report: Report) -> None:
        self._do(claims, report)

    def stop(self, grace: float) -> None:
        """Nothing to stop."""


def acking() -> DoingChannel:
    """A channel that delivers at once."""
    return DoingChannel(lambda claims, report: report([Outcome(claim, "ack") for claim in claims]))


class Pool:
    """A worker pool over a store, with everything that it reports to."""

    def __init__(
        self,
        store: MessageStore,
        clock: Clock,
        *channels: Channel,
        threads: int = 10,
        retry: RetryPolicy = PLAIN,
        batch_size: int = 100,
    ) -> None:
        self.log = RecordingLogger()
        self.telemetry = Telemetry(clock)
        self.freed = threading.Event()
        self.workers = Workers(
            store,
            {channel.name: channel for channel in channels},
            threads=threads,
            job_threads=threads,
            batch_size=batch_size,
            release_seconds=5.0,
            retry=retry,
            clock=clock,
            log=adapt(self.log),
            telemetry=self.telemetry,
            freed=self.freed.set,
        )
        self.workers.start()

    def counted(self, name: str) -> int:
        """A counter of the telemetry, over all labels."""
        return sum(n for counted, _, n in self.telemetry.snapshot()["counters"] if counted == name)

    def close(self) -> None:
        """End the threads."""
        for pool in self.workers._pools.values():
            pool.shutdown()

    def idle(self) -> None:
        """Block until nothing is in flight."""
        assert self.workers.in_flight._empty.wait(30), f"still in flight: {self.workers.in_flight.all()}"


def counters(telemetry: Telemetry) -> dict[str, int]:
    """Counters by name and label values: ``scheduler_reaped dead``."""
    return {" ".join([name, *(v for _, v in labels)]): n for name, labels, n in telemetry.snapshot()["counters"]}


MakePool = Callable[..., Pool]
"""What the fixture ``pool`` gives: it takes channels, and options of the pool."""


def submit(store: FlakyStore, pool: Pool, ids: Sequence[str] | None = None) -> list[Claim]:
    """Claim what is due, as the dispatcher would, and hand it over."""
    pool.workers.lanes.wanted()
    claims = take(store, 1000, LOCK_MS, "me").claims
    assert ids is None or {claim.id for claim in claims} == set(ids)
    pool.workers.submit(claims)
    return claims


def in_thread(call: Callable[[], None]) -> threading.Thread:
    thread = threading.Thread(target=call, daemon=True)
    thread.start()
    return thread


def failing(**outcome: Any) -> DoingChannel:
    return DoingChannel(
        lambda claims, report: report([Outcome(claim, "retry", error="no luck", **outcome) for claim in claims])
    )


def acking_as(name: str) -> DoingChannel:
    channel = acking()
    channel.name = name
    return channel
