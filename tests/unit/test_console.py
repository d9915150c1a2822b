"""The console: whole lines that cannot be forged, and an error when nobody can read them."""

from __future__ import annotations

import io
import os
import sys
import threading
from contextlib import suppress
from pathlib import Path

import pytest

from scheduler.logs import ConsoleWriter


def test_the_console_prints_escaped_lines(capfd: pytest.CaptureFixture[str]) -> None:
    ConsoleWriter().write(["hello", "two\nlines", "\x1b[2J schön \ud800"])
    assert capfd.readouterr().out == "hello\ntwo\\nlines\n\\x1b[2J schön \\ud800\n"


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
