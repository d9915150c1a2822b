"""A short chaos run with each ``make test``; ``make chaos`` is the long one."""

from __future__ import annotations

from pathlib import Path

from tests.chaos import limits, report, run
from tests.chaos.servers import watched
from tests.support.redis_server import find_binary

FAULTS = ("kill", "kill-redis", "script-flush", "history-locked")
"""A server dies, Redis dies, scripts are forgotten, the database of the history takes no writes.  Every finish must be
in the history, once.  Two of five messages have a flow key, whose limits must hold; some of them fail at first.
"""

FAILOVERS = ("failover", "kill-primary")


def test_nothing_is_lost_early_or_repeated_without_a_reason(short_tmp: Path) -> None:
    find_binary()
    # By number and not by time: a busy machine must not leave one out.
    result = run.run(short_tmp, seed=20, seconds=100, rate=40, say=lambda _: None, names=FAULTS, most=4, flows=True)
    assert set(result.struck) == set(FAULTS), report.table(result)
    assert result.verdict.accepted > 100, report.table(result)
    assert not result.verdict.offences, report.offences(result)
    assert result.verdict.archived > 100, report.table(result)
    assert result.verdict.keys.keys() == limits.KEYS.keys(), report.table(result)


def test_nothing_is_lost_when_one_redis_takes_over_from_another(short_tmp: Path) -> None:
    with watched(short_tmp / "redis") as redis:
        redis.hurry()
        result = run.run(
            short_tmp, seed=2, seconds=60, rate=40, say=lambda _: None, names=FAILOVERS, sentinels=redis, most=2
        )
    assert set(result.struck) == set(FAILOVERS), report.table(result)
    assert result.verdict.accepted > 50, report.table(result)
    assert not result.verdict.offences, report.offences(result)
