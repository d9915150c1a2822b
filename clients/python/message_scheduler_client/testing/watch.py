"""``python watch.py PID FOLDER``: stop a service when the tests that started it are gone, however they ended.

A test run that is killed tears nothing down, and each service has a Redis of its own.  Standard input is a pipe that
only the tests hold: it ends with them.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import sys
import time

_STOP_SECONDS = 30.0


def main() -> None:
    """Wait for the end of the tests, then for the end of the service, and delete its folder."""
    pid, folder = int(sys.argv[1]), sys.argv[2]
    sys.stdin.buffer.read()
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGTERM)
        until = time.monotonic() + _STOP_SECONDS
        while time.monotonic() < until:
            os.kill(pid, 0)
            time.sleep(0.1)
        os.kill(pid, signal.SIGKILL)
    shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
