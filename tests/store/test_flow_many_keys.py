"""Many flow keys with each ``make test``; ``make soak KEYS=1000000`` has a million."""

from __future__ import annotations

from pathlib import Path

from tests.stress import flow_keys


def test_two_thousand_keys_are_listed_served_and_deleted(short_tmp: Path) -> None:
    result = flow_keys.run(short_tmp, 2_000)
    assert result.problems == [], result.table()
    assert result.pages == 4
    assert result.bytes_each < 1000, result.table()
