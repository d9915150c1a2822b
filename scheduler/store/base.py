"""The base of all verbs: partitions, script calls, and the translation of Redis's errors."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager

from redis import Redis
from redis.cluster import RedisCluster

from scheduler.clock import SystemClock
from scheduler.errors import LayoutError, StoreUnavailable
from scheduler.message import IdGenerator
from scheduler.redis_server import refusals
from scheduler.redis_server.connections import cluster_of
from scheduler.retry import RetryPolicy
from scheduler.store.keys import LAYOUT, META, MOVED, WAKE, PartitionKeys
from scheduler.store.partitions import ending_in, partition_of
from scheduler.store.replicas import Replicated
from scheduler.store.scripts import Argument, Client, Keys, Reply, Script, load
from scheduler.store.silence import Silence

SCAN = 1000
"""Members of a set that one script call reads at most: about 1 ms of Redis's time."""

WAIT_MS = 1000
"""How long replicas may take to confirm a write."""


@contextmanager
def unavailable() -> Iterator[None]:
    """Raise Redis's errors as ``StoreUnavailable``; errors that are defects of this service pass unchanged."""
    try:
        yield
    except refusals.ERRORS as error:
        if refusals.is_defect(error):
            raise
        raise refusals.unavailable(error) from error


class Rounds:
    """A loop over partitions that goes on when one does not answer.

    Without it, one node that is away would let the locks of all other partitions expire.
    Use: ``for partition in rounds.over(…)``, and ``with rounds.next(partition):`` around the calls to it.
    """

    def __init__(self, silence: Silence, *, ask: bool = True) -> None:
        """``ask``: try again a node that did not answer before, which may take a whole timeout."""
        self._silence = silence
        self._ask = ask
        self._hung: set[str] = set()
        self.error: StoreUnavailable | None = None
        """The first error of the round."""
        self.away: set[int] = set()
        """Partitions that did not answer."""

    def over(self, partitions: Iterable[int]) -> Iterator[int]:
        """Yield these partitions, except those on a node that timed out in this round or lately."""
        for partition in partitions:
            if self._hung and self._silence.node_of(partition) in self._hung:
                self.away.add(partition)
            elif error := self._silence.silent(partition, ask=self._ask):
                self._failed(partition, error)
            else:
                yield partition

    @contextmanager
    def next(self, partition: int) -> Iterator[None]:
        """Wrap the calls to one partition: note when it is away, and go on."""
        try:
            yield
        except StoreUnavailable as error:
            self._failed(partition, error)
            if self._silence.silent(partition, ask=False) and (node := self._silence.node_of(partition)):
                self._hung.add(node)

    def _failed(self, partition: int, error: StoreUnavailable) -> None:
        self.away.add(partition)
        self.error = self.error or error

    def end(self) -> None:
        """Raise the first error of the round, if there was one."""
        if self.error is not None:
            raise self.error


class Base:
    """Call scripts on partitions.  Thread-safe: the client's pool gives each thread its own connection."""

    def __init__(
        self,
        client: Redis,
        *,
        new_id: IdGenerator,
        partitions: int = 1,
        events_kept: int = 0,
        outbox_bytes: int = 0,
        outbox_waits: bool = False,
        idempotency_ms: int = 86_400_000,
        wait_replicas: int = 0,
        default_retry: RetryPolicy | None = None,
        now_ms: Callable[[], int] | None = None,
        test_clock: bool = False,
        monotonic: Callable[[], float] | None = None,
    ) -> None:
        """``client`` must decode replies to str.

        ``events_kept``: entries of the event stream, 0 for none.  ``outbox_bytes``: finished messages that may wait for
        the history, over all partitions; 0: there is no history.  ``outbox_waits``: when they are more, settling waits;
        otherwise the oldest are dropped.  ``wait_replicas``: a write is done when N replicas
        have it.  ``default_retry``: gives the attempts of a message without a policy, for those whose lock expired.
        ``now_ms``: a clock for tests; None: Redis's clock.  ``test_clock``: users' tests may move it (``move_clock``).
        ``monotonic``: seconds, for the time between two calls; None: the clock of this machine.
        """
        self.client = client
        self.partitions = [PartitionKeys(p) for p in range(partitions)]
        self.new_id = new_id
        self.idempotency_ms = idempotency_ms
        self.default_retry = default_retry or RetryPolicy()
        self._now_ms = now_ms
        self._test_clock = test_clock
        self.monotonic = monotonic or SystemClock().monotonic
        self.silence = Silence(self._node_of, self.monotonic)
        self._confirming: Client = Replicated(client, wait_replicas, WAIT_MS) if wait_replicas else client
        self._context: dict[str, Argument] = {
            "wake_channel": WAKE,
            "events_kept": events_kept,
            "outbox_limit": -(-outbox_bytes // partitions),
            "outbox_waits": "1" if outbox_bytes and outbox_waits else "",
            "redriven_from": "",
        }

    def open(self) -> None:
        """Write the layout at the first start; later compare it.  Raises ``LayoutError`` when they differ.

        Older layouts are migrated: the messages of layout 1 are moved into lanes and the flow keys of layout 2 become
        texts, 1,000 at a time.  A server of layout 1 that still runs goes on with messages that are not moved yet; the
        next start moves what it accepts meanwhile.
        """
        # Partitions come first: if their number differs, no message may be moved.
        mine = {"partitions": str(len(self.partitions)), "layout": str(LAYOUT)}
        for name, value in mine.items():
            # Read first, write only at the first start: a server must be able to start with a Redis that is full and
            # refuses writes, so that it can drain it.
            if self.plain("HGET", META, name) is None:
                self.plain("HSETNX", META, name, value)
        if self.plain("HGET", META, "partitions") == mine["partitions"]:
            self._migrate()
        for name, value in mine.items():
            stored = self.plain("HGET", META, name)
            if stored != value:
                way_out = (
                    f"Set Redis.Partitions to {stored}, or use another Redis: the number is fixed at first start."
                    if name == "partitions"
                    else "Use the version of the service that wrote it, or another Redis."
                )
                raise LayoutError(f"This Redis holds data with {name} {stored}, this server has {value}. {way_out}")
        if not self._test_clock and self.plain("HGET", META, MOVED) is not None:
            raise LayoutError(
                "Tests have moved the clock of this Redis, and this server would deliver by another one. "
                "Set Test.Clock to true, or use another Redis."
            )

    def _migrate(self) -> None:
        layout = self.plain("HGET", META, "layout")
        if layout not in ("1", "2", str(LAYOUT)):
            return
        rounds = Rounds(self.silence)
        for partition in rounds.over(range(len(self.partitions))):
            with rounds.next(partition):
                if layout == "2":
                    self._migrate_keys(partition)
                while self.run("migrate", partition, limit=SCAN) == SCAN:
                    pass
        if layout != str(LAYOUT):
            # The layout is written last: if this start is interrupted, the next one migrates the rest.  Only an older
            # layout needs all partitions; on the present one a server also starts while one is away.
            rounds.end()
            self.plain("HSET", META, "layout", LAYOUT)

    def _migrate_keys(self, partition: int) -> None:
        after = self.run("migrate_keys", partition, after="", limit=SCAN)
        while after:
            after = self.run("migrate_keys", partition, after=after, limit=SCAN)

    def close(self) -> None:
        """Close the connections."""
        self.client.close()

    def ping(self) -> None:
        """Raises ``StoreUnavailable`` when Redis does not answer."""
        self.anywhere("PING")

    def partition_of(self, id: str) -> int:
        return partition_of(id, len(self.partitions))

    def ids_in(self, partition: int, count: int) -> list[str]:
        """Return new ids of this partition."""
        choose = ending_in(partition, len(self.partitions))
        return [self.new_id.ending(choose) for _ in range(count)]

    def now(self) -> int:
        """Return what scripts take as ``now``: 0 in service, where they read Redis's clock.

        Above 0: the time of a test's clock (ms).  Below 0: -now ms after Redis's clock, with ``Test.Clock``.
        """
        return -self.moved_ms() if self._test_clock else self.fixed_now()

    def fixed_now(self) -> int:
        """Return the time of a test's clock (ms), else 0."""
        return self._now_ms() if self._now_ms else 0

    def moved_ms(self) -> int:
        """Return how far users' tests have moved the clock (ms): 0 unless ``Test.Clock`` is on.

        It is read from Redis each time, so that a move counts at once in every process of the service.
        """
        return int(self.plain("HGET", META, MOVED) or 0) if self._test_clock else 0

    def own_ms(self) -> int:
        """Return Redis's own time (ms): by this one locks expire and processes are alive, wherever tests move it."""
        if now := self.fixed_now():
            return now
        seconds, micros = self.anywhere("TIME")
        return int(seconds) * 1000 + int(micros) // 1000

    def run(
        self,
        verb: str,
        partition: int,
        items: Sequence[Argument] = (),
        /,
        *,
        replicated: bool = False,
        **arguments: Argument,
    ) -> Reply:
        """Call the script of a verb on one partition; see ``call``."""
        keys = self.partitions[partition]
        return self.call(load(verb), keys, partition, items, replicated=replicated, **arguments)

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
        """Call a script with these keys, list and arguments.

        ``replicated``: wait until ``Redis.WaitReplicas`` replicas have the write.  For writes that the client is told
        are done: after a failover without them, a message that was cancelled would be delivered.  A claim or an outcome
        does not wait: losing it repeats a delivery, no more.

        ``now``, ``partition`` and the context (``wake_channel``, ``events_kept`` …) are added here for each script
        whose header names them: they are the same for all verbs.
        """
        arguments = self._completed(script, partition, arguments)
        client = self._confirming if replicated else self.client
        # Heartbeats belong to no partition: their node's silence must not count as this partition's.
        with self._noting_silence(partition) if isinstance(keys, PartitionKeys) else unavailable():
            return script.call(client, keys, items, **arguments)

    def of_all(self, verb: str, /, **arguments: Argument) -> tuple[list[Reply], int]:
        """Call a script on every partition; return the replies, and how many partitions do not answer.

        Raises ``StoreUnavailable`` when none answers.
        """
        replies: list[Reply] = []
        rounds = Rounds(self.silence)
        for partition in rounds.over(range(len(self.partitions))):
            with rounds.next(partition):
                replies.append(self.run(verb, partition, replicated=False, **arguments))
        if not replies:
            rounds.end()
        return replies, len(rounds.away)

    def command(self, verb: str, partition: int, /, **arguments: Argument) -> Sequence[Argument]:
        """Return the command that ``run`` sends first, for a pipeline.  The script may have to be loaded."""
        script = load(verb)
        return script.command(self.partitions[partition], (), **self._completed(script, partition, arguments))

    def _completed(self, script: Script, partition: int, arguments: dict[str, Argument]) -> dict[str, Argument]:
        if "now" in script.arguments and "now" not in arguments:
            arguments["now"] = self.now()
        shared = {**self._context, "partition": partition}
        return {**{name: shared[name] for name in shared if name in script.arguments}, **arguments}

    def require(self, partition: int) -> None:
        """Raise ``StoreUnavailable`` at once when the partition's node hangs, so that callers do not queue for it."""
        if error := self.silence.silent(partition):
            raise error

    def ask(self, partition: int) -> None:
        """Raise ``StoreUnavailable`` when this partition does not answer."""
        with self._noting_silence(partition):
            self.plain("EXISTS", self.partitions[partition]["meta"])

    @contextmanager
    def _noting_silence(self, partition: int) -> Iterator[None]:
        """Translate Redis's errors, and note whether the partition's node answered in time."""
        try:
            with unavailable():
                yield
        except StoreUnavailable as error:
            self.silence.failed(partition, error)
            raise
        self.silence.answered(partition)

    def _node_of(self, partition: int) -> str | None:
        """Return the name of the cluster's node that has this partition; None: unknown, or no cluster."""
        if (cluster := cluster_of(self.client)) is None:
            return None
        try:
            node = cluster.get_node_from_key(self.partitions[partition]["meta"])  # type: ignore[no-untyped-call]
        except refusals.ERRORS:
            return None
        return str(node.name) if node else None

    def plain(self, *command: Argument) -> Reply:
        """Send one Redis command that has a key; in a cluster the key chooses the node."""
        with unavailable():
            return self.client.execute_command(*command)  # type: ignore[no-untyped-call]

    def anywhere(self, *command: Argument) -> Reply:
        """Send one Redis command that has no key; in a cluster any node answers."""
        with unavailable():
            where = {"target_nodes": RedisCluster.RANDOM} if cluster_of(self.client) else {}
            return self.client.execute_command(*command, **where)  # type: ignore[no-untyped-call]
