"""``make compat``: which servers it takes, and how it reads what pytest says of each."""

from __future__ import annotations

from pathlib import Path

import pytest

from scheduler.redis_server.binary import Server
from tests import compat
from tests.compat import Run, read, table

VALKEY = Server("/wheel", "Valkey", (9, 1, 2), "/lib/mimalloc.so")
OLD = Server("/old", "Redis", (6, 2, 14))


def test_each_version_is_tested_once_and_the_services_own_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compat, "servers", lambda: [VALKEY, OLD])
    monkeypatch.setattr(compat, "_oldest", lambda: [Server("/other", "Redis", (6, 2, 14))])
    assert compat.found() == [VALKEY, OLD]


@pytest.mark.parametrize(
    ("said", "code", "passed", "failed"),
    [
        ("..\n1108 passed in 60.1s\n", 0, 1108, 0),
        ("2 failed, 1100 passed, 3 errors in 60.1s\n", 1, 1100, 5),
        ("no such option\n", 4, 0, 1),
        ("", 1, 0, 1),
    ],
)
def test_the_last_line_counts(said: str, code: int, passed: int, failed: int) -> None:
    assert read(OLD, said, code) == Run(OLD, passed, failed)


@pytest.mark.parametrize("failed", [0, 3])
def test_the_page_is_written_and_failures_are_the_exit_code(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failed: int
) -> None:
    third = Server("/usr/bin/redis-server", "Redis", (7, 0, 15))
    monkeypatch.setattr(compat, "PAGE", tmp_path / "compatibility.md")
    monkeypatch.setattr(compat, "found", lambda: [VALKEY, third, OLD])
    monkeypatch.setattr(compat, "run", lambda server: Run(server, 1_108, failed))
    assert compat.main() == int(bool(failed))
    assert f"| Redis 6.2.14 | 1,108 | {failed} |" in (tmp_path / "compatibility.md").read_text()


def test_the_page_of_the_docs_is_what_the_table_writes() -> None:
    page = (Path(__file__).parents[3] / "docs" / "compatibility.md").read_text()
    assert page.startswith(compat.METHOD)
    assert table([]) in page
