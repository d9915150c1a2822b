"""The picture of a benchmark."""

from __future__ import annotations

from scheduler.cli.histogram import drawn, rows, summary


def test_figures() -> None:
    found = summary([0.4] * 98 + [3.0, 40.0])
    assert (found["min"], found["p50"], found["p90"], found["p99"], found["max"]) == (0.4, 0.4, 0.4, 3.0, 40.0)


def test_every_value_is_in_one_row() -> None:
    values = [0, 0.99, 1, 4.9, 999, 1000, 5000, -0.5]
    found = {row["below_ms"]: row["count"] for row in rows(values)}
    assert sum(found.values()) == len(values)
    assert (found[1], found[2], found[5], found[1000], found[None]) == (3, 1, 1, 1, 2)


def test_rows_end_with_the_latest() -> None:
    assert [row["below_ms"] for row in rows([0.5, 1.5])] == [1, 2]


def test_the_longest_bar_is_the_commonest_and_one_is_seen() -> None:
    picture = drawn(rows([0.5] * 800 + [1.5] * 400 + [4]))
    assert picture.splitlines() == [
        f"<     1 ms  {'█' * 50}    800",
        f"<     2 ms  {'█' * 25}{' ' * 25}    400",
        f"<     5 ms  ▏{' ' * 49}      1",
    ]
