"""Breadth first through every state, each once: the shortest way to a broken rule, and whether everything ends."""

from __future__ import annotations

from array import array
from dataclasses import dataclass, field
from itertools import pairwise
from time import perf_counter

import redis

from tests.explore import rules
from tests.explore.model import LATER, NOBODY, Action, Model, Scope, State
from tests.explore.rules import BrokenRule
from tests.explore.seeds import Seed
from tests.explore.world import World

SERVERS = "AB"
LONGEST = 100
"""Steps in which two servers end two messages, whatever state they are in; more is a circle."""


@dataclass
class Found:
    """What an exploration came to."""

    scope: Scope
    states: int = 0
    transitions: int = 0
    calls: int = 0
    """Different calls that Redis carried out."""
    depth: int = 0
    """Steps to the state that is farthest from the start, by the shortest way."""
    seconds: float = 0.0
    broken: BrokenRule | None = None
    """None: the scope was exhausted, and every rule held."""
    trace: list[str] = field(default_factory=list)
    """The shortest way to the broken rule, a line for each step."""


class Search:
    """One exploration of one scope."""

    def __init__(self, connection: redis.Connection, scope: Scope, seed: Seed | None = None) -> None:
        """``connection``: see ``world.connected``."""
        self._found = Found(scope)
        self._world = World(connection, due=scope.due, max_attempts=scope.max_attempts, flow=scope.flow, seed=seed)
        self._model = Model(scope, self._world)
        self._queue: list[State] = []
        self._numbers: dict[State, int] = {}
        # For each state by number: which it was first reached from, by which of the steps out of there, and which it
        # leads to when servers work on and nothing fails.
        self._sources = array("l")
        self._steps = array("H")
        self._ahead = array("l")
        self._probed: set[int] = set()

    def run(self) -> Found:
        """Until everything is explored, or the first rule is broken."""
        found = self._found
        begun = perf_counter()
        at = 0
        try:
            self._reach(self._model.start(), -1, 0)
            while at < len(self._queue):
                self._expand(at)
                at += 1
            at = self._first_without_end()
            if at < len(self._queue):
                self._model.doing = Action(NOBODY, "from here on nothing fails, and it never ends")
                raise BrokenRule(rules.ENDS, "a message is neither delivered nor given up")
        except BrokenRule as broken:
            found.broken = broken
            found.trace = self._trace(at)
        found.states, found.calls = len(self._queue), self._world.calls
        found.depth = len(self._path(len(self._queue) - 1)) - 1
        found.seconds = perf_counter() - begun
        return found

    def _reach(self, state: State, source: int, step: int) -> int:
        number = self._numbers.setdefault(state, len(self._queue))
        if number == len(self._queue):
            self._queue.append(state)
            self._sources.append(source)
            self._steps.append(step)
        return number

    def _expand(self, at: int) -> None:
        state = self._queue[at]
        if state.content not in self._probed:
            self._model.probe(state)
            self._probed.add(state.content)
        ahead, best = at, LATER
        for number, step in enumerate(self._model.steps(state)):
            target = self._reach(self._model.normal(step.target)[0], at, number)
            self._found.transitions += 1
            if step.rank < best:
                ahead, best = target, step.rank
        self._ahead.append(ahead)

    def _first_without_end(self) -> int:
        """The first state from which work that goes on does not end; as many as there are states when there is none."""
        ends = bytearray(len(self._queue))
        for number in range(len(self._queue)):
            path: list[int] = []
            at = number
            while not ends[at]:
                if len(path) > LONGEST or (self._ahead[at] == at and not self._model.finished(self._queue[at])):
                    return number
                ends[at] = self._ahead[at] == at
                path.append(at)
                at = self._ahead[at]
            for passed in path:
                ends[passed] = 1
        return len(self._queue)

    # -- the way to a state -------------------------------------------------------------------------------------------

    def _path(self, number: int) -> list[int]:
        """The states on the shortest way, the start first."""
        path = []
        while number >= 0:
            path.append(number)
            number = self._sources[number]
        return path[::-1]

    def _trace(self, number: int) -> list[str]:
        """What happened on the way there, and what was done then.  Servers that changed places keep their names."""
        last = self._model.doing
        names = SERVERS
        lines = []
        path = self._path(number)
        for source, target in pairwise(path):
            step = list(self._model.steps(self._queue[source]))[self._steps[target]]
            lines.append(step.action.told(names))
            if self._model.normal(step.target)[1]:
                names = names[::-1]
        return [*lines, last.told(names)]
