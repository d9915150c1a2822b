"""The figures of one scheduler process over HTTP (``Metrics.Port``): ``/metrics`` and ``/health``.

A worker has no API.  Its figures are in ``/metrics`` of the servers that have one, which read them from Redis; here
they can be had without those and without Redis, and whatever keeps containers alive can ask this process itself.
"""

from __future__ import annotations

import json
import math
import threading
from collections.abc import Callable, Iterator, Mapping
from http import HTTPStatus
from typing import Any

from prometheus_client import CONTENT_TYPE_LATEST, Metric, generate_latest
from prometheus_client.registry import Collector, CollectorRegistry

from scheduler.access import Tokens, token_of
from scheduler.config.settings import Settings
from scheduler.errors import StartError
from scheduler.small_http import QuietRequest, SmallServer
from scheduler.telemetry import exposition

Answer = tuple[HTTPStatus, str, bytes]
"""Status, content type, body."""


class FiguresServer:
    """Answers from ``start`` to ``stop``."""

    def __init__(
        self,
        settings: Settings,
        process: str,
        report: Callable[[], Mapping[str, Any]],
        fault: Callable[[], str | None],
    ) -> None:
        """``process``: the name of this process in reports.  ``report``: what its next heartbeat would say.

        ``fault``: why a restart of this process would help; None while it works.  Both are called from any thread.
        """
        self._host = (settings.metrics.host or settings.server.host).strip("[]")
        self._port = settings.metrics.port
        self._tokens = Tokens(settings)
        self._process = process
        self._report = report
        self._fault = fault
        self._server: SmallServer | None = None
        self._thread: threading.Thread | None = None

    @property
    def port(self) -> int | None:
        """Return the port that it listens on; None while it does not."""
        return self._server.port if self._server else None

    def start(self) -> None:
        """Answer from now on.  Raises ``StartError`` when the address cannot be used."""
        try:
            self._server = _listen(self._host, self._port, self._answer)
        except OSError as error:
            raise StartError(
                f"Cannot listen on {self._host}:{self._port} for metrics ({error.strerror or error}). Choose another "
                "port (Metrics.Port) or address (Metrics.Host), or set Metrics.Port to 0."
            ) from error
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.1,), name="metrics", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Free the port.  Safe to call twice, and without ``start``."""
        if self._server and self._thread:
            self._server.shutdown()
            self._server.server_close()
            self._thread.join()
            self._server = self._thread = None

    def _answer(self, path: str, authorization: str) -> Answer:
        if path == "/health":  # like that of the API, it needs no token
            return self._health()
        if path != "/metrics":
            return _words(HTTPStatus.NOT_FOUND, "Here are /metrics and /health only: this process has no HTTP API.")
        if self._tokens and not self._tokens.accept(token_of(authorization.encode("latin-1"))):
            return _words(HTTPStatus.UNAUTHORIZED, "Unauthorized: send a token of Api.AuthToken as Authorization.")
        registry = CollectorRegistry(auto_describe=False)
        registry.register(_Own(self._process, self._report()))
        return HTTPStatus.OK, CONTENT_TYPE_LATEST, generate_latest(registry)

    def _health(self) -> Answer:
        fault = self._fault()
        if fault is not None:
            return _words(HTTPStatus.SERVICE_UNAVAILABLE, f"This process delivers nothing: {fault}.")
        return _words(HTTPStatus.OK, "This process works.")


class _Own(Collector):
    def __init__(self, process: str, report: Mapping[str, Any]) -> None:
        self._reports = {process: {**report, "age_ms": 0}}

    def collect(self) -> Iterator[Metric]:
        return exposition.figures(self._reports, math.inf)


def _words(status: HTTPStatus, message: str) -> Answer:
    body = {"status": "success" if status is HTTPStatus.OK else "error", "message": message}
    return status, "application/json", json.dumps(body).encode() + b"\n"


def _listen(host: str, port: int, answer: Callable[[str, str], Answer]) -> SmallServer:
    class Handler(QuietRequest):
        def do_GET(self) -> None:  # noqa: N802 - the name that the base class calls
            status, kind, body = answer(self.path.partition("?")[0], self.headers.get("Authorization", ""))
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    return SmallServer((host, port), Handler)
