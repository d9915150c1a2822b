"""``python -m tests.explore``: every state that two servers can bring two messages into, on the scripts as they are and
with bugs sown into them.

Exit code 1 when the scripts break a rule, or when a bug is not found.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

import redis

from tests.explore import report, schedules
from tests.explore.model import Scope
from tests.explore.rules import BrokenRule
from tests.explore.scopes import FULL, hunt
from tests.explore.search import Found, Search
from tests.explore.seeds import SEEDS, Seed
from tests.explore.world import connected
from tests.support.page import write_section
from tests.support.redis_server import RedisServer


def main() -> int:
    """Explore, print, write the page."""
    parser = argparse.ArgumentParser(prog="tests.explore", description=__doc__)
    parser.add_argument("--no-page", action="store_true", help="leave docs/reliability.md as it is")
    options = parser.parse_args()
    with (
        tempfile.TemporaryDirectory(prefix="ms-", dir="/tmp") as folder,
        RedisServer(Path(folder)) as server,
        connected(server) as connection,
    ):
        explored = [_explored(connection, scope) for scope in FULL]
        hunts = [(seed, _hunted(connection, seed)) for seed in SEEDS]
        with server.client() as client:
            planned = [_of_schedules(client, scope) for scope in schedules.FULL]
    if not options.no_page:
        write_section("explore", report.page(explored, hunts))
    kept = not any(found.broken for found in explored)
    return 0 if kept and all(planned) and all(found.broken for _, found in hunts) else 1


def _explored(connection: redis.Connection, scope: Scope) -> Found:
    found = Search(connection, scope).run()
    _say(f"{scope.name}: {found.states:,} states, {found.transitions:,} transitions, {found.seconds:.0f} s")
    _say(f"BROKEN\n{report.trace(found)}" if found.broken else "every rule holds")
    return found


def _of_schedules(client: redis.Redis, scope: schedules.Scope) -> bool:
    """Whether every rule of schedules holds."""
    try:
        states = schedules.Explorer(client, scope).states()
    except BrokenRule as broken:
        _say(f"schedules, {scope}: BROKEN\n{broken}")
        return False
    _say(f"schedules, {scope}: {states:,} states, every rule holds")
    return True


def _hunted(connection: redis.Connection, seed: Seed) -> Found:
    found = hunt(connection, seed)
    _say(f"\n{seed.name}\n{report.trace(found) if found.broken else 'NOT FOUND'}")
    return found


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
