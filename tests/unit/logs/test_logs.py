"""Log files that cannot be forged, hold no secrets, rotate without stalling anyone, and never stop delivery."""

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


# What is left in a file's buffer when the disk is full can be neither written nor closed.
unflushed = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")














# -------------------------------------------------------------------------------------------------------------- entries
def test_an_entry_is_a_line_with_time_zone_and_level(start: Start, tmp_path: Path, berlin: None) -> None:
    start().info("started")
    assert (tmp_path / "scheduler.log").read_text() == "2027-01-15T09:00:00.000+01:00 INFO    started\n"


def test_the_level_decides_what_is_written(start: Start, tmp_path: Path) -> None:
    log = start(level="WARNING")
    log.info("i")
    log.lines(["l"])
    log.warning("w")
    log.error("e")
    assert texts(tmp_path / "scheduler.log") == ["w", "e"]


def test_braces_and_tags_are_only_text(start: Start, tmp_path: Path) -> None:
    log = start()
    log.info("{message} {0} {{}} <red>%s</red> \\")
    log.error("{nobody}")
    assert texts(tmp_path / "scheduler.log") == ["{message} {0} {{}} <red>%s</red> \\", "{nobody}"]


def test_a_group_is_one_entry_per_text_under_one_stamp(start: Start, tmp_path: Path) -> None:
    log = start()
    log.lines(["one", "two\nlines", "three"])
    log.lines([])
    assert texts(tmp_path / "scheduler.log") == ["one", "two\\nlines", "three"]
    assert len({line[:37] for line in (tmp_path / "scheduler.log").read_text().splitlines()}) == 1


# No deadline: it writes files, on a machine that may be busy.  The fixtures hold nothing between examples.
@hypothesis_settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(st.lists(st.text(alphabet=st.characters()), min_size=1))
def test_nobody_can_forge_an_entry(start: Start, tmp_path: Path, messages: list[str]) -> None:
    log = start()
    for message in messages:
        log.info(message)
    log.lines(messages)
    file = max(tmp_path.glob("scheduler*.log"), key=lambda path: path.stat().st_ctime_ns)
    log.close()
    assert len(texts(file)) == 2 * len(messages)
    file.unlink()


def test_a_traceback_is_indented_and_cannot_forge_an_entry(start: Start, tmp_path: Path) -> None:
    forged = "2027-01-15T08:00:00.000+00:00 ERROR   paid\x1b[2J\u2028x"
    try:
        raise ValueError("first\n" + forged)
    except ValueError as error:
        start().error("attempt failed", exception=error)
    for name in ("scheduler.log", "scheduler.error.log"):
        lines = (tmp_path / name).read_text().splitlines()
        assert [line for line in lines if STAMP.match(line)] == lines[:1]
        assert all(line.startswith("    | ") for line in lines[1:])
        assert lines[1] == "    | Traceback (most recent call last):"
        assert lines[-2:] == [
            "    | ValueError: first",
            "    | " + forged.replace("\x1b", "\\x1b").replace("\u2028", "\\u2028"),
        ]


def test_the_error_file_holds_errors_only_and_no_values_of_variables(start: Start, tmp_path: Path) -> None:
    log = start()
    log.info("fine")
    log.warning("careful")
    log.lines(["delivered"])
    payload = "card 4111"
    try:
        int(payload, base=len(payload) * 10)
    except ValueError as error:
        log.error("attempt failed", exception=error)
    written = (tmp_path / "scheduler.error.log").read_text()
    assert written.count(" attempt failed\n") == 1
    assert "test_logs.py" in written
    assert "4111" not in written
    assert "fine" not in written
    assert "careful" not in written
    assert "delivered" not in written


def test_secrets_are_masked_in_every_kind_of_entry(
    start: Start, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    log = start(console=True)
    for text in (f"token {SECRET}", "Authorization: Bearer abcdefgh", "key whsec_abcdefgh", "redis://u:abcdefgh@host"):
        log.info(text)
        log.lines([text, text])
        log.error(text, exception=RuntimeError(text))
    shown = capsys.readouterr().err + "".join(path.read_text() for path in tmp_path.glob("*.log"))
    assert "***" in shown
    assert SECRET not in shown
    assert "abcdefgh" not in shown


def test_the_console_gets_what_the_service_says_and_not_each_delivery(
    start: Start, capsys: pytest.CaptureFixture[str]
) -> None:
    log = start(console=True)
    log.info("started")
    log.lines(["delivered"])
    log.error("failed", exception=ValueError("why"))
    shown = capsys.readouterr()
    assert shown.out == ""
    assert "INFO    started\n" in shown.err
    assert "ERROR   failed\n" in shown.err
    assert "    | ValueError: why\n" in shown.err
    assert "delivered" not in shown.err
























def test_there_is_no_file_before_its_first_entry(start: Start, tmp_path: Path) -> None:
    log = start()
    assert list(tmp_path.glob("*.log")) == []
    log.info("x")
    assert [path.name for path in tmp_path.glob("*.log")] == ["scheduler.log"]
    log.error("x")
    assert sorted(path.name for path in tmp_path.glob("*.log")) == ["scheduler.error.log", "scheduler.log"]


def test_a_file_that_cannot_be_written_to_is_told_at_the_start(start: Start, tmp_path: Path) -> None:
    (tmp_path / "scheduler.error.log").mkdir()
    with pytest.raises(StartError, match=r"cannot be used: Is a directory.*Logs\.Directory"):
        start()


def test_attempts_are_shown_on_the_console_when_it_is_asked_for(
    start: Start, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    start(console=True).lines(["quiet"], attempts=True)
    log = start(console=True, console_attempts=True)
    log.lines(["echo"])
    log.lines([f"retry {SECRET}", "ack"], attempts=True)
    shown = capsys.readouterr().err.splitlines()
    assert [line[STAMP.match(line).end() :] for line in shown] == ["retry ***", "ack"]  # type: ignore[union-attr]
    start(console=False, console_attempts=True).lines(["no console"], attempts=True)
    assert capsys.readouterr().err == ""


# -------------------------------------------------------------------------------------------------------------- trouble
@unflushed
def test_a_full_disk_raises_nothing_and_is_mentioned_once_a_minute(
    start: Start, tmp_path: Path, clock: FakeClock, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "scheduler.log").symlink_to("/dev/full")
    log = start()
    for _ in range(50):
        log.lines(["a", "b"])
    log.error("e", exception=ValueError("x"))
    assert texts_of_errors(tmp_path) == ["e"]
    complaint = "ERROR   log scheduler.log: 2 lines lost: OSError: [Errno 28] No space left on device\n"
    assert (
        capsys.readouterr().err
        == f"{datetime.fromtimestamp(START_MS / 1000).astimezone().isoformat(timespec='milliseconds')} {complaint}"
    )
    clock.advance(61)
    log.lines(["c"])
    assert "log scheduler.log: 102 lines lost" in capsys.readouterr().err
    assert log.lost == 102
    log.close()


def texts_of_errors(folder: Path) -> list[str]:
    first_lines = [line for line in (folder / "scheduler.error.log").read_text().splitlines() if STAMP.match(line)]
    return [STAMP.sub("", line) for line in first_lines]


@unflushed
def test_no_stderr_at_all_raises_nothing(start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "scheduler.log").symlink_to("/dev/full")
    log = start(console=True)
    monkeypatch.setattr(sys, "stderr", None)
    log.info("x")
    log.error("x", exception=ValueError("x"))
    log.close()


def test_a_folder_that_is_deleted_comes_back_with_the_next_entry(start: Start, tmp_path: Path) -> None:
    log = start(directory=str(tmp_path / "logs"))
    log.info("x")
    for path in (tmp_path / "logs").iterdir():
        path.unlink()
    (tmp_path / "logs").rmdir()
    log.info("y")
    assert texts(tmp_path / "logs" / "scheduler.log") == ["y"]


def test_a_file_that_another_program_moved_is_begun_again(start: Start, tmp_path: Path, clock: FakeClock) -> None:
    log = start()
    log.info("before")
    (tmp_path / "scheduler.log").rename(tmp_path / "scheduler.log.1")
    log.info("after")
    assert texts(tmp_path / "scheduler.log") == ["after"]
    (tmp_path / "scheduler.log").unlink()
    clock.advance(DAY)
    log.info("next day")
    assert texts(tmp_path / "scheduler.log") == ["next day"]
    assert texts(tmp_path / "scheduler.log.1") == ["before"]
    assert log.lost == 0


def test_a_folder_that_cannot_be_used_is_refused_in_words(start: Start, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StartError, match=r"file.* cannot be used: .*Logs\.Directory"):
        start(directory=str(tmp_path / "file"))


def test_after_close_nothing_is_written_and_nothing_raises(start: Start, tmp_path: Path) -> None:
    log = start()
    log.info("x")
    log.close()
    log.info("y")
    log.lines(["y"])
    log.error("y", exception=ValueError("y"))
    log.close()
    assert texts(tmp_path / "scheduler.log") == ["x"]


# ----------------------------------------------------------------------------------------------------- others around us
def test_two_processes_never_share_a_file(start: Start, tmp_path: Path) -> None:
    first, second, api = start(), start(), start("api-1")
    first.info("first")
    second.info("second")
    api.info("api")
    assert texts(tmp_path / "scheduler.log") == ["first"]
    assert texts(tmp_path / "scheduler-2.log") == ["second"]
    assert texts(tmp_path / "api-1.log") == ["api"]
    first.close()
    of_today(tmp_path / "scheduler.log")
    third = start()
    third.info("third")
    assert texts(tmp_path / "scheduler.log") == ["first", "third"]


def test_handlers_of_who_uses_the_library_are_left_alone(start: Start, tmp_path: Path) -> None:
    seen: list[str] = []
    handler = loguru.logger.add(seen.append, format="{message}")
    try:
        log = start()
        log.info("ours")
        loguru.logger.info("theirs")
        log.close()
        loguru.logger.info("theirs too")
    finally:
        loguru.logger.remove(handler)
    assert seen == ["theirs\n", "theirs too\n"]
    assert texts(tmp_path / "scheduler.log") == ["ours"]


class Injected:
    """The least that seed 001's users bring."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, str]] = []

    def info(self, message: str) -> None:
        self.seen.append(("info", message))

    def error(self, message: str) -> None:
        self.seen.append(("error", message))


class InjectedWithMore(Injected):
    def warning(self, message: str) -> None:
        self.seen.append(("warning", message))


def test_an_injected_logger_needs_info_and_error_only() -> None:
    injected = Injected()
    log = adapt(injected, [SECRET])
    log.info(f"i\n{SECRET}")
    log.warning("w")
    log.lines(["1", "2"])
    log.error("e")
    assert injected.seen == [("info", "i\\n***"), ("error", "w"), ("info", "1"), ("info", "2"), ("error", "e")]


def test_an_injected_logger_is_used_for_all_that_it_has() -> None:
    injected = InjectedWithMore()
    log = adapt(injected)
    log.warning("w")
    assert injected.seen == [("warning", "w")]


def test_an_injected_logger_gets_the_traceback_with_the_error() -> None:
    injected = Injected()
    adapt(injected, [SECRET]).error("failed", exception=ValueError(SECRET))
    assert injected.seen == [("error", "failed\n    | ValueError: ***")]


def test_an_injected_logger_that_raises_stops_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    class Broken(Injected):
        def info(self, message: str) -> None:
            raise RuntimeError("broken")

    log = adapt(Broken())
    log.lines(["x"])
    stamp, line = STAMP.match(shown := capsys.readouterr().err), "the logger failed: RuntimeError: broken\n"
    assert stamp
    assert (shown[stamp.end() :], log.lost) == (line, 1)


def test_our_own_logger_is_adapted_to_itself(start: Start) -> None:
    log = start()
    assert adapt(log) is log


def test_a_group_is_one_write(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    """What makes it cheap: two thirds of an entry's cost are loguru's own call."""
    log = start()
    written: list[str] = []
    monkeypatch.setattr(log._main, "write", lambda level, text: written.append(text))
    log.lines([f"line {number}" for number in range(10)])
    assert written == ["\n".join(f"line {number}" for number in range(10))]


def test_timestamps_are_of_the_clock(start: Start, tmp_path: Path, clock: FakeClock) -> None:
    log = start()
    clock.advance(1.234)
    log.info("x")
    stamp = (tmp_path / "scheduler.log").read_text().split()[0]
    assert datetime.fromisoformat(stamp).timestamp() * 1000 == pytest.approx(START_MS + 1234)
