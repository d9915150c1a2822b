"""Schemathesis against the live service, by the service's own document: one seed, bounded.

The coverage phase takes three fifths of the time and gives the same requests each time: ``make fuzz`` runs it.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from scheduler.store import MessageStore
from tests.integration.test_api_server import ROOT, TOKEN, Server
from tests.support.redis_server import RedisServer

SEED = 20270101
EXAMPLES = os.environ.get("SCHEMATHESIS_EXAMPLES", "5")
"""Per operation in the fuzzing phase, and scenarios in the stateful one: about 17 s on an idle machine."""
PHASES = os.environ.get("SCHEMATHESIS_PHASES", "examples,fuzzing,stateful")


@contextmanager
def a_scheduler_at_work(store: MessageStore) -> Iterator[None]:
    """Heartbeats, for /health: what is due here is delivered by nobody, and would be told as a standstill."""
    ended = threading.Event()

    def beat() -> None:
        while not ended.wait(1):
            store.beat("another/scheduler", {"role": "scheduler", "progress_age_ms": 0, "working": True})

    store.beat("another/scheduler", {"role": "scheduler", "progress_age_ms": 0, "working": True})
    thread = threading.Thread(target=beat, name="heartbeats")
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


@pytest.mark.timeout(600)  # a busy machine takes ten times as long as an idle one
def test_every_answer_is_as_documented(redis_server: RedisServer, redis_client: Any, tmp_path: Path) -> None:
    with Server(redis_server.url, tmp_path / "logs", api_threads=4) as server, a_scheduler_at_work(server.store):
        command = [
            sys.executable, "-m", "schemathesis.cli", "--config-file", str(ROOT / "tests/support/schemathesis.toml"),
            "run", f"http://127.0.0.1:{server.port}/openapi.json",
            "--header", f"Authorization: Bearer {TOKEN}", "--phases", PHASES,
            "--max-examples", EXAMPLES, "--seed", str(SEED), "--generation-database", "none", "--no-color",
        ]  # fmt: skip
        environment = os.environ | {
            "SCHEMATHESIS_HOOKS": "tests.support.schemathesis_hooks",
            "PYTHONPATH": str(ROOT),
        }
        run = subprocess.run(
            command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=560, check=False
        )
        assert run.returncode == 0, run.stdout[-8000:] + run.stderr[-2000:]
        assert re.search(r"Operations: +(\d+) selected / \1 total", run.stdout)
        assert not (server.logs / "api.error.log").exists()
