"""What all verbs share: partitions, scripts, and one way in which Redis's errors become ours."""

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
from scheduler.store.keys import LAYOUT, META, WAKE, PartitionKeys, partition_of
from scheduler.store.replicas import Replicated
from scheduler.store.scripts import Argument, Client, Keys, Reply, Script, load
from scheduler.store.silence import Silence

SCAN = 1000
"""Members of a set that one script call looks at: about 1 ms of Redis's time."""

WAIT_MS = 1000
"""How long replicas may take to confirm what a client is told."""

# A client is told that this is done: replicas must have it, or a failover forgets it (a message that was cancelled is
# delivered).  A claim or an outcome that is forgotten makes a repeat, not a loss, and does not wait.
_CONFIRMED = frozenset({"schedule", "update", "cancel", "redrive", "purge", "pause"})


@contextmanager
def unavailable() -> Iterator[None]:
    """Redis's errors as ours.  A defect of this service stays what it is."""
    try:
        yield
    except refusals.ERRORS as error:
        if refusals.is_defect(error):
            raise
        raise refusals.unavailable(error) from error


class Rounds:
    """Goes on to the next partition when one does not answer: the others' locks must not expire for it.

    ``for partition in rounds.over(…)``, and ``with rounds.next(partition):`` around its turn.
    """

    def __init__(self, silence: Silence, *, ask: bool = True) -> None:
        """``ask``: whether a node that was silent may be tried again, which may take a whole time limit."""
        self._silence = silence
        self._ask = ask
        self._hung: set[str] = set()
        self.error: StoreUnavailable | None = None
        """The first that was met."""
        self.away: set[int] = set()
        """The partitions that did not answer."""

    def over(self, partitions: Iterable[int]) -> Iterator[int]:
        """These partitions without those whose node hangs: one time limit per node and round is enough."""
        for partition in partitions:
            if self._hung and self._silence.node_of(partition) in self._hung:
                self.away.add(partition)
            elif error := self._silence.silent(partition, ask=self._ask):
                self._failed(partition, error)
            else:
                yield partition

    @contextmanager
    def next(self, partition: int) -> Iterator[None]:
        """A partition's turn."""
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
        """Raises what was met on the way."""
        if self.error is not None:
            raise self.error


class Base:
    """Partitions and calls.  Thread-safe: the client's pool hands each thread a connection of its own."""

    def __init__(
        self,
        client: Redis,
        *,
        new_id: IdGenerator,
        partitions: int = 1,
        events_kept: int = 0,
        idempotency_ms: int = 86_400_000,
        wait_replicas: int = 0,
        default_retry: RetryPolicy | None = None,
        now_ms: Callable[[], int] | None = None,
        monotonic: Callable[[], float] | None = None,
    ) -> None:
        """``client`` must decode replies to str.  ``events_kept``: entries of the event stream, 0 for none.
        ``wait_replicas``: N replicas must have what a client is told.  ``default_retry``: how many
        attempts a message without a policy of its own has, when their locks expire.
        ``now_ms``: a clock for tests; None: Redis's own.
        ``monotonic``: seconds, for how long a node that hangs is left alone; None: this machine's.
        """
        self.client = client
        self.partitions = [PartitionKeys(p) for p in range(partitions)]
        self.new_id = new_id
        self.idempotency_ms = idempotency_ms
        self.default_retry = default_retry or RetryPolicy()
        self._now_ms = now_ms
        self.silence = Silence(self._node_of, monotonic or SystemClock().monotonic)
        self._confirming: Client = Replicated(client, wait_replicas, WAIT_MS) if wait_replicas else client
        self._context: dict[str, Argument] = {"wake_channel": WAKE, "events_kept": events_kept}

    def open(self) -> None:
        """Write the layout at first start, compare it later.  Raises ``LayoutError`` when it is another one.

        Layout 1 is migrated: its messages are moved into lanes, 1,000 at a time.  A server of layout 1 that is still
        running meanwhile goes on with what has not been moved; what it accepts is moved by the next start.
        """
        # The number of partitions first: with another one nothing may be moved.
        mine = {"partitions": str(len(self.partitions)), "layout": str(LAYOUT)}
        for name, value in mine.items():
            # Looked at first: a Redis that is full refuses the write, and a server must be able to start and drain it.
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

    def _migrate(self) -> None:
        layout = self.plain("HGET", META, "layout")
        if layout not in ("1", str(LAYOUT)):
            return
        rounds = Rounds(self.silence)
        for partition in rounds.over(range(len(self.partitions))):
            with rounds.next(partition):
                while self.run("migrate", partition, limit=SCAN, wake_channel=WAKE, partition=partition) == SCAN:
                    pass
        if layout == "1":
            # Last: a start that is cut short in between is made up for by the next one.  On layout 2 there is usually
            # nothing to move, and a partition that is away keeps no server from starting.
            rounds.end()
            self.plain("HSET", META, "layout", LAYOUT)

    def close(self) -> None:
        """Close the connections."""
        self.client.close()

    def ping(self) -> None:
        """Raises ``StoreUnavailable`` when Redis does not answer."""
        self.anywhere("PING")

    def partition_of(self, id: str) -> int:
        return partition_of(id, len(self.partitions))

    def now(self) -> int:
        """0 in service: the scripts ask Redis."""
        return self._now_ms() if self._now_ms else 0

    def run(self, verb: str, partition: int, items: Sequence[Argument] = (), /, **arguments: Argument) -> Reply:
        """One verb on one partition."""
        return self.call(load(verb), self.partitions[partition], partition, items, **arguments)

    def call(
        self, script: Script, keys: Keys, partition: int, items: Sequence[Argument] = (), /, **arguments: Argument
    ) -> Reply:
        """One script with these keys; the arguments that every verb shares are added."""
        if "now" in script.arguments:
            arguments["now"] = self.now()
        shared = {**self._context, "partition": partition}
        arguments.update({name: shared[name] for name in shared if name in script.arguments})
        client = self._confirming if script.name in _CONFIRMED else self.client
        # Heartbeats are on a node of their own, which is no partition's.
        with self._heeded(partition) if isinstance(keys, PartitionKeys) else unavailable():
            return script.call(client, keys, items, **arguments)

    def require(self, partition: int) -> None:
        """Raises ``StoreUnavailable`` at once when the partition's node hangs: callers must not queue for it."""
        if error := self.silence.silent(partition):
            raise error

    def ask(self, partition: int) -> None:
        """Raises ``StoreUnavailable`` when this partition does not answer."""
        with self._heeded(partition):
            self.plain("EXISTS", self.partitions[partition]["meta"])

    @contextmanager
    def _heeded(self, partition: int) -> Iterator[None]:
        """Redis's errors as ours, and which nodes hang."""
        try:
            with unavailable():
                yield
        except StoreUnavailable as error:
            self.silence.failed(partition, error)
            raise
        self.silence.answered(partition)

    def _node_of(self, partition: int) -> str | None:
        """The node of the cluster that has this partition; None: unknown, or no cluster."""
        if (cluster := cluster_of(self.client)) is None:
            return None
        try:
            node = cluster.get_node_from_key(self.partitions[partition]["meta"])  # type: ignore[no-untyped-call]
        except refusals.ERRORS:
            return None
        return str(node.name) if node else None

    def plain(self, *command: Argument) -> Reply:
        """One command of Redis itself, with a key: in a cluster the key says where it goes."""
        with unavailable():
            return self.client.execute_command(*command)  # type: ignore[no-untyped-call]

    def anywhere(self, *command: Argument) -> Reply:
        """One command without a key; in a cluster any node answers."""
        with unavailable():
            where = {"target_nodes": RedisCluster.RANDOM} if cluster_of(self.client) else {}
            return self.client.execute_command(*command, **where)  # type: ignore[no-untyped-call]
