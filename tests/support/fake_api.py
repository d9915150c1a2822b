"""Stands in for ``scheduler.api.serve``: a child that answers GET /health and does as ``FAKE_API`` says.

``FAKE_API``: ``serve``; ``exit`` ends at once with code 3; ``deaf`` never listens; ``deaf to SIGTERM`` serves, and ends
only by SIGKILL.  Each serving one has a child of its own, as Granian has workers, whose process id /health answers.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import FrameType

from scheduler.api.processes import SETTINGS_VARIABLE, exit_with_parent, listening_address

mode = os.environ.get("FAKE_API", "serve")
settings = json.loads(os.environ[SETTINGS_VARIABLE])
if mode == "exit":
    sys.exit(3)
draining = threading.Event()
exit_with_parent(draining.set)
worker = subprocess.Popen(["sleep", "600"])


class Health(BaseHTTPRequestHandler):
    """Answers with what the child was given."""

    def do_GET(self) -> None:
        body = json.dumps(
            {"pid": os.getpid(), "worker": worker.pid, "settings": settings, "draining": draining.is_set()}
        ).encode()
        self.send_response(503)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name in the base class
        pass


def end(signum: int, frame: FrameType | None) -> None:
    worker.kill()
    worker.wait()
    os._exit(0)


if mode == "deaf to SIGTERM":
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
else:
    signal.signal(signal.SIGTERM, end)
if mode == "deaf":
    threading.Event().wait()
host = listening_address(settings["server"]["host"])


class Server(ThreadingHTTPServer):
    address_family = socket.AF_INET6 if ":" in host else socket.AF_INET


Server((host, settings["server"]["port"]), Health).serve_forever()
