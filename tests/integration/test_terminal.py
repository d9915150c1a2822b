"""The service in a terminal: who gets its signals, and who may write to it."""

from __future__ import annotations

import os
import re
import select
import sys
import termios
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.service import ROOT, Service

IN_A_TERMINAL = """
import fcntl, os, sys, termios
terminal = os.open(sys.argv[1], os.O_RDWR)
fcntl.ioctl(terminal, termios.TIOCSCTTY, 0)
os.dup2(terminal, 2)
os.execv(sys.executable, [sys.executable, *sys.argv[2:]])
"""
"""Makes the terminal that of the session that the process leads, and runs Python in its foreground."""


class Terminal:
    """A terminal on which a background job may not write (``stty tostop``)."""

    def __init__(self) -> None:
        self.keyboard, self.screen = os.openpty()
        attributes = termios.tcgetattr(self.screen)
        attributes[3] |= termios.TOSTOP
        termios.tcsetattr(self.screen, termios.TCSANOW, attributes)
        self._shown = ""

    def wait_for(self, pattern: str) -> str:
        """What the first group of the pattern stands for, once it is shown."""
        while not (found := re.search(pattern, self._shown)):
            assert select.select([self.keyboard], [], [], 30)[0], self._shown
            self._shown += os.read(self.keyboard, 65536).decode()
        return found[1]

    def type(self, keys: bytes) -> None:
        os.write(self.keyboard, keys)

    def close(self) -> None:
        os.close(self.keyboard)
        os.close(self.screen)


@pytest.fixture
def terminal() -> Iterator[Terminal]:
    terminal = Terminal()
    yield terminal
    terminal.close()


def test_requests_are_logged_and_ctrl_c_stops_in_order(tmp_path: Path, terminal: Terminal) -> None:
    screen = os.ttyname(terminal.screen)
    service = Service(tmp_path, command=[sys.executable, "-c", IN_A_TERMINAL, screen, str(ROOT / "app.py")]).launch()
    try:
        service.port = int(terminal.wait_for(r"HTTP: +http://127\.0\.0\.1:(\d+)"))
        assert service.request("DELETE", "/schedules").status == 200
        terminal.wait_for("(removed 0 scheduled webhook tasks)")
        terminal.type(b"\x03")
        terminal.wait_for("(SIGINT: stopping)")
        terminal.wait_for(r"(Stopped\.)")
        assert service.wait() == 0
    finally:
        service.__exit__(None, None, None)
