"""The small form of ``make explore``: the scripts keep every rule, and the explorer finds what breaks one."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import redis

from scheduler.store.scripts import load
from tests.explore import rules
from tests.explore.model import Scope
from tests.explore.scopes import ALL_FAULTS, FAULT_FREE, FLOW_SMALL, STALE_OWNER, hunt
from tests.explore.search import Search
from tests.explore.seeds import SEEDS, TOKEN_CHECK, Seed, apply
from tests.explore.world import connected
from tests.support.redis_server import RedisServer


@pytest.fixture
def connection(redis_server: RedisServer) -> Iterator[redis.Connection]:
    with connected(redis_server) as connection:
        yield connection


@pytest.mark.timeout(300)
@pytest.mark.parametrize("scope", [ALL_FAULTS, FAULT_FREE, FLOW_SMALL], ids=lambda scope: scope.name)
def test_every_state_keeps_every_rule(connection: redis.Connection, scope: Scope) -> None:
    found = Search(connection, scope).run()
    assert not found.broken, found.trace
    # Fewer: a step is not taken any more, and the rest shows less than it says.
    assert found.states > 2000
    assert found.transitions > 10_000


def test_a_missing_token_check_is_found_by_the_shortest_way(connection: redis.Connection) -> None:
    found = Search(connection, STALE_OWNER, TOKEN_CHECK).run()
    assert found.broken is not None
    assert found.broken.rule == rules.STALE
    assert found.trace == [
        "A claims up to 1: m1 (attempt 1)",
        "A delivers with success: m1 (attempt 1)",
        "time passes",
        "time passes",
        "a server reaps: m1 (attempt 1)",
        "A settles: ack of m1 (attempt 1, lock lost)",
    ]


def test_a_message_that_never_ends_is_found(connection: redis.Connection) -> None:
    (seed,) = [seed for seed in SEEDS if seed.name == "reap: an expired lock is never found"]
    found = hunt(connection, seed)
    assert found.broken is not None
    assert found.broken.rule == rules.ENDS
    assert found.trace == [
        "A claims up to 1: m1 (attempt 1)",
        "A crashes, and starts again with an empty memory",
        "from here on nothing fails, and it never ends",
    ]


@pytest.mark.parametrize("seed", SEEDS, ids=lambda seed: seed.name)
def test_every_bug_can_be_sown(seed: Seed) -> None:
    assert apply(seed, load(seed.verb).source) != load(seed.verb).source


@pytest.mark.parametrize("times", [0, 2])
def test_a_script_that_has_changed_says_so(times: int) -> None:
    with pytest.raises(ValueError, match=f"occurs {times} times in settle.lua, not once"):
        apply(TOKEN_CHECK, TOKEN_CHECK.old * times)
