"""One API worker signs off whenever SIGTERM comes: Granian listens for it only after the worker has begun."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from scheduler.api.processes import SETTINGS_VARIABLE
from scheduler.clock import SystemClock
from scheduler.config.reading import Settings
from scheduler.redis_server.connections import connect
from scheduler.store import store_for
from tests.support.redis_server import RedisServer

ROOT = Path(__file__).parents[2]
BEGINS = """
import asyncio, os, signal, threading, time
from granian._signals import set_loop_signals
from scheduler.api import worker
from scheduler.api.runtime import ApiRuntime
from scheduler.store import MessageStore

beaten = threading.Event()
beat, start = MessageStore.beat, ApiRuntime.start

def beat_and_say(self, *given):
    try:
        return beat(self, *given)
    finally:
        beaten.set()

def terminate():
    beaten.wait()
    print("has reported", flush=True)
    os.kill(os.getpid(), signal.SIGTERM)

def start_and_terminate(self):
    start(self)
    if WHEN == "while it starts":
        terminate()

MessageStore.beat, ApiRuntime.start = beat_and_say, start_and_terminate
worker.WORKER_GRACE_SECONDS = 2
front = worker.create_worker()
if WHEN == "when Granian listens, and a request hangs":
    loop = asyncio.new_event_loop()
    set_loop_signals(loop)
    for call in front.started:
        call(loop)
    threading.Thread(target=terminate).start()
    loop.run_forever()
terminate()
while True:
    time.sleep(0.01)
"""


@pytest.mark.parametrize(
    ("when", "code"),
    [
        ("while it starts", 0),
        ("before Granian listens", 0),
        ("when Granian listens, and a request hangs", 1),
    ],
)
def test_a_worker_signs_off(redis_server: RedisServer, redis_client: Any, tmp_path: Path, when: str, code: int) -> None:
    settings = Settings.model_validate(
        {
            "redis": {"connection_string": redis_server.url},
            "server": {"name": "here"},
            "logs": {"directory": str(tmp_path), "console": False},
        }
    )
    with connect(redis_server.url) as client:
        store = store_for(settings, client, SystemClock())
        with subprocess.Popen(
            [sys.executable, "-c", BEGINS.replace("WHEN", repr(when))],
            cwd=ROOT,
            env=os.environ | {SETTINGS_VARIABLE: settings.model_dump_json()},
            stdout=subprocess.PIPE,
        ) as worker:
            try:
                assert worker.stdout
                assert worker.stdout.readline() == b"has reported\n"
                assert worker.wait(30) == code
            finally:
                worker.send_signal(signal.SIGKILL)
        assert store.servers() == {}
