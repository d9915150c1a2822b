"""The HTTP baseline: a Flask route that does nothing, in threads of the server that the API runs in.

``python -m bench.trivial PORT`` serves until it is told to end.
"""

from __future__ import annotations

import multiprocessing
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import psutil
from flask import Flask
from granian.constants import Interfaces
from granian.log import LogLevels
from granian.server import MPServer

from bench.table import check
from tests.support.waiting import free_port

PATH = "/echoAtTime"
"""The same as the real one, so that both get the same request."""
THREADS = 32


def create() -> Flask:
    """The application."""
    app = Flask(__name__)

    @app.post(PATH)
    def nothing() -> dict[str, str]:
        return {"status": "success"}

    return app


@contextmanager
def running() -> Iterator[tuple[int, psutil.Process]]:
    """Its port and its process, whose child does the work."""
    port = free_port()
    with subprocess.Popen([sys.executable, "-m", "bench.trivial", str(port)]) as process:
        try:
            _wait_for(process, port)
            yield port, psutil.Process(process.pid)
        finally:
            process.terminate()


def _wait_for(process: subprocess.Popen[bytes], port: int) -> None:
    deadline = time.monotonic() + 30
    while True:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
            return
        except OSError:
            check(process.poll() is None and time.monotonic() < deadline, "the trivial server did not start")
            time.sleep(0.02)


def main() -> None:
    multiprocessing.set_start_method("spawn")
    MPServer(
        "bench.trivial:create",
        factory=True,
        address="127.0.0.1",
        port=int(sys.argv[1]),
        interface=Interfaces.WSGI,
        blocking_threads=THREADS,
        backlog=2048,
        log_level=LogLevels.error,
    ).serve()


if __name__ == "__main__":
    main()
