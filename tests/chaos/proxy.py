"""A TCP proxy between one server and Redis that delays, cuts and swallows."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from pathlib import Path
from typing import Literal

Mode = Literal["pass", "delay", "cut", "blackhole"]

DELAY_SECONDS = 0.3


class Proxy:
    """Forwards to a unix socket.  ``mode`` may be changed at any time: ``delay`` holds each piece for 300 ms, ``cut``
    closes every connection at its next byte, also between a request and its reply, ``blackhole`` passes nothing on and
    closes nothing.
    """

    def __init__(self, target: Path) -> None:
        self.mode: Mode = "pass"
        self._target = target
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._closed = threading.Event()
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self._closed.set()
        # Closing alone does not wake a thread that is blocked in accept().
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            far = socket.socket(socket.AF_UNIX)
            try:
                far.connect(str(self._target))
            except OSError:
                near.close()
                far.close()
                continue
            for source, sink in ((near, far), (far, near)):
                threading.Thread(target=self._pump, args=(source, sink), daemon=True).start()

    def _swallowed(self) -> bool:
        """Blocks while nothing passes.  True when it did: what was swallowed stays lost."""
        swallowed = False
        while self.mode == "blackhole" and not self._closed.is_set():
            swallowed = True
            time.sleep(0.05)
        return swallowed

    def _pump(self, source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(1 << 16):
                if self.mode == "cut":
                    break
                if self.mode == "delay":
                    time.sleep(DELAY_SECONDS)
                if self._swallowed():
                    break
                sink.sendall(data)
        for end in (source, sink):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()
