"""The store in tests: a clock that a test sets, the scripts by name, the whole keyspace as plain data."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import redis

from scheduler.message import Due, IdGenerator, NewMessage, Outcome, OutcomeKind, lane_of
from scheduler.retry import RetryPolicy
from scheduler.store import Claimed, MessageStore
from scheduler.store.budgets import Budget, Wanted
from scheduler.store.keys import WAKE, PartitionKeys, scheduled_sets
from scheduler.store.scripts import Argument, load
from tests.support.clock import START_MS
from tests.support.flow_rules import broken_flow_rules, in_one_piece

T = TypeVar("T")

NOW = START_MS
"""The moment at which tests begin, ms."""

JOBS = ("", "another", "gap", "event", "send_email", "resize", "hello", "mail", "x", "y", "of_this_test", "anything")
LANES = ("echo", "webhook", "test", "quick", "one", "many", "slow", *[f"job:{type}" for type in JOBS])
"""The lanes that ``take`` asks for, unless it is told others."""
DUE_SETS = tuple(name for lane in LANES for name in scheduled_sets(lane))
SETS = (*DUE_SETS, "locks", "dead", "done")
STATUS_OF_SET: dict[str, set[str | None]] = {
    **{name: {None} for name in DUE_SETS},
    "locks": {"processing"},
    "dead": {"dead"},
    "done": {"delivered", "cancelled"},
}


class Ticks:
    """Redis's clock as a test sets it: ``MessageStore(now_ms=ticks)``."""

    def __init__(self, now: int = NOW) -> None:
        self.now = now

    def __call__(self) -> int:
        return self.now


def store_on(
    client: redis.Redis,
    now_ms: Callable[[], int] | None = None,
    *,
    partitions: int = 1,
    events_kept: int = 0,
    default_retry: RetryPolicy | None = None,
    idempotency_ms: int = 86_400_000,
    outbox_bytes: int = 0,
    outbox_waits: bool = False,
) -> MessageStore:
    """A store that is not yet open."""
    return MessageStore(
        client,
        new_id=IdGenerator(now_ms or (lambda: NOW)),
        partitions=partitions,
        events_kept=events_kept,
        default_retry=default_retry,
        idempotency_ms=idempotency_ms,
        outbox_bytes=outbox_bytes,
        outbox_waits=outbox_waits,
        now_ms=now_ms,
        # One clock that stands: with the machine's beside it, the wait that a claim names would hang on its speed.
        monotonic=now_ms and (lambda: now_ms() / 1000),
    )


def message(id: str, due_at: Due = NOW, **more: Any) -> NewMessage:
    """A message whose payload is its id."""
    return NewMessage(id=id, due_at=due_at, **{"payload": f'"{id}"', **more})


def wanted(limit: int, lanes: Sequence[str] = LANES) -> Wanted:
    """A server with room for more than ``limit`` messages of each lane."""
    return Wanted([Budget(lane, limit + 1, limit + 1, 0) for lane in lanes])


def take(store: MessageStore, limit: int, lock_ms: int, owner: str = "", lanes: Sequence[str] = LANES) -> Claimed:
    """Claim up to ``limit`` due messages, whatever their lane."""
    return store.claim(wanted(limit, lanes), limit, lock_ms, owner)


def outcomes(claimed: Claimed, kind: OutcomeKind = "ack", **more: Any) -> list[Outcome]:
    """The same outcome for every claim."""
    return [Outcome(claim, kind, **more) for claim in claimed.claims]


class Lua:
    """Each script by name on partition 0, with the arguments that all verbs share filled in."""

    def __init__(self, client: redis.Redis, events_kept: int = 0, outbox_limit: int = 0) -> None:
        self.client = client
        self.keys = PartitionKeys(0)
        self._shared: dict[str, Argument] = {
            "wake_channel": WAKE,
            "partition": 0,
            "events_kept": events_kept,
            "outbox_limit": outbox_limit,
            "outbox_waits": "",
            "redriven_from": "",
        }

    def __call__(self, verb: str, *items: Argument, now: int = NOW, **arguments: Argument) -> Any:
        script = load(verb)
        shared = {name: value for name, value in self._shared.items() if name in script.arguments}
        if "now" in script.arguments:
            shared["now"] = now
        aliases = {name: str(arguments.pop(name)) for name in ("set", "kept") if name in arguments}
        return script.call(self.client, self.keys.using(**aliases), items, **{**shared, **arguments})

    def schedule(self, *ids: str, now: int = NOW, due_at: int = NOW, priority: str = "normal", retry: str = "") -> Any:
        """Messages whose payload is their id, without a key."""
        items = [v for id in ids for v in (id, f'"{id}"', due_at, "echo", priority, "", "", "", retry, "", "", "")]
        return self("schedule", *items, now=now, key="", fingerprint="", key_ttl=1000)

    def claim(
        self,
        limit: int = 100,
        *budgets: tuple[str, int, int, int],
        now: int = NOW,
        lock_ms: int = 1000,
        token: str = "t",
        shared: int = 0,
    ) -> Any:
        """``budgets``: lane, most, own, each; without one as much as there is of the lane of ``echo``."""
        items = [value for budget in budgets or [("echo", limit + 1, limit + 1, 0)] for value in budget]
        return self("claim", *items, now=now, limit=limit, lock_ms=lock_ms, token=token, shared=shared)

    def settle(
        self,
        id: str,
        kind: str,
        *,
        now: int = NOW,
        token: str = "t",
        delay_ms: int | str = "",
        error: str = "",
        evidence: str = "1 2 3 4",
        result: str = "",
    ) -> Any:
        texts = sum(int(self.client.hstrlen(f"ms1:{{0}}:msg:{id}", field)) for field in "pt")
        return self("settle", id, token, kind, delay_ms, error, evidence, result, texts, now=now)

    def reap(
        self, limit: int = 100, *, now: int, max_attempts: int = 5, lost_limit: int = 5, not_after: int | str = ""
    ) -> Any:
        return self("reap", now=now, limit=limit, max_attempts=max_attempts, lost_limit=lost_limit, not_after=not_after)

    def dead(self, *ids: str, now: int = NOW, error: str = "boom") -> None:
        """Messages that were given up at ``now``."""
        self.schedule(*ids, now=now, due_at=now)
        self.claim(len(ids), now=now)
        for id in ids:
            self.settle(id, "dead", now=now, error=error)

    def done(self, *ids: str, now: int = NOW) -> None:
        """Messages that were delivered at ``now``."""
        self.schedule(*ids, now=now, due_at=now)
        self.claim(len(ids), now=now)
        for id in ids:
            self.settle(id, "ack", now=now)

    def state(self) -> dict[str, Any]:
        """The whole keyspace: ``dump``."""
        return dump(self.client)


def dump(client: redis.Redis, partition: int = 0) -> dict[str, Any]:
    """Every key as plain data, without the prefix of this partition: sets as id → whole number, streams as the lists of
    their entries.  Without the lists of lanes, which may name lanes in which nothing waits any more.
    """
    keys = sorted(key for key in client.scan_iter(count=10_000) if not key.endswith(":lanes"))
    with client.pipeline(transaction=False) as pipe:
        for key in keys:
            pipe.type(key)
        types = pipe.execute()
        for key, type in zip(keys, types, strict=True):
            _READ[type](pipe, key)
        values = pipe.execute()
    return in_one_piece(
        {
            key.removeprefix(f"ms1:{{{partition}}}:"): _PLAIN.get(type, lambda value: value)(value)
            for key, type, value in zip(keys, types, values, strict=True)
        }
    )


_READ: dict[str, Callable[[Any, str], Any]] = {
    "zset": lambda pipe, key: pipe.zrange(key, 0, -1, withscores=True),
    "hash": lambda pipe, key: pipe.hgetall(key),
    "string": lambda pipe, key: pipe.get(key),
    "stream": lambda pipe, key: pipe.xrange(key),
    "list": lambda pipe, key: pipe.lrange(key, 0, -1),
}
_PLAIN: dict[str, Callable[[Any], Any]] = {
    "zset": lambda pairs: {id: int(score) for id, score in pairs},
    "stream": lambda entries: [fields for _, fields in entries],
}


def broken_rules(client: redis.Redis, partition: int = 0, now: int = 0) -> list[str]:
    """What is wrong with a partition at ``now``, in words: an id in two places or in none, a status that is not its
    set's, a lock without token or a token without lock, counters that do not add up.
    """
    state = dump(client, partition)
    names = {*SETS, *(key for key in state if key.startswith(("due:", "flow:due:")))}
    sets: dict[str, dict[str, int]] = {name: state.get(name, {}) for name in names}
    hashes: dict[str, dict[str, str]] = {
        key.removeprefix("msg:"): value for key, value in state.items() if key.startswith("msg:")
    }
    problems = []
    places = Counter(id for ids in sets.values() for id in ids)
    problems += [f"{id} is in {n} sets" for id, n in places.items() if n > 1]
    problems += [f"{id} is in no set" for id in hashes if id not in places]
    problems += [f"{id} has no hash" for id in places if id not in hashes]
    for name, ids in sets.items():
        for id in ids:
            fields = hashes.get(id, {})
            if fields.get("s") not in STATUS_OF_SET.get(name, {None}):
                problems.append(f"{id} is {fields.get('s')} and in {name}")
            lane = fields.get("j") or lane_of(fields.get("n", "echo"), fields.get("y"))
            kind = "flow:due:" if "F" in fields else "due:"
            if name.startswith(("due:", "flow:")) and name != f"{kind}{lane}:{fields.get('q', 'normal')}":
                problems.append(f"{id} of lane {lane} has priority {fields.get('q')} and is in {name}")
            if bool(fields.get("k")) != (name == "locks"):
                problems.append(f"{id} is in {name} with the token {fields.get('k')!r}")
            if len([f for f in fields if f.startswith("h:")]) > 20:
                problems.append(f"{id} keeps more evidence than 20 attempts")
    waiting = {
        name.removeprefix("flow:").removeprefix("due:").rpartition(":")[0]
        for name in names
        if name.startswith(("due:", "flow:due:")) and sets[name]
    }
    problems += [
        f"lane {lane} is not in the list of lanes"
        for lane in waiting - set(client.zrange(PartitionKeys(partition)["lanes"], 0, -1))
    ]
    for name in ("done", "dead"):
        counted = int(state.get("meta", {}).get(f"{name}_bytes", 0))
        weight = sum(int(hashes.get(id, {}).get("z", 0)) for id in sets[name])
        if counted != weight:
            problems.append(f"{name}_bytes is {counted}, its messages weigh {weight}")
    counted = int(state.get("meta", {}).get("retrying", 0))
    retrying = sum("s" not in fields and fields.get("a", "0") != "0" for fields in hashes.values())
    if counted != retrying:
        problems.append(f"retrying is {counted}, and {retrying} scheduled messages have an attempt behind them")
    problems += broken_flow_rules(state, hashes, now)
    problems += _broken_held(state.get("held", {}), hashes) + _broken_outbox(state, hashes)
    return problems + broken_schedules(state)


def _broken_held(held: dict[str, int], hashes: dict[str, dict[str, str]]) -> list[str]:
    put_off = {id: int(fields["b"]) for id, fields in hashes.items() if "b" in fields and "f" not in fields}
    return [] if held == put_off else [f"held is {held}, and {put_off} were put off"]


def broken_schedules(state: dict[str, Any]) -> list[str]:
    """A schedule in two sets or in none, an active one without a next moment, one that waits for a run that ended."""
    schedules = {key.removeprefix("sched:"): value for key, value in state.items() if key.startswith("sched:")}
    plans: dict[str, int] = state.get("plans", {})
    rests: dict[str, int] = state.get("rests", {})
    problems = [f"schedule {id} has no hash" for id in {*plans, *rests} - set(schedules)]
    for id, fields in schedules.items():
        if (id in plans) == (id in rests):
            problems.append(f"schedule {id} is among the active ones and among the others, or in neither")
        if rests.get(id) != {"paused": 1, "ended": 2}.get(fields.get("state", "")):
            problems.append(f"schedule {id} is {fields.get('state', 'active')} and in rests with {rests.get(id)}")
        if (id in plans) != ("next" in fields):
            problems.append(
                f"schedule {id} is {fields.get('state', 'active')} with the next moment {fields.get('next')}"
            )
        if id in plans and not int(fields["next"]) <= plans[id]:
            problems.append(f"schedule {id} is planned at {plans[id]}, before its moment {fields['next']}")
        busy = state.get(f"msg:{fields.get('busy')}")
        if "busy" in fields and (busy is None or "f" in busy):
            problems.append(f"schedule {id} waits for {fields['busy']}, which has ended")
        if "buffered" in fields and "busy" not in fields:
            problems.append(f"schedule {id} keeps {fields['buffered']} waiting for nothing")
    gone = {key for key in state if key.startswith("runs:")} - {f"runs:{id}" for id in schedules}
    return problems + [f"{key} is of no schedule" for key in gone]


def _broken_outbox(state: dict[str, Any], hashes: dict[str, dict[str, str]]) -> list[str]:
    """An outbox with members that are not finished, copies that are not in it, bytes that do not add up."""
    outbox: dict[str, int] = state.get("outbox", {})
    copies = {key.removeprefix("copy:"): value for key, value in state.items() if key.startswith("copy:")}
    held = {member: (copies if "@" in member else hashes).get(member, {}) for member in outbox}
    problems = [f"the copy {member} is not in the outbox" for member in copies if member not in outbox]
    problems += [
        f"{member} is in the outbox with {finish}, and finished at {held[member].get('f')}"
        for member, finish in outbox.items()
        if held[member].get("f") != str(finish)
    ]
    counted, weight = int(state.get("meta", {}).get("outbox_bytes", 0)), sum(int(f.get("z", 0)) for f in held.values())
    return problems + ([] if counted == weight else [f"outbox_bytes is {counted}, its messages weigh {weight}"])


def at_once(work: Sequence[Callable[[], T]]) -> list[T]:
    """Run each in a thread of its own, released together by a barrier; their results in order.  Raises the first
    error.
    """
    barrier = threading.Barrier(len(work), timeout=30)
    results: dict[int, T] = {}
    errors: list[BaseException] = []

    def run(i: int, job: Callable[[], T]) -> None:
        try:
            barrier.wait()
            results[i] = job()
        except BaseException as error:  # noqa: BLE001 - handed to the test's own thread
            errors.append(error)

    threads = [threading.Thread(target=run, args=(i, job)) for i, job in enumerate(work)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    if errors:
        raise errors[0]
    return [results[i] for i in range(len(work))]
