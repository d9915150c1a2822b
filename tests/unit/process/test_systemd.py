"""What systemd hears of the service, and how often."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from scheduler import systemd
from scheduler.config.sections.logs import LogSettings
from scheduler.logs import sinks as logs
from tests.support.clock import FakeClock


@pytest.fixture(params=["path", "abstract"])
def manager(
    request: pytest.FixtureRequest, short_tmp: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[socket.socket]:
    """The socket on which systemd listens."""
    name = str(short_tmp / "notify") if request.param == "path" else f"@scheduler-test-{os.getpid()}"
    with closing(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)) as listener:
        listener.bind(name.replace("@", "\0"))
        listener.settimeout(5)
        monkeypatch.setenv("NOTIFY_SOCKET", name)
        yield listener


def test_it_is_told_in_its_own_words(manager: socket.socket) -> None:
    systemd.notify("READY=1")
    assert manager.recv(100) == b"READY=1"


@pytest.mark.parametrize("address", ["", "/nobody/listens/here"])
def test_without_it_nothing_happens(monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    monkeypatch.setenv("NOTIFY_SOCKET", address)
    systemd.notify("READY=1")


@pytest.mark.parametrize("mine", [True, False])
def test_the_journal_gets_priorities_and_no_second_timestamp(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], tmp_path: Path, clock: FakeClock, mine: bool
) -> None:
    stderr = os.fstat(2)
    monkeypatch.setenv("JOURNAL_STREAM", f"{stderr.st_dev}:{stderr.st_ino + (not mine)}")
    settings = LogSettings(directory=str(tmp_path), level="INFO")
    log = logs.setup(settings, "scheduler", console=True, clock=clock)
    log.info("well")
    log.warning("hm")
    log.error("bad", exception=ValueError("why"))
    log.close()
    shown = capfd.readouterr().err.splitlines()
    if mine:
        assert shown == ["<6>well", "<4>hm", "<3>bad", "<3>    | ValueError: why"]
    else:
        assert shown[0].startswith("20")
        assert shown[0].endswith(" INFO    well")
    assert (tmp_path / "scheduler.log").read_text().startswith("20"), "the files have timestamps in any case"


@pytest.mark.parametrize(
    ("microseconds", "process", "seconds"),
    [
        ("60000000", "", 60),
        pytest.param("60000000", str(os.getpid()), 60, id="this process"),
        ("60000000", "1", None),
        ("", "", None),
        ("0", "", None),
        ("soon", "", None),
    ],
)
def test_the_watchdog_s_patience(
    monkeypatch: pytest.MonkeyPatch, microseconds: str, process: str, seconds: float | None
) -> None:
    monkeypatch.setenv("WATCHDOG_USEC", microseconds)
    monkeypatch.setenv("WATCHDOG_PID", process)
    assert systemd.watchdog_seconds() == seconds
