"""One schedule with two moments, two planners and a server that delivers: every order of their steps, and of faults.

A planner's step has two halves, what it reads and what it writes, and anything may happen in between: the other
planner, a change by a user, time, the death of the server.  From each state that is met, all is also carried to its end
without further faults: then each moment has become one delivery, or is told as skipped.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple, cast

import redis

from scheduler.message import Claim, NewMessage, Outcome, OutcomeKind
from scheduler.recurrence import CatchUp
from scheduler.retry import RetryPolicy
from scheduler.schedule import Definition, DuePlan, Overlap, Planned
from scheduler.schedules import changing
from scheduler.store import MessageStore
from tests.explore.rules import BrokenRule, require
from tests.support.store import NOW, broken_schedules, take

MOMENTS = (NOW + 1000, NOW + 2000)
LOCK_MS = 1500
LONG_MS = 6500
"""Longer than what counts as a short delay."""
END = NOW + 12_000

ONE = "one message for each schedule and moment"
EARLY = "never early"
OLD = "after a change or a delete nothing old begins"
PLACE = "each schedule is where its state says, and an active one has a next moment"
ENDS = "when faults end, each moment is delivered or told as skipped"

_DUMP = """
local reply = {}
for _, key in ipairs(redis.call('KEYS', '*')) do
  local type = redis.call('TYPE', key).ok
  local value
  if type == 'zset' then
    value = redis.call('ZRANGE', key, 0, -1, 'WITHSCORES')
  elseif type == 'hash' then
    value = redis.call('HGETALL', key)
  else
    value = redis.call('LRANGE', key, 0, -1)
  end
  reply[#reply + 1] = {key, type, value}
end
return reply
"""
_WRITE = {"zset": "ZADD", "hash": "HSET", "list": "RPUSH"}

_DEFAULT = CatchUp()
_NOTES = frozenset({"g", "u", "f", "z", "e", "c"})

Content = tuple[tuple[str, str, tuple[str, ...]], ...]


@dataclass(frozen=True)
class Scope:
    """How much may happen."""

    overlap: Overlap = "allow"
    policy: CatchUp = _DEFAULT
    crashes: int = 1
    """Times that a server dies with what it holds, or that nobody does anything for a while."""
    changes: int = 1
    """Times that the user changes, pauses or deletes the schedule."""
    failures: int = 0
    """Attempts that fail, and are made again."""


FULL = (
    Scope(failures=1),
    Scope(overlap="skip", policy=CatchUp("all")),
    Scope(overlap="buffer", policy=CatchUp("none"), failures=1),
)
"""The scopes of ``make explore``."""


class Budget(NamedTuple):
    crashes: int
    changes: int
    failures: int
    paused: bool = False


class State(NamedTuple):
    content: Content
    now: int
    plans: tuple[tuple[Planned, ...], tuple[Planned, ...]]
    """What each planner has read and not yet written."""
    claims: tuple[Claim, ...]
    acked: tuple[str, ...]
    left: Budget


class Fixed:
    """Ids that do not tell one state from another."""

    def __call__(self) -> str:
        return "id"


class Explorer:
    """Finds every state of a scope, and looks at each."""

    def __init__(self, client: redis.Redis, scope: Scope) -> None:
        self._client = client
        self._scope = scope
        self._now = NOW
        self._dump = client.register_script(_DUMP)
        self._store = MessageStore(
            client, new_id=cast("Any", Fixed()), default_retry=RetryPolicy(max_attempts=2), now_ms=lambda: self._now
        )

    def states(self) -> int:
        """Search; return how many states there are.  Raises ``BrokenRule`` with the steps that lead to it."""
        first = self._begin()
        seen = {_key(first)}
        waiting: list[tuple[State, tuple[str, ...]]] = [(first, ())]
        while waiting:
            state, trail = waiting.pop()
            try:
                for step, following in self._steps(state):
                    if (key := _key(following)) not in seen:
                        seen.add(key)
                        waiting.append((following, (*trail, step)))
                self._ends(state)
            except BrokenRule as broken:
                raise BrokenRule(broken.rule, f"{broken.how}, after {' | '.join(trail)}") from broken
        return len(seen)

    def _begin(self) -> State:
        self._client.flushdb()
        self._store.open()
        changing.create(self._store, "s", self._asked("1"), paused=False, now_ms=NOW)
        return State(
            self._read(), NOW, ((), ()), (), (), Budget(self._scope.crashes, self._scope.changes, self._scope.failures)
        )

    def _asked(self, payload: str) -> Definition:
        return Definition(
            template=NewMessage(id="", payload=payload, due_at=0),
            every_ms=1000,
            start=MOMENTS[0],
            max_runs=len(MOMENTS),
            overlap=self._scope.overlap,
            catch_up=self._scope.policy,
        )

    # -- Redis -----------------------------------------------------------------------------------------------------

    def _read(self) -> Content:
        found = tuple(sorted((key, type, _ordered(type, value)) for key, type, value in self._dump()))
        plain: dict[str, Any] = {}
        for key, type, value in found:
            pairs = dict(zip(value[::2], value[1::2], strict=True)) if type != "list" else list(value)
            name = key.removeprefix("ms1:{0}:")
            plain[name] = {k: int(float(v)) for k, v in pairs.items()} if type == "zset" else pairs  # type: ignore[union-attr]
        problems = broken_schedules(plain)
        require(problems == [], PLACE, "; ".join(problems))
        return found

    def _restore(self, state: State) -> None:
        self._now = state.now
        pipe = self._client.pipeline(transaction=False)
        pipe.flushdb()
        for key, type, value in state.content:
            words = value
            if type == "zset":
                words = tuple(part for pair in zip(value[1::2], value[::2], strict=True) for part in pair)
            pipe.execute_command(_WRITE[type], key, *words)  # type: ignore[no-untyped-call]
        pipe.execute()

    # -- steps -----------------------------------------------------------------------------------------------------

    def _steps(self, state: State) -> Iterator[tuple[str, State]]:
        yield from self._time(state)
        yield from self._planners(state)
        yield from self._deliveries(state)
        yield from self._user(state)

    def _time(self, state: State) -> Iterator[tuple[str, State]]:
        if state.now < MOMENTS[-1] + 1000:
            yield "a second passes", state._replace(now=state.now + 1000)
        if state.left.crashes:
            left = state.left._replace(crashes=state.left.crashes - 1)
            if state.now <= MOMENTS[-1]:
                yield "a long while passes", state._replace(now=state.now + LONG_MS, left=left)
            yield "all servers die and start again", state._replace(plans=((), ()), claims=(), left=left)

    def _planners(self, state: State) -> Iterator[tuple[str, State]]:
        for server, mine in enumerate(state.plans):
            if mine:
                self._restore(state)
                self._store.move_on(0, mine)
                yield (
                    f"planner {server} writes",
                    state._replace(content=self._read(), plans=_put(state.plans, server, ())),
                )
            else:
                self._restore(state)
                found = tuple(self._planned())
                if found:
                    yield f"planner {server} reads", state._replace(plans=_put(state.plans, server, found))

    def _planned(self) -> Iterator[Planned]:
        found = self._store.due_plans(0, 10)
        due: DuePlan
        for due in found.plans:
            yield Planned.of(due, found.redis_ms)

    def _deliveries(self, state: State) -> Iterator[tuple[str, State]]:
        self._restore(state)
        claims = self._claim(state)
        content = self._read()
        if content != state.content:
            yield "a claim", state._replace(content=content, claims=(*state.claims, *claims))
        kinds: tuple[OutcomeKind, ...] = ("ack", "retry") if state.left.failures else ("ack",)
        for kind in kinds if state.claims else ():
            claim = state.claims[0]
            left = state.left._replace(failures=state.left.failures - (kind == "retry"))
            self._restore(state)
            outcome = Outcome(claim, "dead" if kind == "retry" and claim.attempt > 1 else kind, delay_ms=0)
            (done,) = self._store.settle([outcome])
            acked = tuple(sorted({*state.acked, claim.id})) if done and kind == "ack" else state.acked
            yield kind, state._replace(content=self._read(), claims=state.claims[1:], acked=acked, left=left)
        self._restore(state)
        if sum(self._store.reap(10)[:2]):
            yield "a reap", state._replace(content=self._read())

    def _claim(self, state: State) -> list[Claim]:
        claims = take(self._store, 10, LOCK_MS).claims
        for claim in claims:
            require(claim.id not in state.acked, ONE, f"{claim.id} begins again")
            require(int(claim.id.split(":")[1]) <= state.now, EARLY, f"{claim.id} begins at {state.now}")
            schedule = self._store.find_schedule("s")
            require(schedule is not None, OLD, f"{claim.id} begins after the delete")
            current = schedule is not None and schedule.definition.template.payload
            require(claim.attempt > 1 or claim.payload == current, OLD, f"{claim.id} begins with {claim.payload}")
        return claims

    def _user(self, state: State) -> Iterator[tuple[str, State]]:
        if state.left.paused:
            self._restore(state)
            changing.resume(self._store, "s", None, state.now)
            yield "resume", state._replace(content=self._read(), left=state.left._replace(paused=False))
        if not state.left.changes or state.left.paused:
            return
        left = state.left._replace(changes=state.left.changes - 1)
        for verb in ("change", "pause", "delete"):
            self._restore(state)
            schedule = self._store.find_schedule("s")
            if schedule is None or schedule.state != "active":
                return
            match verb:
                case "change":
                    changing.put(self._store, "s", self._asked("2"), paused=None, now_ms=state.now)
                case "pause":
                    changing.pause(self._store, "s", None)
                case _:
                    changing.delete(self._store, "s")
            yield verb, state._replace(content=self._read(), left=left._replace(paused=verb == "pause"))

    # -- without further faults ------------------------------------------------------------------------------------

    def _ends(self, state: State) -> None:
        """Everybody does his work until time is over; then look for what is missing."""
        self._restore(state)
        acked = set(state.acked)
        claims = list(state.claims)
        while self._now <= END:
            self._store.move_on(0, list(self._planned()))
            self._store.reap(10)
            claims += self._claim(state._replace(now=self._now, acked=tuple(acked)))
            for claim in claims:
                if self._store.settle([Outcome(claim, "ack")])[0]:
                    acked.add(claim.id)
            claims = []
            self._now += 1000  # as time passes in every step
        schedule = self._store.find_schedule("s")
        if schedule is None or schedule.state == "paused":
            return
        n = schedule.counters
        told = sum(n[name] for name in ("delivered", "dead", "overlap", "missed", "changed"))
        untouched = state.left.changes == self._scope.changes
        # A pause and a change to a later moment take moments away; nothing may be told twice in any case.
        most = len(MOMENTS)
        require(told == most or (not untouched and told < most), ENDS, f"of {most} moments {told} are told: {n}")
        if untouched:
            require(n["made"] + n["missed"] == most, ONE, f"{n['made']} are told as made, {n['missed']} as missed")
        require(n["delivered"] == len(acked), ONE, f"{n['delivered']} are told as delivered, {len(acked)} were")


def _key(state: State) -> tuple[object, ...]:
    """What can make a difference later: not when something happened, and not what was noted of it."""
    kept: list[object] = []
    for key, type, value in state.content:
        if type == "list" or key.endswith(":meta"):
            continue
        pairs = zip(value[::2], value[1::2], strict=True)
        if type == "hash":
            kept.append((key, tuple(pair for pair in pairs if pair[0] not in _NOTES and not pair[0].startswith("h:"))))
        else:
            timeless = key.endswith((":done", ":dead", ":failing"))
            kept.append((key, tuple((id, "" if timeless else score) for id, score in pairs)))
    # The two planners are alike, and so are claims of one message made at different times.
    plans = tuple(sorted(map(repr, state.plans)))
    claims = tuple((claim.id, claim.attempt) for claim in state.claims)
    return (*kept, state.now, plans, claims, state.acked, state.left)


def _ordered(type: str, value: list[str]) -> tuple[str, ...]:
    """The same for all histories that lead to it: Redis keeps the fields of a hash in the order in which they came."""
    if type != "hash":
        return tuple(value)
    return tuple(part for pair in sorted(zip(value[::2], value[1::2], strict=True)) for part in pair)


def _put(plans: tuple[tuple[Planned, ...], tuple[Planned, ...]], server: int, mine: tuple[Planned, ...]) -> Any:
    return (mine, plans[1]) if server == 0 else (plans[0], mine)
