"""The console: whole lines that cannot be forged, and an error when nobody can read them."""

from __future__ import annotations

import io
import os
import sys
import threading
from collections.abc import Iterator
from contextlib import redirect_stdout, suppress
from pathlib import Path

import pytest

from scheduler.logs import outlet
from scheduler.logs.outlet import ConsoleWriter


def test_the_console_prints_escaped_lines(capfd: pytest.CaptureFixture[str]) -> None:
    ConsoleWriter().write(["hello", "two\nlines", "\x1b[2J schön \ud800"])
    assert capfd.readouterr().out == "hello\ntwo\\nlines\n\\x1b[2J schön \\ud800\n"


def test_what_a_job_redirects_for_itself_gets_no_messages(capsys: pytest.CaptureFixture[str]) -> None:
    console = ConsoleWriter()
    with redirect_stdout(io.StringIO()) as redirected:
        assert console.write(["hello"]) == 1
    assert capsys.readouterr().out == "hello\n"
    assert redirected.getvalue() == ""


def test_the_console_may_be_any_text_stream() -> None:
    stream = io.StringIO()
    ConsoleWriter(stream).write(["a", "b"])
    assert stream.getvalue() == "a\nb\n"


def test_groups_of_many_threads_stay_whole(tmp_path: Path) -> None:
    with (tmp_path / "out").open("w") as stream:
        console = ConsoleWriter(stream)
        barrier = threading.Barrier(4)

        def write(name: str) -> None:
            barrier.wait()
            for _ in range(200):
                console.write([f"{name}{number} " + "x" * 100 for number in range(10)])

        threads = [threading.Thread(target=write, args=(name,)) for name in "abcd"]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    lines = [line.split()[0] for line in (tmp_path / "out").read_text().splitlines()]
    assert len(lines) == 4 * 200 * 10
    for first in range(0, len(lines), 10):
        assert lines[first : first + 10] == [f"{lines[first][0]}{number}" for number in range(10)]


class Pipe:
    """A pipe of 64 KiB that is read when the test says so."""

    def __init__(self) -> None:
        self.reading, self.writing = os.pipe()
        self.stream = os.fdopen(self.writing, "w")

    def read(self) -> str:
        """Everything that is in it."""
        os.set_blocking(self.reading, False)
        found = b""
        with suppress(BlockingIOError):
            while chunk := os.read(self.reading, 1 << 16):
                found += chunk
        return found.decode()

    def close(self) -> None:
        os.close(self.reading)
        with suppress(OSError):
            self.stream.close()


@pytest.fixture
def pipe() -> Iterator[Pipe]:
    made = Pipe()
    yield made
    made.close()


@pytest.mark.parametrize("length", [10, 3_000, 25_000])
def test_what_nobody_reads_is_not_printed_and_holds_up_nobody(
    pipe: Pipe, monkeypatch: pytest.MonkeyPatch, length: int
) -> None:
    monkeypatch.setattr(outlet, "CONSOLE_PATIENCE_SECONDS", 0.05)
    console = ConsoleWriter(pipe.stream)
    lines = [f"{n:06} {'x' * length}" for n in range(100_000 // length)]
    printed = 0
    while printed < len(lines) and (more := console.write(lines[printed : printed + 100])):
        printed += more
    assert printed < len(lines)
    assert console.write(["late"]) == 0
    assert console.unread_seconds() > 0
    first = pipe.read()
    assert console.unread_seconds() == 0
    while printed < len(lines):
        printed += console.write(lines[printed : printed + 1])
        first += pipe.read()
    assert first.splitlines() == lines, "lines were lost, doubled or torn"


def test_a_worker_waits_only_a_moment_for_another_one_that_prints_slowly(
    pipe: Pipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outlet, "CONSOLE_BUSY_SECONDS", 0.05)
    console = ConsoleWriter(pipe.stream)
    with console._lock:
        assert console.write(["x"]) == 0
    assert console.write(["x"]) == 1


def test_log_lines_that_nobody_reads_are_left_out_and_counted(pipe: Pipe, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", pipe.stream)
    monkeypatch.setattr(outlet.Stderr, "PATIENCE_SECONDS", 0.02)
    log = outlet.Stderr()
    for n in range(100):
        log.write(f"{n} {'x' * 1_000}\n")
    shown = pipe.read().splitlines()
    assert 0 < len(shown) < 100
    log.write("again\n")
    log.write("and on\n")
    assert pipe.read().splitlines() == [
        f"({100 - len(shown)} lines were left out here while nobody read them)",
        "again",
        "and on",
    ]


def test_a_console_that_is_gone_raises(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    closed = (tmp_path / "out").open("w")
    closed.close()
    with pytest.raises(ValueError, match="closed"):
        ConsoleWriter(closed).write(["x"])
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "w") as broken, pytest.raises(BrokenPipeError):
        ConsoleWriter(broken).write(["x"])
    with Path("/dev/full").open("w") as full, pytest.raises(OSError, match="No space"):
        ConsoleWriter(full).write(["x"])
    monkeypatch.setattr(sys, "stdout", None)
    with pytest.raises(OSError, match="no stdout"):
        ConsoleWriter().write(["x"])


def test_what_failed_is_not_printed_later(tmp_path: Path) -> None:
    """A delivery that counted as failed is tried again; its first text must not turn up besides."""
    with Path("/dev/full").open("w") as stream:
        console = ConsoleWriter(stream)
        with suppress(OSError):
            console.write(["first"])
        with (tmp_path / "out").open("w") as file:
            os.dup2(file.fileno(), stream.fileno())
        console.write(["second"])
    assert (tmp_path / "out").read_text() == "second\n"
