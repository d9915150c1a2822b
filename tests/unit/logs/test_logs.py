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

STAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}[+-]\d\d:\d\d (INFO   |WARNING|ERROR  ) ")
DAY = 86_400
SECRET = "hunter2-and-more"

Start = Callable[..., ServiceLogger]

# What is left in a file's buffer when the disk is full can be neither written nor closed.
unflushed = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")


@pytest.fixture
def start(tmp_path: Path, clock: FakeClock) -> Iterator[Start]:
    """Set up a log in tmp_path; every one is closed at the end."""
    started: list[ServiceLogger] = []

    def begin(role: str = "scheduler", *, console: bool = False, **settings: object) -> ServiceLogger:
        values = LogSettings.model_validate({"directory": str(tmp_path), **settings})
        started.append(setup(values, role, console=console, secrets=[SECRET], clock=clock))
        return started[-1]

    yield begin
    for log in started:
        log.close()


@pytest.fixture
def berlin(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "Europe/Berlin")
    stopwatch.tzset()
    yield
    monkeypatch.undo()
    stopwatch.tzset()


def texts(path: Path) -> list[str]:
    """The entries of a log file without their stamps; an AssertionError for a line that is none."""
    entries = []
    for line in path.read_text("utf-8").split("\n")[:-1]:
        stamp = STAMP.match(line)
        assert stamp, line
        entries.append(line[stamp.end() :])
    return entries


def of_today(path: Path) -> None:
    """Last written to on the day on which the tests' clock starts."""
    os.utime(path, (START_MS / 1000, START_MS / 1000))


def archives(folder: Path, name: str = "scheduler") -> list[Path]:
    """In the order in which they were made: day, then number within the day."""
    named = [(re.fullmatch(rf"{name}\.(\d{{4}}-\d\d-\d\d)(?:\.(\d+))?\.log\.zip", p.name), p) for p in folder.iterdir()]
    return [path for _, _, path in sorted((m[1], int(m[2] or 1), p) for m, p in named if m)]


def unzipped(path: Path) -> str:
    with zipfile.ZipFile(path) as zipped:
        assert zipped.testzip() is None
        assert zipped.namelist() == [path.name.removesuffix(".zip")]
        return zipped.read(zipped.namelist()[0]).decode()


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


# ------------------------------------------------------------------------------------------------------------- rotation
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


def test_a_folder_that_is_deleted_comes_back_with_the_next_file(start: Start, tmp_path: Path, clock: FakeClock) -> None:
    log = start(directory=str(tmp_path / "logs"))
    log.info("x")
    for path in (tmp_path / "logs").iterdir():
        path.unlink()
    (tmp_path / "logs").rmdir()
    clock.advance(DAY)
    log.info("lost with its folder")
    log.info("y")
    assert texts(tmp_path / "logs" / "scheduler.log") == ["y"]


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
