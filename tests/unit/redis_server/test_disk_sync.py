"""What the private Redis has written is on disk a second later, and nothing is synced twice."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from scheduler.redis_server.disk_sync import DiskSync
from tests.support.clock import FakeClock
from tests.support.logger import RecordingLogger


@pytest.fixture
def synced(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the files that were synced, in order."""
    found: list[str] = []
    fsync = os.fsync

    def record(descriptor: int) -> None:
        found.append(Path(f"/proc/self/fd/{descriptor}").readlink().name)
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", record)
    return found


def test_files_of_redis_7_and_of_redis_6_once_for_each_change(
    tmp_path: Path, clock: FakeClock, synced: list[str]
) -> None:
    parts = tmp_path / "appendonlydir"
    parts.mkdir()
    (parts / "appendonly.aof.1.incr.aof").write_text("one")
    (parts / "appendonly.aof.manifest").write_text("not ours")
    (tmp_path / "appendonly.aof").write_text("old")
    sync = DiskSync(tmp_path, RecordingLogger(), clock)
    assert sync.tick() == 2
    assert sorted(synced) == ["appendonly.aof", "appendonly.aof.1.incr.aof"]
    assert sync.tick() == 0
    with (parts / "appendonly.aof.1.incr.aof").open("a") as file:
        file.write("two")
    assert sync.tick() == 1
    assert synced[2:] == ["appendonly.aof.1.incr.aof"]


def test_what_is_written_during_a_sync_is_synced_the_next_time(
    tmp_path: Path, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "appendonly.aof"
    file.write_text("one")
    sync = DiskSync(tmp_path, RecordingLogger(), clock)
    with monkeypatch.context() as during:
        during.setattr(os, "fsync", lambda descriptor: file.write_text("one, two"))
        assert sync.tick() == 1
    assert [sync.tick(), sync.tick()] == [1, 0]


def test_a_file_that_a_rewrite_removed_is_none_of_our_business(
    tmp_path: Path, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "appendonly.aof").write_text("x")
    sync = DiskSync(tmp_path, RecordingLogger(), clock)

    def gone(*_: object) -> int:
        raise FileNotFoundError

    monkeypatch.setattr(os, "open", gone)
    assert sync.tick() == 0


def test_a_folder_without_files_is_no_error(tmp_path: Path, clock: FakeClock) -> None:
    assert DiskSync(tmp_path / "nowhere", RecordingLogger(), clock).tick() == 0
