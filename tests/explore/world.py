"""The service's store on a real Redis, one call at a time, from any state: restored, called and read in one round trip.

What a call does depends on what Redis holds and on nothing else, so each is carried out once and remembered.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, cast

import redis

from scheduler.errors import Conflict, StoreUnavailable
from scheduler.flow import Flow, FlowLimits
from scheduler.message import Claim, NewMessage, Outcome, OutcomeKind, Priority
from scheduler.retry import RetryPolicy
from scheduler.store import Changes, MessageStore
from scheduler.store.scripts import load
from tests.explore import rules
from tests.explore.content import (
    CONCURRENCY,
    FLOW,
    FRESH,
    IDS,
    KEYS,
    NOW,
    OWNER,
    UNIT_MS,
    Content,
    Plain,
    Record,
    canonical,
    commands,
    later,
    plain,
    read,
    token_of,
    written,
)
from tests.explore.rules import BrokenRule, require
from tests.explore.seeds import Seed, apply
from tests.support.redis_server import RedisServer
from tests.support.store import take

LOCK = 2
"""A lock's life in units: one passes, and it can still be renewed."""
RETRY = 1
"""Delay of a retry in units."""

_DUMP = """
local reply = {}
for _, key in ipairs(redis.call('KEYS', '*')) do
  local type = redis.call('TYPE', key).ok
  local flat = type == 'string' and {'text', redis.call('GET', key)}
    or type == 'zset' and redis.call('ZRANGE', key, 0, -1, 'WITHSCORES') or redis.call('HGETALL', key)
  reply[#reply + 1] = {key, flat}
end
return reply
"""
# As long as the error that a reaped lock leaves, so that states differ by what happened and not by its wording.
_ERROR = "x" * len(f"the server that held it stopped answering (lock {FRESH} expired)")

Verb = Literal["claim", "settle", "renew", "reap", "late reap", "cancel", "update", "redrive", "schedule"]


class Item(NamedTuple):
    """What a server says about one message that it claimed."""

    message: int
    attempt: int
    token: str
    kind: OutcomeKind = "ack"

    @property
    def owned(self) -> bool:
        return self.token == token_of(self.message)


class Call(NamedTuple):
    """One call of the store.  ``argument``: claim: the limit; verbs of the user: the message; update: and its due."""

    verb: Verb
    argument: tuple[int, ...] = ()
    items: tuple[Item, ...] = ()


class Effect(NamedTuple):
    """What became of it."""

    content: int
    """The number of what Redis holds now."""
    moved: tuple[tuple[int, int], ...] = ()
    """Messages with their attempts: claimed, settled, or reaped."""


@contextmanager
def connected(server: RedisServer) -> Iterator[redis.Connection]:
    """A connection for one search at a time: it empties the server again and again."""
    with server.client() as client, closing(client.connection_pool) as pool:
        yield pool.make_connection()


@dataclass
class OneTrip:
    """A client for the store: each command is sent together with what restores a state before it and reads it after."""

    connection: redis.Connection
    seed: Seed | None

    def __post_init__(self) -> None:
        self.restore: bytes = b""
        self.replies = 0
        self.after: Plain = {}
        dump = self._one("SCRIPT", "LOAD", _DUMP)
        self._read = self._pack("EVALSHA", dump, 0)
        self._instead: dict[str, str] = {}
        if self.seed:
            script = load(self.seed.verb)
            self._instead[script.sha] = self._one("SCRIPT", "LOAD", apply(self.seed, script.source))

    def _send(self, packed: bytes) -> None:
        self.connection.send_packed_command([packed])  # type: ignore[no-untyped-call]

    def _pack(self, *command: Any) -> bytes:
        packed: list[bytes] = self.connection.pack_command(*command)  # type: ignore[no-untyped-call]
        return b"".join(packed)

    def _one(self, *command: Any) -> Any:
        self._send(self._pack(*command))
        return self.connection.read_response()

    def state(self, content: Content) -> None:
        """The next command finds this."""
        words = [["FLUSHDB"], *commands(written(content))]
        self.restore = b"".join(self._pack(*command) for command in words)
        self.replies = len(words)

    def execute_command(self, *command: Any, **_: Any) -> Any:
        """As redis-py's client; errors are raised once everything is read."""
        if command[0] == "EVALSHA" and command[1] in self._instead:
            command = (command[0], self._instead[command[1]], *command[2:])
        self._send(self.restore + self._pack(*command) + self._read)
        for _reply in range(self.replies):
            self.connection.read_response()
        error: redis.ResponseError | None = None
        reply = None
        try:
            reply = self.connection.read_response()
        except redis.ResponseError as failed:
            error = failed
        self.after = plain(self.connection.read_response())
        if error is not None:
            raise error
        return reply


class World:
    """All contents of Redis that were met, by number, and what each call makes of them."""

    def __init__(
        self,
        connection: redis.Connection,
        *,
        due: Sequence[int],
        max_attempts: int,
        flow: bool = False,
        seed: Seed | None = None,
    ) -> None:
        """``due``: the moments of the messages, in units from now.  ``flow``: they share a flow key.

        Raises ``BrokenRule`` as every call may.
        """
        self._client = OneTrip(connection, seed)
        self._store = MessageStore(
            cast("redis.Redis", self._client),
            new_id=cast("Any", lambda: FRESH.removeprefix(f"{OWNER}.")),
            default_retry=RetryPolicy(max_attempts=max_attempts),
            now_ms=lambda: NOW,
        )
        self._due = due
        self._flow = Flow(FLOW, FlowLimits(CONCURRENCY)) if flow else None
        self._max_attempts = max_attempts
        self.contents: list[Content] = []
        self._numbers: dict[Content, int] = {}
        self._effects: dict[tuple[int, Call], Effect] = {}
        self._later: dict[int, int] = {}
        self._verbs: dict[Verb, Callable[[Content, Call], tuple[tuple[int, int], ...]]] = {
            "claim": self._claim, "settle": self._settle, "renew": self._renew, "reap": self._reap,
            "late reap": self._late_reap, "cancel": self._cancel, "update": self._update, "redrive": self._redrive,
            "schedule": self._schedule_again,
        }  # fmt: skip
        self.start = self._begin()

    @property
    def calls(self) -> int:
        """How many were carried out by Redis."""
        return len(self._effects)

    def _number(self, content: Content) -> int:
        number = self._numbers.setdefault(content, len(self.contents))
        if number == len(self.contents):
            self.contents.append(content)
        return number

    def _begin(self) -> int:
        self._client.state(Content((), ()))
        self._store.schedule(
            [
                NewMessage(id=IDS[m], payload="1", due_at=NOW + due * UNIT_MS, flow=self._flow)
                for m, due in enumerate(self._due)
            ]
        )
        return self._number(canonical(self._after()))

    def _after(self) -> Content:
        rules.structure(self._client.after, len(self._due), self._max_attempts)
        return read(self._client.after, len(self._due))

    def call(self, content: int, call: Call) -> Effect:
        """Raises ``BrokenRule`` when the call did what it must not."""
        known = self._effects.get((content, call))
        if known is None:
            before = self.contents[content]
            self._client.state(before)
            try:
                moved = self._verbs[call.verb](before, call)
            except (redis.ResponseError, StoreUnavailable) as error:
                raise BrokenRule(rules.SCRIPT, f"{call.verb}: {error}") from error
            known = Effect(self._number(canonical(self._after())), moved)
            self._effects[content, call] = known
        return known

    def later(self, content: int) -> int:
        """One unit of time passes."""
        if content not in self._later:
            self._later[content] = self._number(later(self.contents[content]))
        return self._later[content]

    # -- each verb: call the store as the service does, and judge what came of it -----------------------------------

    def _untouched(self, before: Content, rule: str, who: str) -> None:
        rules.structure(self._client.after, len(self._due), self._max_attempts)
        require(self._client.after == written(before), rule, f"{who} changed something")

    def _claim(self, before: Content, call: Call) -> tuple[tuple[int, int], ...]:
        (limit,) = call.argument
        claims = take(self._store, limit, LOCK * UNIT_MS, OWNER).claims
        rows = tuple((IDS.index(claim.id), claim.attempt) for claim in claims)
        rules.claimed(before, self._after(), limit, rows, LOCK)
        return rows

    def _settle(self, before: Content, call: Call) -> tuple[tuple[int, int], ...]:
        accepted = self._store.settle([_outcome(item) for item in call.items])
        owned = [item for item in call.items if item.owned]
        for item, done in zip(call.items, accepted, strict=True):
            refused = f"an outcome for {IDS[item.message]} without its lock's token"
            require(item.owned or not done, rules.STALE, f"{refused} was accepted")
            require(done or not item.owned, rules.ALIVE, f"the owner of {IDS[item.message]} was refused")
        if not owned:
            self._untouched(before, rules.STALE, "an outcome without the lock's token")
        after = self._after()
        for item in owned:
            id, old = IDS[item.message], before.records[item.message]
            rules.settled(id, item.kind, old, after.records[item.message], RETRY)
            if item.kind != "release":
                self._evidence(id, old)
        rules.unchanged(before, after, [item.message for item in owned])
        return tuple((item.message, item.attempt) for item in owned)

    def _evidence(self, id: str, old: Record) -> None:
        number = old.number("o") + old.number("a")
        fields = self._client.after[KEYS["msg"] + id]
        require(f"h:{number}" in fields, rules.KEPT, f"{id} has no evidence of its attempt {number}")

    def _renew(self, before: Content, call: Call) -> tuple[tuple[int, int], ...]:
        lost = self._store.renew([_shown(item) for item in call.items], LOCK * UNIT_MS)
        owned = [item for item in call.items if item.owned]
        for item in call.items:
            refused = _shown(item) in lost
            require(item.owned or refused, rules.STALE, f"{IDS[item.message]} was renewed without its lock's token")
            require(not (item.owned and refused), rules.ALIVE, f"the owner of {IDS[item.message]} could not renew")
        if not owned:
            self._untouched(before, rules.STALE, "a renewal without the lock's token")
        rules.renewed(before, self._after(), [item.message for item in owned], LOCK)
        return ()

    def _reap(self, before: Content, _: Call) -> tuple[tuple[int, int], ...]:
        self._store.reap(100)
        after = self._after()
        moved = rules.reaped(before, after, self._max_attempts)
        for message in moved:
            self._evidence(IDS[message], before.records[message])
        return tuple((message, before.records[message].number("a")) for message in moved)

    def _late_reap(self, before: Content, _: Call) -> tuple[tuple[int, int], ...]:
        try:
            self._store.reap(100, not_after=lambda: NOW - 1)
        except StoreUnavailable:
            self._untouched(before, rules.ALIVE, "a reap that came too late")
            return ()
        raise BrokenRule(rules.ALIVE, "a reap that came too late was carried out")

    def _of_user(
        self, before: Content, message: int, allowed: bool, verb: Callable[[], object]
    ) -> tuple[Record, Record] | None:
        """The record before and after; None when it was refused, and rightly."""
        id = IDS[message]
        try:
            verb()
        except Conflict:
            require(not allowed, rules.VERB, f"the user was refused, {id} is {before.records[message].place}")
            self._untouched(before, rules.VERB, "what was refused")
            return None
        require(allowed, rules.VERB, f"the user changed {id} in {before.records[message].place}")
        after = self._after()
        rules.unchanged(before, after, [message])
        return before.records[message], after.records[message]

    def _cancel(self, before: Content, call: Call) -> tuple[tuple[int, int], ...]:
        (message,) = call.argument
        id = IDS[message]
        allowed = before.records[message].scheduled
        changed = self._of_user(before, message, allowed, lambda: self._store.cancel(id))
        require(not changed or changed[1].place == "done", rules.VERB, f"{id} was cancelled, and is elsewhere")
        return ()

    def _update(self, before: Content, call: Call) -> tuple[tuple[int, int], ...]:
        message, due = call.argument
        id = IDS[message]
        allowed = before.records[message].scheduled
        changes = Changes(due_at=NOW + due * UNIT_MS)
        changed = self._of_user(before, message, allowed, lambda: self._store.update(id, changes))
        require(
            not changed or changed[1] == changed[0]._replace(due=due), rules.VERB, f"{id} was put off, and more changed"
        )
        return ()

    def _redrive(self, before: Content, call: Call) -> tuple[tuple[int, int], ...]:
        (message,) = call.argument
        id = IDS[message]
        allowed = before.records[message].place == "dead"
        changed = self._of_user(before, message, allowed, lambda: self._store.redrive(id))
        if changed:
            rules.redriven(id, *changed)
        return ()

    def _schedule_again(self, before: Content, call: Call) -> tuple[tuple[int, int], ...]:
        (message,) = call.argument
        new = NewMessage(id=IDS[message], payload="2", due_at=NOW)
        self._of_user(before, message, False, lambda: self._store.schedule([new]))
        return ()


def _shown(item: Item) -> Claim:
    """What the server shows; of a claim, settling and renewing use the id, the token and the attempt."""
    return Claim(
        IDS[item.message], item.token, item.attempt, NOW, "echo", "1", None, None, None, Priority.NORMAL, NOW, 0
    )


def _outcome(item: Item) -> Outcome:
    failed = item.kind in ("retry", "dead")
    delay_ms = RETRY * UNIT_MS if item.kind == "retry" else None
    return Outcome(_shown(item), item.kind, delay_ms=delay_ms, error=_ERROR if failed else None)
