"""What is broken, in an order that follows from a seed."""

from __future__ import annotations

import random
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from tests.chaos.ledger import Fault, now_ms
from tests.chaos.servers import COUNT, LOCK_SECONDS, PROXIED, SMALL_DISK, STEPPED, World

GAP_SECONDS = LOCK_SECONDS + 1.0
"""Between the end of one fault and the next: a lock's life and the time until somebody looks."""

Do = Callable[[World, int], None]


class Kind(NamedTuple):
    """A way to break something."""

    name: str
    what: str
    """For the reader of the report."""
    seconds: float
    """From the return of ``begin`` to ``end``."""
    begin: Do
    end: Do
    targets: tuple[int, ...] = ()
    """Servers that it can hit; none: it hits all at once."""
    outage: bool = True
    """Recovery is counted from the end; else from the beginning, for others can take over at once."""
    repeats: bool = False
    """It may make a message run twice: an attempt is cut off between its effect and its record."""
    fails: bool = False
    """It makes webhook attempts fail."""
    forgets: bool = False
    """It may make Redis forget its last claims and outcomes: what was delivered then is delivered again, under the same
    attempt.  Never what was accepted.
    """


def _nothing(world: World, target: int) -> None:
    """Mended by itself."""


def _kill(world: World, target: int) -> None:
    world.servers[target].kill()


def _restart(world: World, target: int) -> None:
    world.servers[target].start()


def _kill_http(world: World, target: int) -> None:
    world.kill_http(world.servers[target])


def _freeze(world: World, target: int) -> None:
    world.signal_all(world.servers[target], signal.SIGSTOP)


def _thaw(world: World, target: int) -> None:
    world.signal_all(world.servers[target], signal.SIGCONT)


def _stop(world: World, target: int) -> None:
    assert world.servers[target].stop() == 0


def _kill_redis(world: World, _: int) -> None:
    world.redis.kill()


def _start_redis(world: World, _: int) -> None:
    world.redis.start()


def _command(words: str) -> Do:
    def send(world: World, _: int) -> None:
        with world.client() as client:
            client.execute_command(*words.split(" "))

    return send


def _proxy(mode: str) -> Do:
    def set_mode(world: World, _: int) -> None:
        world.proxy.mode = mode  # type: ignore[assignment]

    return set_mode


def _endpoint(mode: str) -> Do:
    def set_mode(world: World, _: int) -> None:
        world.receiver.mode = mode  # type: ignore[assignment]

    return set_mode


def _clock(seconds: int) -> Do:
    def step(world: World, _: int) -> None:
        world.step_clock(seconds)

    return step


def _fail_over(world: World, _: int) -> None:
    world.depose(lambda sentinels, _: sentinels.fail_over())


def _kill_primary(world: World, _: int) -> None:
    world.depose(lambda _, primary: primary.kill())


def _start_primary(world: World, _: int) -> None:
    world.deposed.start()


def _freeze_primary(world: World, _: int) -> None:
    world.depose(lambda _, primary: primary.freeze())


def _thaw_primary(world: World, _: int) -> None:
    world.deposed.thaw()


def _lock_history(world: World, _: int) -> None:
    world.lock_history()


def _unlock_history(world: World, _: int) -> None:
    world.unlock_history()


def _fill_disk(world: World, _: int) -> None:
    world.fill_disk()


def _free_disk(world: World, _: int) -> None:
    world.free_disk()


ALL = tuple(range(COUNT))
LONG = 2 * LOCK_SECONDS + 1.0
"""Long past a lock's life."""

PROXY = (PROXIED,)
_PASS = _proxy("pass")
_WELL = _endpoint("ok")

KINDS: tuple[Kind, ...] = (
    Kind("kill", "`kill -9` of a server, started again", 1, _kill, _restart, ALL, outage=False, repeats=True),
    Kind("stop", "SIGTERM to a server, started again", 1, _stop, _restart, ALL, outage=False),
    Kind("freeze", "SIGSTOP past a lock's life, SIGCONT", LONG, _freeze, _thaw, ALL, outage=False, repeats=True),
    Kind("kill-http", "`kill -9` of the HTTP process of a server", 0, _kill_http, _nothing, ALL),
    Kind("kill-redis", "`kill -9` of Redis, started from its AOF", 1.5, _kill_redis, _start_redis, repeats=True),
    Kind("client-kill", "CLIENT KILL TYPE normal", 0, _command("CLIENT KILL TYPE normal"), _nothing, repeats=True),
    Kind("client-kill-pubsub", "CLIENT KILL TYPE pubsub", 0, _command("CLIENT KILL TYPE pubsub"), _nothing),
    Kind("client-pause", "CLIENT PAUSE past time limits", 2.5, _command("CLIENT PAUSE 2500"), _nothing, repeats=True),
    Kind("script-flush", "SCRIPT FLUSH", 0, _command("SCRIPT FLUSH"), _nothing),
    Kind("proxy-delay", "300 ms more from a server to Redis and back", 3, _proxy("delay"), _PASS, PROXY, repeats=True),
    Kind("proxy-cut", "connections between a server and Redis cut", 2, _proxy("cut"), _PASS, PROXY, repeats=True),
    Kind("proxy-blackhole", "nothing passes between a server and Redis", LONG, _proxy("blackhole"), _PASS, PROXY,
         outage=False, repeats=True),
    Kind("endpoint-hang", "the endpoint does not answer", 3, _endpoint("hang"), _WELL, fails=True),
    Kind("endpoint-reset", "the endpoint resets connections", 2, _endpoint("reset"), _WELL, fails=True),
    Kind("endpoint-late", "the endpoint answers after the time limit", 3, _endpoint("late"), _WELL, fails=True),
    Kind("endpoint-busy", "the endpoint answers 503", 2, _endpoint("busy"), _WELL, fails=True),
    Kind("disk-full", "no byte left for a server's logs", 3, _fill_disk, _free_disk, (SMALL_DISK,)),
    Kind("history-locked", "the database of the history takes no writes", 6, _lock_history, _unlock_history),
    Kind("clock-ahead", "a server's clock an hour ahead", 4, _clock(3600), _clock(0), (STEPPED,)),
    Kind("clock-behind", "a server's clock an hour behind", 4, _clock(-3600), _clock(0), (STEPPED,)),
)  # fmt: skip

_FAILOVERS: tuple[Kind, ...] = (
    Kind("failover", "SENTINEL FAILOVER while the primary is well", 0, _fail_over, _nothing,
         outage=False, repeats=True, forgets=True),
    Kind("kill-primary", "`kill -9` of the primary, started again, empty, once another one is promoted", 0,
         _kill_primary, _start_primary, outage=False, repeats=True, forgets=True),
    Kind("freeze-primary", "SIGSTOP of the primary until another one is promoted, SIGCONT", 0,
         _freeze_primary, _thaw_primary, outage=False, repeats=True, forgets=True),
)  # fmt: skip
_UNDER_SENTINEL = frozenset({
    "kill", "stop", "freeze", "kill-http", "client-kill", "client-kill-pubsub", "script-flush",
    "endpoint-hang", "endpoint-reset", "endpoint-late", "endpoint-busy", "history-locked",
})  # fmt: skip
SENTINEL_KINDS: tuple[Kind, ...] = (*_FAILOVERS, *(kind for kind in KINDS if kind.name in _UNDER_SENTINEL))
"""Under Sentinel: without what needs the single Redis, or has nothing to do with it."""

BY_NAME = {kind.name: kind for kind in (*KINDS, *_FAILOVERS)}


class Step(NamedTuple):
    kind: Kind
    target: int
    """-1: all servers."""


def plan(seed: int, kinds: Sequence[Kind], names: tuple[str, ...] = ()) -> Iterator[Step]:
    """Faults without end: every kind once, in chance order, and again.  ``names``: only these kinds; none: all."""
    rng = random.Random(seed)
    chosen = [kind for kind in kinds if not names or kind.name in names]
    while True:
        rng.shuffle(chosen)
        for kind in chosen:
            yield Step(kind, rng.choice(kind.targets) if kind.targets else -1)


def inject(world: World, step: Step) -> Fault:
    """Break it, wait, mend it."""
    kind, target = step
    began = now_ms()
    kind.begin(world, target)
    time.sleep(kind.seconds)
    kind.end(world, target)
    ended = now_ms()
    world.wait_whole()
    server = f"s{target}" if target >= 0 else ""
    return Fault(kind.name, server, began, ended, ended if kind.outage else began, now_ms())
