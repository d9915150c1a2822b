"""A service of a test run that was killed does not stay behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

from tests.support.service import ROOT
from tests.support.waiting import wait_for

_RUN = """
import subprocess, sys, time
from pathlib import Path
from message_scheduler_client.testing.service import watched
sleeping = "import time; print(flush=True); time.sleep(600)"
service = subprocess.Popen([sys.executable, "-c", sleeping], stdout=subprocess.PIPE)
service.stdout.readline()
watched(service.pid, Path(sys.argv[1]))
print(service.pid, flush=True)
time.sleep(600)
"""


def test_a_service_ends_with_the_tests_that_are_killed(tmp_path: Path) -> None:
    folder = tmp_path / "service"
    folder.mkdir()
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "clients" / "python")}
    command = [sys.executable, "-c", _RUN, str(folder)]
    run = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)
    with run:
        assert run.stdout is not None
        service = int(run.stdout.readline())
        os.kill(service, 0)
        run.send_signal(signal.SIGKILL)
    wait_for("the folder of the service is deleted", lambda: not folder.exists(), 20)
    # Where nobody waits for the children of the dead, its process is still there, as a zombie.
    state = Path(f"/proc/{service}/stat")
    assert not state.exists() or state.read_text().rpartition(")")[2].split()[0] == "Z"
