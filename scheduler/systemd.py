"""Talk to systemd: notifications (sd_notify), watchdog, journal.  Does nothing when systemd did not start us."""

from __future__ import annotations

import os
import socket
from contextlib import suppress

PRIORITIES = {"INFO": 6, "WARNING": 4, "ERROR": 3}
"""syslog's number of each level."""


def reads_stderr() -> bool:
    """Return whether stderr goes to systemd's journal."""
    with suppress(OSError):
        stream = os.fstat(2)
        return os.environ.get("JOURNAL_STREAM") == f"{stream.st_dev}:{stream.st_ino}"
    return False


def notify(state: str) -> None:
    """Send ``READY=1``, ``STOPPING=1`` or ``WATCHDOG=1`` to the socket that systemd named, if it did."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address:
        return
    if address.startswith("@"):
        address = "\0" + address[1:]  # an abstract socket
    # The service goes on when systemd does not listen any more.
    with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
        sender.connect(address)
        sender.send(state.encode())


def watchdog_seconds() -> float | None:
    """Return the time after which systemd restarts a process that does not notify it; None: no watchdog."""
    microseconds = os.environ.get("WATCHDOG_USEC", "")
    watched = os.environ.get("WATCHDOG_PID", "")
    if not microseconds.isdigit() or watched not in ("", str(os.getpid())):
        return None
    return int(microseconds) / 1_000_000 or None
