"""The unit file: systemd accepts it, and its limits leave the service the time that a stop takes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from scheduler.api import processes
from scheduler.config.settings import Settings
from scheduler.delivery import workers
from scheduler.redis_server import private as embedded
from tests.support.programs import need

ROOT = Path(__file__).parents[3]
UNIT = ROOT / "deploy" / "message-scheduler.service"


def values(name: str) -> list[str]:
    return [line.partition("=")[2] for line in UNIT.read_text().splitlines() if line.startswith(f"{name}=")]


def test_systemd_accepts_it(tmp_path: Path) -> None:
    (command,) = values("ExecStart")
    unit = tmp_path / UNIT.name
    unit.write_text(UNIT.read_text().replace(command, f"{sys.executable} {ROOT / 'app.py'}"))
    verified = subprocess.run(
        [need("systemd-analyze"), "verify", "--man=no", unit], capture_output=True, text=True, timeout=30, check=False
    )
    assert (verified.returncode, verified.stderr) == (0, "")


def test_it_tells_when_it_is_ready_and_comes_after_redis_and_the_network() -> None:
    assert values("Type") == ["notify"]
    (after,) = values("After")
    assert {"network-online.target", "redis-server.service", "valkey-server.service"} <= set(after.split())


def test_a_stop_has_the_time_that_it_takes_at_most() -> None:
    settings = Settings()
    longest = (
        settings.server.drain_seconds
        + processes.STOP_SECONDS
        + settings.scheduler.grace_seconds
        + workers.STOP_MARGIN_SECONDS
        + settings.redis.socket_timeout_seconds
        + embedded.STOP_SECONDS
    )
    assert longest < float(values("TimeoutStopSec")[0])
    assert values("KillMode") == ["mixed"], "its children are stopped by the service, in order"
