"""Waiting for what another process does, and ports for it to listen on.

Inside one process wait on the event itself; polling is for output, sockets and files of others only.
"""

from __future__ import annotations

import itertools
import os
import socket
import time
from collections.abc import Callable
from contextlib import suppress
from typing import TypeVar

T = TypeVar("T")

# Below those that the system gives to whoever asks for any, so that nobody gets one between the look and its use; the
# port of a node of a cluster, and 10,000 more, by which nodes speak to each other.
_PORTS = range(10_000, 20_000)
_OF_THIS_PROCESS = itertools.cycle((*_PORTS[os.getpid() * 100 % len(_PORTS) :], *_PORTS))
"""Each process begins at another place: pytest runs several beside each other."""


def wait_for(what: str, probe: Callable[[], T | None], seconds: float = 30.0, every: float = 0.01) -> T:
    """The first true answer of ``probe``, asked ``every`` so many seconds; AssertionError that names ``what`` after
    ``seconds``.
    """
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        answer = probe()
        if answer:
            return answer
        time.sleep(every)
    raise AssertionError(f"not within {seconds} s: {what}")


def free_port() -> int:
    """A TCP port of 127.0.0.1 that nobody listens on right now, and that nobody else is given soon."""
    port: int
    for port in _OF_THIS_PROCESS:
        with suppress(OSError), socket.socket() as probe:
            probe.bind(("127.0.0.1", port))
            return port
    raise AssertionError("unreachable")
