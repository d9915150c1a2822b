"""Two servers and two messages: every step that anybody can take next.

A server's memory is what it claimed and has not settled.  A claim or a settlement may be carried out without its answer
ever arriving; a server may lose its memory between any two steps.  A server that stays away is one that takes no step.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Literal, NamedTuple

from scheduler.message import OutcomeKind
from tests.explore import rules
from tests.explore.content import IDS, STALE, token_of
from tests.explore.rules import require
from tests.explore.world import Call, Effect, Item, World

BATCH = 2
"""Messages that a server holds at most."""


@dataclass(frozen=True)
class Scope:
    """How much is explored.  None stands for any number of times in one history."""

    name: str
    due: tuple[int, ...]
    """Moments of the messages, in units from the start."""
    max_attempts: int
    crashes: int | None = None
    lost_replies: int | None = None
    expiries: int | None = None
    user_verbs: int = 0
    redrives: int = 0
    flow: bool = False
    """The messages share a flow key of concurrency 1."""


class Holding(NamedTuple):
    """A claimed message in a server's memory."""

    message: int
    life: int
    """How often it had been redriven."""
    attempt: int
    lost: bool
    """It was reaped, or the settlement went through and its answer was lost.  The server does not know."""
    kind: OutcomeKind | Literal[""]
    """What it is going to report; empty: not delivered yet."""


class Action(NamedTuple):
    """A step, as it is told when somebody asks."""

    server: int
    """``NOBODY``: not one of the two."""
    what: str
    about: tuple[Holding, ...] = ()
    lost: bool = False
    """The answer never arrived."""

    def told(self, names: str) -> str:
        """One line; ``names``: of the two servers."""
        who = f"{names[self.server]} " if self.server >= 0 else ""
        about = ", ".join(
            f"{held.kind} of " * bool(held.kind)
            + f"{IDS[held.message]} (attempt {held.attempt}{', lock lost' if held.lost else ''})"
            for held in self.about
        )
        return f"{who}{self.what}{': ' * bool(about)}{about}{'; the answer gets lost' if self.lost else ''}"


class History(NamedTuple):
    """What happened to a message so far, as far as a promise asks for it."""

    life: int = 0
    delivered: int = 0
    """A bit for each attempt that reached the receiver."""
    successes: int = 0
    """Attempts that the receiver took; 2 stands for more."""
    faulty: bool = False
    """Its server crashed, its lock expired, or an answer about it was lost."""


Memory = tuple[Holding, ...]


class Left(NamedTuple):
    """How often faults and verbs of the user may still happen; -1: any number of times."""

    crashes: int
    lost_replies: int
    expiries: int
    user_verbs: int


class State(NamedTuple):
    content: int
    servers: tuple[Memory, Memory]
    histories: tuple[History, ...]
    left: Left


class Step(NamedTuple):
    rank: int
    """0 is what a server that works does first; ``LATER`` takes no part in driving forward."""
    action: Action
    target: State


DELIVER, SETTLE, REAP, CLAIM, TICK, LATER = range(6)
NOBODY = -1
KINDS: tuple[OutcomeKind, ...] = ("ack", "retry", "dead", "release")


def _fewer(left: Left, name: str) -> Left | None:
    """One use less; None when there is none left."""
    value: int = getattr(left, name)
    if value < 0:
        return left
    return left._replace(**{name: value - 1}) if value else None


def _unlimited(count: int | None) -> int:
    return -1 if count is None else count


class Model:
    """The steps out of a state.  Every one of them may raise ``BrokenRule``; ``doing`` says what was done then."""

    def __init__(self, scope: Scope, world: World) -> None:
        self._scope = scope
        self._world = world
        self._messages = range(len(scope.due))
        self.doing = Action(NOBODY, "two servers start")

    def start(self) -> State:
        scope = self._scope
        left = Left(*map(_unlimited, (scope.crashes, scope.lost_replies, scope.expiries, scope.user_verbs)))
        return State(self._world.start, ((), ()), tuple(History() for _ in self._messages), left)

    def finished(self, state: State) -> bool:
        """Every message ended, and every server knows."""
        return not any(state.servers) and all(r.finished for r in self._world.contents[state.content].records)

    def normal(self, state: State) -> tuple[State, bool]:
        """The same with the servers in order, and without what no rule asks for any more; whether they changed places.

        A message that ended, that no server remembers and that nobody can redrive has no history.
        """
        content, (a, b), histories, left = state
        for message, record in enumerate(self._world.contents[content].records):
            history = histories[message]
            over = record.place == "done" or (record.place == "dead" and history.life == self._scope.redrives)
            if over and not any(held.message == message for held in (*a, *b)):
                histories = _put(histories, message, History(history.life))
        if b < a:
            return State(content, (b, a), histories, left), True
        return State(content, (a, b), histories, left), False

    def steps(self, state: State) -> Iterator[Step]:
        """Each of them, those of the users and of the clock included."""
        for server in (0, 1):
            memory = state.servers[server]
            if server == 1 and memory == state.servers[0]:
                break  # what the other one does is the same with the names exchanged
            yield from self._claims(state, server)
            if memory:
                yield from self._deliveries(state, server)
                yield from self._settlements(state, server)
                yield from self._renewal(state, server)
                yield from self._crash(state, server)
        yield from self._reap(state)
        later = self._world.later(state.content)
        if later != state.content:
            yield Step(TICK, Action(NOBODY, "time passes"), state._replace(content=later))
        yield from self._user(state)

    def probe(self, state: State) -> None:
        """Calls that must change nothing, whoever makes them: asked once for each content of Redis."""
        for message in self._messages:
            for kind in KINDS:
                shown = Holding(message, 0, 1, False, kind)
                nobody = (Item(message, 1, "", kind),)
                self._call(
                    state, Action(NOBODY, "somebody without a token settles", (shown,)), Call("settle", (), nobody)
                )
            renewal = Action(NOBODY, "somebody without a token renews", (Holding(message, 0, 1, False, ""),))
            self._call(state, renewal, Call("renew", (), (Item(message, 1, ""),)))
            again = Action(NOBODY, f"the sender sends {IDS[message]} again")
            self._call(state, again, Call("schedule", (message,)))
        self._call(state, Action(NOBODY, "a server reaps; Redis carries it out too late"), Call("late reap"))

    def _call(self, state: State, doing: Action, call: Call) -> Effect:
        self.doing = doing
        return self._world.call(state.content, call)

    # -- servers ------------------------------------------------------------------------------------------------------

    def _claims(self, state: State, server: int) -> Iterator[Step]:
        memory = state.servers[server]
        for limit in range(1, min(BATCH - len(memory), len(self._messages)) + 1):
            what = f"claims up to {limit}"
            effect = self._call(state, Action(server, what), Call("claim", (limit,)))
            if len(effect.moved) < limit:
                return  # as with a lower limit, or nothing at all
            new = tuple(Holding(m, state.histories[m].life, attempt, False, "") for m, attempt in effect.moved)
            taken = [message for message, _ in effect.moved]
            self.doing = action = Action(server, what, new)
            for held in (*state.servers[0], *state.servers[1]):
                twice = held.message in taken and not held.lost
                require(not twice, rules.OWNERS, f"{IDS[held.message]} was claimed while a server owns it")
            yield Step(CLAIM, action, _with(state, server, (*memory, *new), effect.content))
            left = _fewer(state.left, "lost_replies")
            if left:
                blind = State(effect.content, state.servers, _faulty(state.histories, taken), left)
                yield Step(LATER, action._replace(lost=True), blind)

    def _deliveries(self, state: State, server: int) -> Iterator[Step]:
        memory = state.servers[server]
        for at, held in enumerate(memory):
            if held.kind:
                continue
            failed: OutcomeKind = "dead" if held.attempt >= self._scope.max_attempts else "retry"
            rest = memory[:at] + memory[at + 1 :]
            decisions: tuple[tuple[str, OutcomeKind], ...] = (
                ("delivers with success", "ack"),
                ("delivers in vain", failed),
                ("will give back, undelivered", "release"),
            )
            for what, kind in decisions:
                self.doing = action = Action(server, what, (held,))
                changed = _with(state, server, (*rest, held._replace(kind=kind)))
                if kind != "release":
                    reached = self._reached(state.histories[held.message], held, kind == "ack")
                    changed = changed._replace(histories=_put(state.histories, held.message, reached))
                yield Step(DELIVER if kind == "ack" else LATER, action, changed)

    def _reached(self, history: History, held: Holding, success: bool) -> History:
        """A delivery reaches the receiver."""
        id, bit = IDS[held.message], 1 << (held.life * self._scope.max_attempts + held.attempt - 1)
        require(not history.delivered & bit, rules.ATTEMPTS, f"{id} came twice as attempt {held.attempt}")
        successes = min(2, history.successes + success)
        require(successes < 2 or history.faulty, rules.ONCE, f"{id} was delivered again, and nothing had failed")
        return history._replace(delivered=history.delivered | bit, successes=successes)

    def _settlements(self, state: State, server: int) -> Iterator[Step]:
        memory = state.servers[server]
        ready = tuple(held for held in memory if held.kind)
        for group in [*((held,) for held in ready), *([ready] if len(ready) > 1 else [])]:
            action = Action(server, "settles", group)
            effect = self._call(state, action, Call("settle", (), tuple(_item(held) for held in group)))
            settled = [message for message, _ in effect.moved]
            for held in group:
                self._ended(held, state.histories[held.message])
            rest = tuple(held for held in memory if held not in group)
            others = _lost(state.servers[1 - server], settled)
            yield Step(SETTLE, action, State(effect.content, _pair(server, rest, others), state.histories, state.left))
            left = _fewer(state.left, "lost_replies")
            if left and settled:
                servers = _pair(server, _lost(memory, settled), others)
                unsure = State(effect.content, servers, _faulty(state.histories, settled), left)
                yield Step(LATER, action._replace(lost=True), unsure)

    def _ended(self, held: Holding, history: History) -> None:
        if held.lost or held.kind not in ("ack", "dead"):
            return
        id, n = IDS[held.message], history.successes
        require(n > 0 or held.kind == "dead", rules.ONCE, f"{id} counts as delivered, and never was")
        require(n == 0 or held.kind == "ack" or history.faulty, rules.ONCE, f"{id} was delivered and is given up")

    def _renewal(self, state: State, server: int) -> Iterator[Step]:
        memory = state.servers[server]
        # What it is about to report does not matter to a renewal: one call for all kinds.
        items = tuple(_item(held, "ack") for held in memory)
        action = Action(server, "renews its locks", tuple(held._replace(kind="") for held in memory))
        effect = self._call(state, action, Call("renew", (), items))
        if effect.content != state.content:
            yield Step(LATER, action, state._replace(content=effect.content))

    def _crash(self, state: State, server: int) -> Iterator[Step]:
        left = _fewer(state.left, "crashes")
        if left:
            hit = [held.message for held in state.servers[server]]
            crashed = State(
                state.content, _pair(server, (), state.servers[1 - server]), _faulty(state.histories, hit), left
            )
            yield Step(LATER, Action(server, "crashes, and starts again with an empty memory"), crashed)

    def _reap(self, state: State) -> Iterator[Step]:
        effect = self._call(state, Action(NOBODY, "a server reaps"), Call("reap"))
        if not effect.moved:
            return
        taken = [message for message, _ in effect.moved]
        a, b = state.servers
        owned = any(not held.lost and held.message in taken for held in (*a, *b))
        left = _fewer(state.left, "expiries") if owned else state.left
        if left:
            shown = tuple(Holding(m, 0, attempt, False, "") for m, attempt in effect.moved)
            servers = _lost(a, taken), _lost(b, taken)
            reaped = State(effect.content, servers, _faulty(state.histories, taken), left)
            yield Step(REAP, Action(NOBODY, "a server reaps", shown), reaped)

    # -- users --------------------------------------------------------------------------------------------------------

    def _user(self, state: State) -> Iterator[Step]:
        left = _fewer(state.left, "user_verbs")
        for message in self._messages:
            id, history = IDS[message], state.histories[message]
            if left:
                changed = state._replace(left=left)
                yield from self._changed(changed, f"the user cancels {id}", Call("cancel", (message,)))
                yield from self._changed(changed, f"the user puts {id} off", Call("update", (message, 1)))
            if history.life < self._scope.redrives:
                again = _put(state.histories, message, history._replace(life=history.life + 1, successes=0))
                changed = state._replace(histories=again)
                yield from self._changed(changed, f"the user redrives {id}", Call("redrive", (message,)))

    def _changed(self, state: State, what: str, call: Call) -> Iterator[Step]:
        action = Action(NOBODY, what)
        effect = self._call(state, action, call)
        if effect.content != state.content:
            yield Step(LATER, action, state._replace(content=effect.content))


def _item(held: Holding, kind: OutcomeKind | None = None) -> Item:
    """What a server shows about it; who lost the lock still shows the token that was right once."""
    token = STALE if held.lost else token_of(held.message)
    return Item(held.message, held.attempt, token, kind or held.kind or "ack")


def _lost(memory: Memory, messages: Collection[int]) -> Memory:
    """Nobody owns these messages any more."""
    if not any(held.message in messages for held in memory):
        return memory
    return tuple(sorted(held._replace(lost=held.lost or held.message in messages) for held in memory))


def _put(histories: tuple[History, ...], message: int, history: History) -> tuple[History, ...]:
    return (*histories[:message], history, *histories[message + 1 :])


def _faulty(histories: tuple[History, ...], messages: Collection[int]) -> tuple[History, ...]:
    return tuple(
        history._replace(faulty=True) if message in messages else history for message, history in enumerate(histories)
    )


def _pair(server: int, memory: Memory, other: Memory) -> tuple[Memory, Memory]:
    return (memory, other) if server == 0 else (other, memory)


def _with(state: State, server: int, memory: Memory, content: int | None = None) -> State:
    servers = _pair(server, tuple(sorted(memory)), state.servers[1 - server])
    return State(state.content if content is None else content, servers, state.histories, state.left)
