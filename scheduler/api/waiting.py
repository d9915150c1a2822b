"""Answers HTTP while the API cannot run yet, because Redis is loading its data: 503, and how far it is.

In the process of the scheduler, and gone before the API starts.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from http import HTTPStatus
from typing import Any

from scheduler.api.processes import listening_address, reserve
from scheduler.small_http import QuietRequest, SmallServer


class WaitingRoom:
    """Open from ``open`` to ``close``; never opened where the port is not known yet."""

    def __init__(self, host: str, port: int, words: Callable[[], str]) -> None:
        """``words``: what every request is told."""
        self._address = (host, port)
        self._words = words
        self._server: SmallServer | None = None
        self._thread: threading.Thread | None = None

    def open(self) -> None:
        """Answer from now on.  Raises ``StartError`` when the address cannot be used."""
        host, port = self._address
        if port:
            host = listening_address(host)
            reserve(host, port).close()
            self._server = _server(host, port, self._words)
            self._thread = threading.Thread(target=self._server.serve_forever, args=(0.1,), name="waiting room")
            self._thread.start()

    def close(self) -> None:
        """Leave the port to the API.  Safe to call twice, and without ``open``."""
        if self._server and self._thread:
            self._server.shutdown()
            self._server.server_close()
            self._thread.join()
            self._server = self._thread = None


def _server(host: str, port: int, words: Callable[[], str]) -> SmallServer:
    # Flask comes with it, and few starts have to wait.
    from scheduler.api.http.problems import error_answer

    class Handler(QuietRequest):
        def __getattr__(self, name: str) -> Any:
            if name.startswith("do_"):
                return self._answer
            raise AttributeError(name)

        def _answer(self) -> None:
            path = self.path.partition("?")[0]
            answer = error_answer(path, HTTPStatus.SERVICE_UNAVAILABLE, words(), (), {"Retry-After": "1"})
            self.send_response(answer.status)
            for name, value in {**answer.headers, "Connection": "close"}.items():
                self.send_header(name, value)
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(answer.body)

    return SmallServer((host, port), Handler)
