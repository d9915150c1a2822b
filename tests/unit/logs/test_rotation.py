"""Log files are rotated and compressed without stalling anyone, and the newest archives are kept."""

from __future__ import annotations

import os
import re
import shutil
import sys
import threading
import time as stopwatch
import zipfile
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path

import loguru
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from scheduler.config.sections.logs import LogSettings
from scheduler.errors import StartError
from scheduler.logs.sinks import ServiceLogger, adapt, setup
from tests.support.clock import START_MS, FakeClock
from tests.support.log_files import SECRET, STAMP, Start, archives, of_today, texts, unzipped


DAY = 86_400



def test_a_file_is_rotated_at_midnight_of_its_zone(
    start: Start, tmp_path: Path, clock: FakeClock, berlin: None
) -> None:
    log = start()
    log.info("morning")
    clock.advance(15 * 3600 - 0.001)
    log.info("last of the day")
    assert archives(tmp_path) == []
    clock.advance(0.001)
    log.info("first of the day")
    log.info("second of the day")
    log.close()
    assert texts(tmp_path / "scheduler.log") == ["first of the day", "second of the day"]
    (archive,) = archives(tmp_path)
    assert unzipped(archive).splitlines()[-1] == "2027-01-15T23:59:59.999+01:00 INFO    last of the day"


def test_a_file_of_an_earlier_day_is_rotated_after_a_restart(start: Start, tmp_path: Path, clock: FakeClock) -> None:
    log = start()
    log.info("before")
    log.close()
    of_today(tmp_path / "scheduler.log")
    log = start()
    log.info("same day")
    log.close()
    of_today(tmp_path / "scheduler.log")
    clock.advance(DAY)
    log = start()
    log.info("after")
    log.close()
    assert texts(tmp_path / "scheduler.log") == ["after"]
    assert [line.split()[-1] for line in unzipped(archives(tmp_path)[0]).splitlines()] == ["before", "day"]


def test_a_clock_that_is_set_back_rotates_nothing(start: Start, tmp_path: Path, clock: FakeClock) -> None:
    log = start()
    for _ in range(3):
        log.info("x")
        clock.advance(-DAY)
    log.close()
    assert len(texts(tmp_path / "scheduler.log")) == 3


def test_rotation_by_size_keeps_every_byte(start: Start, tmp_path: Path) -> None:
    log = start(max_bytes=2048, keep=1000)
    for number in range(200):
        log.lines([f"{number} {letter} ä" for letter in "abcde"])
    log.close()
    zipped = archives(tmp_path)
    assert len(zipped) > 10
    whole = "".join(map(unzipped, zipped)) + (tmp_path / "scheduler.log").read_text()
    assert [line.split(" ", 1)[1].lstrip("INFO ") for line in whole.splitlines()] == [
        f"{number} {letter} ä" for number in range(200) for letter in "abcde"
    ]
    assert all(path.stat().st_size <= 2048 for path in zipped)
    assert max(len(unzipped(path).encode()) for path in zipped) <= 2100


def test_only_the_newest_archives_are_kept_of_each_log(start: Start, tmp_path: Path) -> None:
    of_errors = tmp_path / "scheduler.error.2020-01-01_00-00-00_000000.log.zip"
    of_another = tmp_path / "scheduler-2.2020-01-01_00-00-00_000000.log.zip"
    of_another.touch()
    of_errors.touch()
    log = start(max_bytes=1024, keep=2)
    for number in range(100):
        log.info(f"{number} " + "x" * 200)
    log.close()
    assert len(archives(tmp_path)) == 2
    assert unzipped(archives(tmp_path)[-1]).splitlines()[-1].split()[2] > "80"
    assert of_errors.exists()
    assert of_another.exists()


def test_compression_never_holds_up_who_logs(start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    compressing, go_on = threading.Event(), threading.Event()
    copy = shutil.copyfileobj

    def slow_copy(*arguments: object) -> None:
        compressing.set()
        assert go_on.wait(10)
        copy(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(shutil, "copyfileobj", slow_copy)
    log = start(max_bytes=1024, keep=1000)
    for _ in range(100):
        log.info("x" * 200)
    assert compressing.wait(10)
    assert archives(tmp_path) == []
    assert len(list(tmp_path.glob("scheduler.2*.log"))) > 10
    go_on.set()
    log.close()
    assert len(archives(tmp_path)) > 10
    assert list(tmp_path.glob("scheduler.2*.log")) == []


def test_what_a_crash_left_uncompressed_is_compressed_at_the_next_start(start: Start, tmp_path: Path) -> None:
    left = tmp_path / "scheduler.2026-01-01_00-00-00_000000.log"
    left.write_text("left\n")
    part = tmp_path / (left.name + ".zip.part")
    part.write_bytes(b"half")
    start().close()
    # What begins with no date, as no file of ours does, keeps the day that it was rotated.
    assert unzipped(tmp_path / "scheduler.2026-01-01.log.zip") == "left\n"
    assert not left.exists()
    assert not part.exists()


def test_a_file_that_cannot_be_compressed_stays_as_it_is(
    start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(shutil, "copyfileobj", full)
    log = start(max_bytes=1024)
    for _ in range(12):
        log.info("x" * 200)
    log.close()
    assert len(list(tmp_path.glob("scheduler.2*.log"))) >= 2
    assert list(tmp_path.glob("*.zip*")) == []
    assert "is not compressed: OSError" in capsys.readouterr().err


def test_a_rotation_that_fails_costs_one_entry_and_is_tried_again_later(
    start: Start, tmp_path: Path, clock: FakeClock, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    log = start(max_bytes=1024)
    with monkeypatch.context() as patch:
        patch.setattr(os, "rename", refuse)
        for number in range(20):
            log.info(f"{number} " + "x" * 200)
    assert len(texts(tmp_path / "scheduler.log")) == 19
    assert "log scheduler.log: 1 lines lost: PermissionError" in capsys.readouterr().err
    clock.advance(61)
    log.info("later")
    log.close()
    assert texts(tmp_path / "scheduler.log") == ["later"]


def test_an_archive_is_named_by_its_day_and_numbered_within_it(start: Start, tmp_path: Path, clock: FakeClock) -> None:
    log = start(max_bytes=1024, keep=100)
    for _ in range(12):
        log.info("x" * 200)
    clock.advance(DAY)
    log.info("the next day")
    log.close()
    names = [path.name for path in archives(tmp_path)]
    assert names == [f"scheduler.2027-01-15{number}.log.zip" for number in ("", ".2", ".3")]
    assert {unzipped(path)[:10] for path in archives(tmp_path)} == {"2027-01-15"}


def test_one_that_a_crash_left_with_its_own_name_keeps_it(start: Start, tmp_path: Path) -> None:
    left = tmp_path / "scheduler.2026-01-01.2.log"
    left.write_text("2026-01-01T08:00:00.000+00:00 INFO    left\n")
    # The process died between the archive's last step and the removal of the file.
    (tmp_path / f"{left.name}.zip").write_bytes(b"the same")
    start().close()
    assert [path.name for path in archives(tmp_path)] == [f"{left.name}.zip"]
    assert unzipped(archives(tmp_path)[0]).endswith("left\n")
