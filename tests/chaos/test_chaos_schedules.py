"""A short run of schedules under kills with each ``make test``; ``make chaos SCHEDULES=1`` is the long one."""

from __future__ import annotations

from pathlib import Path

from tests.chaos import schedules
from tests.support.redis_server import find_binary


def test_each_schedule_and_second_becomes_one_message(short_tmp: Path) -> None:
    find_binary()
    result = schedules.run(short_tmp, seconds=8, say=lambda _: None)
    assert result.kills >= 2, result.table()
    assert result.moments >= 5 * schedules.SCHEDULES, result.table()
    assert result.delivered > result.moments / 2, result.table()
    assert result.offences == [], result.table()
