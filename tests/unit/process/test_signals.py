"""Signals that ask for a stop, in a process of their own: none ends it by itself, and the second one does."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
STOPS_WHEN_TOLD = """
import sys, threading
from scheduler.process.signals import listen_for_signals
signals = listen_for_signals()
print("listens", flush=True)
signals.asked.wait()
print(signals.name, flush=True)
sys.stdin.read()
"""

FORKS = """
import os, signal
from scheduler.process.signals import listen_for_signals
signals = listen_for_signals()
child = os.fork()
if child == 0:
    signal.pause()
    os._exit(0)
os.kill(child, signal.SIGTERM)  # it may not have begun yet
status = os.waitpid(child, 0)[1]
os.kill(os.getpid(), signal.SIGHUP)
signals.asked.wait()
print(os.waitstatus_to_exitcode(status), signals.name)
"""


@pytest.fixture(autouse=True)
def as_in_a_terminal() -> Iterator[None]:
    """Who runs these tests under nohup has SIGHUP ignored, and each process that is started inherits it."""
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGHUP, before)


@contextmanager
def listening(*prefix: str, stderr: int = subprocess.PIPE) -> Iterator[subprocess.Popen[bytes]]:
    """A process that listens for signals, says the name of the first and ends when its stdin closes."""
    process = subprocess.Popen(
        [*prefix, sys.executable, "-c", STOPS_WHEN_TOLD],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=stderr,
    )
    with process:
        try:
            assert process.stdout
            assert process.stdout.readline() == b"listens\n"
            yield process
        finally:
            process.kill()


def said(process: subprocess.Popen[bytes]) -> str:
    assert process.stdout
    return process.stdout.readline().decode().strip()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_the_first_one_asks_for_a_stop(number: signal.Signals) -> None:
    with listening() as process:
        process.send_signal(number)
        assert said(process) == number.name
        assert process.poll() is None


@pytest.mark.parametrize("first", [signal.SIGTERM, signal.SIGHUP])
def test_a_second_one_ends_the_process_where_it_stands(first: signal.Signals) -> None:
    with listening() as process:
        process.send_signal(first)
        said(process)
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 1
        assert process.stderr
        assert b"Stopped at once" in process.stderr.read()


def test_a_terminal_that_closes_asks_once_however_often_it_says_so(tmp_path: Path) -> None:
    with listening() as process:
        process.send_signal(signal.SIGHUP)
        assert said(process) == "SIGHUP"
        process.send_signal(signal.SIGHUP)
        process.communicate(timeout=15)
        assert process.returncode == 0


def test_under_nohup_a_terminal_may_close() -> None:
    with listening("sh", "-c", 'trap "" HUP; exec "$0" "$@"') as process:
        process.send_signal(signal.SIGHUP)
        process.send_signal(signal.SIGTERM)
        assert said(process) == "SIGTERM"


def test_a_process_that_a_job_forks_can_be_ended_without_the_service() -> None:
    run = subprocess.run([sys.executable, "-c", FORKS], cwd=ROOT, capture_output=True, check=True, timeout=60)
    assert run.stdout.split() == [str(-signal.SIGTERM).encode(), b"SIGHUP"]


def test_the_second_one_works_when_nobody_reads_what_is_said() -> None:
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    with suppress(BlockingIOError):
        while os.write(writing, bytes(4096)):
            pass
    os.set_blocking(writing, True)
    try:
        with listening(stderr=writing) as process:
            process.send_signal(signal.SIGTERM)
            said(process)
            process.send_signal(signal.SIGTERM)
            assert process.wait(30) == 1
    finally:
        os.close(reading)
        os.close(writing)
