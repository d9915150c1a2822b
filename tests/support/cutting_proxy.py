"""A TCP proxy in front of a redis-server that cuts connections at a chosen point."""

from __future__ import annotations

import contextlib
import socket
import threading
from pathlib import Path
from types import TracebackType
from typing import Literal

Cut = Literal["nothing", "request", "reply"]


class CuttingProxy:
    """Forwards each connection to a unix socket.  ``cut`` may be set at any time: ``request`` passes on the first half
    of the next request and closes, ``reply`` passes on the whole request, waits for the reply and closes instead
    of passing it on.
    """

    def __init__(self, target: Path) -> None:
        self.cut: Cut = "nothing"
        self._target = target
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._accept, daemon=True)

    def __enter__(self) -> CuttingProxy:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # Closing alone does not wake a thread that is blocked in accept().
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(10)

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(near,), daemon=True).start()

    def _serve(self, near: socket.socket) -> None:
        with near, socket.socket(socket.AF_UNIX) as far, contextlib.suppress(OSError):
            far.connect(str(self._target))
            while request := near.recv(1 << 20):
                if self.cut == "request":
                    far.sendall(request[: len(request) // 2])
                    return
                far.sendall(request)
                reply = far.recv(1 << 20)
                if self.cut == "reply":
                    return
                near.sendall(reply)
